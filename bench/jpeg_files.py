"""Measure kept JPEG files: a set of qualities and modes made from photographs, each decoded and compared.

python bench/jpeg_files.py photos-train-0.tar photos-valid.tar --out bench/results/jpeg_files.json
"""

import io
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import click
from common import provenance, write
from PIL import Image
from pixcodecs.container import kept as container

from pixzip.codec import kept
from pixzip.image.sources import is_image_name, sources

QUALITIES = (75, 80, 85, 90, 95)
SUBSAMPLINGS = {"4:2:0": 2, "4:4:4": 0}
MODES = {"baseline": {}, "progressive": {"progressive": True}}


def crops(data: Path, count: int, side: int) -> list[Image.Image]:
    """The middles of `count` photographs that are spread evenly over a set, or of all of a smaller one."""
    total = sum(1 for _ in sources([data], is_image_name))
    wanted = {i * total // count for i in range(count)}
    found = []
    for i, source in enumerate(sources([data], is_image_name)):
        if i not in wanted:
            continue
        with Image.open(io.BytesIO(source.read())) as opened:
            left, top = (max(0, size - side) // 2 for size in opened.size)
            right, bottom = (min(start + side, size) for start, size in zip((left, top), opened.size, strict=True))
            found.append(opened.convert("RGB").crop((left, top, right, bottom)))
    return found


def jpeg(image: Image.Image, quality: int, subsampling: str, mode: str) -> bytes:
    image.save(out := io.BytesIO(), "JPEG", quality=quality, subsampling=SUBSAMPLINGS[subsampling], **MODES[mode])
    return out.getvalue()


def measure(images: list[Image.Image]) -> dict[str, Any]:
    """Bytes of the JPEGs and of the files that keep them, by quality, subsampling and mode.

    Raises:
        SystemExit: a file does not come back.
    """
    rows = []
    for quality, subsampling, mode in product(QUALITIES, SUBSAMPLINGS, MODES):
        files = [jpeg(image, quality, subsampling, mode) for image in images]
        packed = [kept.keep(file) for file in files]
        if [kept.restore(file) for file in packed] != files:
            raise SystemExit(f"quality {quality}, {subsampling}, {mode}: a JPEG does not come back")
        row = {"quality": quality, "subsampling": subsampling, "mode": mode, "files": len(files)}
        before, after = sum(map(len, files)), sum(map(len, packed))
        methods = Counter(container.read_header(file).method.name for file in packed)
        rows.append({**row, "jpeg_bytes": before, "bytes": after, "ratio": after / before, "methods": dict(methods)})
        click.echo(f"quality {quality}, {subsampling}, {mode}: {after / before:.4f}", err=True)
    megapixels = sum(image.width * image.height for image in images) / 1e6
    return {"images": len(images), "megapixels": megapixels, "rows": rows, "total": total(rows)}


def total(rows: list[dict[str, Any]]) -> dict[str, Any]:
    before, after, files = (sum(row[key] for row in rows) for key in ("jpeg_bytes", "bytes", "files"))
    return {"files": files, "jpeg_bytes": before, "bytes": after, "ratio": after / before}


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--images", default=24, show_default=True, help="Photographs of each set, evenly spread.")
@click.option("--side", default=768, show_default=True, help="Most pixels of the sides of their middles.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file; standard output without it.")
def main(data: tuple[Path, ...], images: int, side: int, out: Path | None) -> None:
    """Keep JPEGs made of photographs, and compare bytes."""
    origin = provenance(data, [], 1)
    sets = {path.stem: measure(crops(path, images, side)) for path in data}
    rows = [row for found in sets.values() for row in found["rows"]]
    modes = {mode: total([row for row in rows if row["mode"] == mode]) for mode in MODES}
    write(out, {"benchmark": "jpeg-files", **origin, "sets": sets, "modes": modes, "total": total(rows)})


if __name__ == "__main__":
    main()
