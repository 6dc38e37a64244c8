"""Measure the size of images with 9 to 16 bits per sample, and the part of their low bits.

python -m bench.deep.measure deep16.tar --model base,fast --out bench/results/deep.json --page docs/deep.md

deep16.tar consists of published real images:

* `photographs`: the 16-bit PNGs in `external/raw.pixls` and `external/wesaturate/64px` of
  https://github.com/libjxl/testdata, which are crops of 64 x 64 pixels from developed raw photographs;
* `medical`: the DICOM files of the same names in `data_store/data` of https://github.com/pydicom/pydicom-data, MR, CT
  and radiographs of 9 to 15 bits: the first frame, signed samples shifted up by their minimum, as 16-bit grey PNG.

The used bits are those of the largest sample.  The high byte alone is the picture `samples >> (bits - 8)`, compressed
like any other; the cost of the low bits is the size of the file beyond that.  The two pictures are an ablation: high
and low bits in independent blocks, as in files before the model coded deep samples itself.
"""

import dataclasses
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

import click
import numpy as np
from pixcodecs.container import blocks
from pixcodecs.errors import PixzipError

from bench.common import provenance, round_trip, set_threads, timed, write
from bench.deep.blocks import apart, describe_blocks
from bench.deep.page import page, totals
from bench.pictures.peers import optimised_png
from pixzip import codec, image
from pixzip.image.picture import Picture
from pixzip.image.sources import members
from pixzip.models import library
from pixzip.report import measure
from pixzip.report.codecs import jpeg_ls, jpeg_xl

#: Most bytes of a file beyond the PNG of the same samples.
ALLOWED_BYTES = 24


def jpeg_ls_bytes(picture: Picture) -> int | None:
    """Size of a lossless JPEG-LS file of 16-bit samples; None if JPEG-LS cannot hold them."""
    found = measure.round_trip(jpeg_ls(), picture)
    return found["bytes"] if found["status"] == measure.LOSSLESS else None


def pxz_round_trip(picture: Picture, model: str) -> tuple[bytes, float, float]:
    """(file, encoding seconds, decoding seconds).

    Raises:
        SystemExit: a decoded sample differs.
    """
    options = codec.Options.of(model)
    (file,), encode_s = timed(lambda: codec.compress([picture], options))
    return file, encode_s, check(file, picture, model)


def check(file: bytes, picture: Picture, model: str) -> float:
    """Decode a file and return the seconds.

    Raises:
        SystemExit: the file holds another picture.
    """
    options = codec.Options.of(model, max_pixels=None)
    back, decode_s = timed(lambda: codec.decompress([file], options))
    if back != [picture]:
        raise SystemExit("pixzip did not give the image back")
    return decode_s


def under_model(picture: Picture, bits: int, model: str) -> dict[str, Any]:
    """Sizes and seconds with one model.

    Args:
        bits: number of used bits.
    """
    file, encode_s, decode_s = pxz_round_trip(picture, model)
    two = apart(picture, model)
    check(two, picture, model)
    high_bytes = len(file)
    if bits > 8:
        high = Picture((picture.samples >> (bits - 8)).astype(np.uint8), picture.layout, 8)
        high_bytes = len(pxz_round_trip(high, model)[0])
    return {
        "pxz_bytes": len(file),
        "blocks": describe_blocks(file),
        "high_bytes": high_bytes,
        "low_bytes": len(file) - high_bytes,
        "two_bytes": len(two),
        "two_blocks": describe_blocks(two),
        "encode_s": encode_s,
        "decode_s": decode_s,
    }


def row(name: str, source: bytes, names: list[str], efforts: list[int], threads: int) -> dict[str, Any] | None:
    """The results for one file without its metadata; None if it is no image of more than 8 bits."""
    try:
        loaded = image.load(source, None).picture
    except PixzipError:
        return None
    if loaded.depth <= 8:
        return None
    picture = Picture(loaded.samples, loaded.layout, loaded.depth)
    bits = max(1, int(picture.samples.max()).bit_length())
    told = dataclasses.replace(picture, depth=max(9, bits))
    peers = {effort: round_trip(jpeg_xl(effort, threads), told) for effort in efforts}
    results: dict[bytes, dict[str, Any]] = {}
    for model in names:  # one grey model serves several names
        key = library.resolve(model, 3 if picture.layout.channels >= 3 else 1).model_id
        if key not in results:
            results[key] = {"models": [], **under_model(picture, bits, model)}
        results[key]["models"].append(model)
    return {
        "name": name,
        "folder": PurePosixPath(name).parent.name,
        "width": picture.width,
        "height": picture.height,
        "channels": picture.samples.shape[2],
        "depth": picture.depth,
        "bits": bits,
        "levels": blocks.used_levels(picture.samples, picture.depth).sum(1).tolist(),
        "raw_bytes": -(-picture.samples.size * bits // 8),
        "low_raw_bytes": -(-picture.samples.size * max(0, bits - 8) // 8),
        "png_bytes": len(optimised_png(picture, source)),
        "jpeg_ls_bytes": jpeg_ls_bytes(picture),
        "jxl_bytes": {str(effort): peer[0] for effort, peer in peers.items()},
        "jxl_encode_s": peers[max(peers)][1],
        "results": list(results.values()),
    }


def failures(found: dict[str, Any]) -> Iterator[str]:
    """Yield the promises that an image breaks."""
    for r in found["results"]:
        who = f"{found['name']} by {', '.join(r['models'])}"
        if r["pxz_bytes"] > found["png_bytes"] + ALLOWED_BYTES:
            yield f"{who}: {r['pxz_bytes']} bytes, PNG {found['png_bytes']}"
        if found["bits"] > 8 and r["low_bytes"] > found["low_raw_bytes"]:
            yield f"{who}: low bits take {r['low_bytes']} bytes, raw {found['low_raw_bytes']}"


def warm_up(names: list[str], threads: int) -> None:
    """Load models, compile kernels and start threads, for three digits and for four."""
    ramp = np.add.outer(np.arange(48), np.arange(64))[..., None] * np.array([7, 11, 13])
    for bits, scale in ((12, 1), (16, 16)):
        for channels in (1, 3):
            samples = np.ascontiguousarray((ramp * scale).astype(np.uint16)[..., :channels])
            picture = dataclasses.replace(codec.as_picture(samples), depth=bits)
            round_trip(jpeg_xl(7, threads), picture)
            for model in names:
                pxz_round_trip(picture, model)


@click.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option("--model", "models", default="base", show_default=True, help="Names or paths, comma-separated.")
@click.option("--threads", default=2, show_default=True, help="Of libjxl and of torch.")
@click.option("--jxl-effort", default="7,9", show_default=True, help="Of JPEG XL; times are ratios to the highest.")
@click.option("--only", default="*", show_default=True, metavar="PATTERN", help="Paths in DATA to take.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file; standard output without it.")
@click.option("--page", "target", type=click.Path(path_type=Path), help="Markdown page.")
def main(
    data: Path, models: str, threads: int, jxl_effort: str, only: str, out: Path | None, target: Path | None
) -> None:
    """Measure every image of more than 8 bits in the tar DATA.

    Exit code 1 if an image is changed, is larger than its PNG plus 24 bytes, or has low bits that cost more than raw.
    """
    set_threads(threads)
    names, efforts = models.split(","), [int(effort) for effort in jxl_effort.split(",")]
    result: dict[str, Any] = {
        "benchmark": "deep",
        "title": f"The images of {data.name}" + (f" whose path is like {only}" if only != "*" else ""),
        **provenance([data], names, threads),
        "device": "cpu",
        "jxl_efforts": efforts,
        "files": [],
        "skipped": [],
    }
    warm_up(names, threads)
    for source in members(data, lambda path: fnmatchcase(str(path), only), hidden=True):
        found = row(source.name, source.read(), names, efforts, threads)
        if found is None:
            result["skipped"].append(source.name)
            continue
        result["files"].append(found)
        for r in found["results"]:
            sizes = f"{r['pxz_bytes']:>9,} of {found['raw_bytes']:>9,} raw"
            click.echo(f"{found['name']:60} {sizes}  {r['encode_s']:.1f} s  {r['blocks']}", err=True)
    result["totals"] = totals(result["files"], names)
    result["failures"] = [line for found in result["files"] for line in failures(found)]
    write(out, result)
    if target:
        target.write_text(page(result))
    for line in result["failures"]:
        click.echo(line, err=True)
    if result["failures"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
