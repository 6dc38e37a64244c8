"""Code a photograph with models of the PixelRNN family: file size and decoding time.

python -m bench.family.photo runs/row-lstm-cifar10 --image examples/photo.webp --out bench/results/family.json

The middle of the photograph becomes a `.pxz` file of one tile, coded by the model even if another block is smaller.
The file is decoded and compared, and listed beside WebP and PNG of the same pixels. Run after
`bench/family/measure.py`.
"""

from functools import partial
from pathlib import Path

import click
import numpy as np
from PIL import Image

from bench.common import provenance, set_threads, timed, write
from bench.family.measure import put, read
from bench.family.runs import model_name, prepare
from pixzip import codec
from pixzip.codec import webp_png


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--image", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--side", default=256, show_default=True)
@click.option("--threads", default=1, show_default=True)
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="JSON file to add to.")
def main(runs: tuple[Path, ...], image: Path, side: int, threads: int, out: Path) -> None:
    """Code the middle of a photograph with the models of RUNS."""
    set_threads(threads)
    result = read(out)
    with Image.open(image) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    y, x = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    pixels = np.ascontiguousarray(pixels[y : y + side, x : x + side])
    webp = webp_png.webp_block(pixels)
    assert webp is not None
    for folder in runs:
        run = prepare(folder, "")
        weights = run.weights
        (file,), encode_s = timed(partial(codec.compress, [pixels], lambda _: weights, models_only=True))  # noqa: B023
        (picture,), decode_s = timed(partial(codec.decompress, [file], lambda _: weights))  # noqa: B023
        if not np.array_equal(codec.as_array(picture), pixels):
            raise SystemExit("pixzip did not give the image back")
        entry = {
            "run": folder.name,
            "data": f"{image.name} {side}",
            "model": model_name(run),
            "image": image.name,
            "side": side,
            "file_bytes": len(file),
            "png_bytes": len(webp_png.png(pixels)),
            "webp_bytes": len(webp),
            "encode_s": encode_s,
            "decode_s": decode_s,
            "measured": {**provenance([image], [], threads), "device": "cpu"},
        }
        put(result, "photographs", entry)
        write(out, result)
        click.echo(f"{folder.name}: {len(file)} bytes, decoded in {decode_s:.1f} s", err=True)


if __name__ == "__main__":
    main()
