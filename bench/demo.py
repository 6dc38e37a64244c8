"""Demonstration: compress and decompress one photograph, and compare its size with PNG, WebP and JPEG XL.

python bench/demo.py examples/photo.webp --out demo
"""

from pathlib import Path

import click
import numpy as np
from common import MeasuredCodec, load, peers, pixzip_codec, timed, warm_up
from PIL import Image

from pixzip.codec import as_picture


@click.command()
@click.argument("image", type=click.Path(exists=True, path_type=Path))
@click.option("--model", "models", default="fast,base", show_default=True, help="Names or paths, comma-separated.")
@click.option("--threads", default=2, show_default=True, help="Of libjxl.")
@click.option("--out", default="demo", show_default=True, type=click.Path(path_type=Path), help="Folder to write to.")
def main(image: Path, models: str, threads: int, out: Path) -> None:
    """Compress IMAGE, decompress it, compare every pixel, and write the results to a folder."""
    (_, picture), *_ = load(image, 1)
    height, width, _ = picture.shape
    click.echo(f"{image}: {width} x {height} pixels, {picture.nbytes:,} bytes as raw RGB")
    ours = [pixzip_codec(model) for model in models.split(",")]
    warm_up(ours)
    out.mkdir(parents=True, exist_ok=True)
    click.echo(f"{'':14} {'bytes':>11} {'of PNG':>8} {'compress':>9} {'decompress':>11}")
    png_bytes = 0
    for codec in [*peers(threads), *ours]:
        data, encode_s = timed(codec.encode, as_picture(picture))
        decoded, decode_s = timed(codec.decode, data)
        if decoded.shape != picture.shape or (decoded != picture).any():
            raise SystemExit(f"{codec.name}: a pixel came back changed")
        png_bytes = png_bytes or len(data)
        click.echo(
            f"{codec.name:14} {len(data):>11,} {len(data) / png_bytes:>8.1%} {encode_s:>7.2f} s {decode_s:>9.2f} s"
        )
        if codec in ours:
            write(out, image.stem, codec, data, decoded)
    click.echo(f"Every pixel of every file came back as it was. Files are in {out}/")


def write(folder: Path, stem: str, codec: MeasuredCodec, data: bytes, decoded: np.ndarray) -> None:
    """Write the compressed file, and its decoded image as PNG."""
    base = f"{stem}-{codec.name.split()[-1]}"
    (folder / f"{base}.pxz").write_bytes(data)
    Image.fromarray(decoded).save(folder / f"{base}.png")


if __name__ == "__main__":
    main()
