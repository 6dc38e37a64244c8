"""Make training images of drawings: half of a set of sprites, icons and screenshots, with small ones on sheets.

    python -m bench.pictures.sheets graphics.tar sheets --channels 3
    python -m bench.pictures.sheets graphics.tar sheets-grey --channels 1

A file's path alone determines its half: `trained_on`.  `bench/pictures/measure.py` reports both halves.
"""

import io
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixzip.image.sources import members

Plane = NDArray[np.uint8]

#: Side of crops; smaller images are put on sheets.
SMALLEST = 64
SHEET = 256


def trained_on(name: str) -> bool:
    """Whether the `graphics` models may have been trained on the file of this path in its tar."""
    return zlib.crc32(name.partition("/")[2].encode()) % 2 == 0


def planes(image: Image.Image, channels: int) -> Plane | None:
    """(H, W, 3) colours; or (H, W, 1) indices of palettes, alpha, or grey; None if there is no such plane."""
    if channels == 3:
        shown = image if image.mode == "RGBA" else image.convert("RGBA").convert("RGB")
        return np.asarray(shown)[..., :3]
    if image.mode not in ("P", "RGBA", "LA", "L"):
        return None
    found = np.asarray(image)
    found = found if found.ndim == 2 else found[..., -1]
    return None if (found == found[0, 0]).all() else found[..., None]


def sheet(sprites: list[Plane], rng: np.random.Generator) -> Plane:
    """(256, 256, C) rows of randomly chosen sprites, cut at the edges."""
    out = np.zeros((SHEET, SHEET, sprites[0].shape[2]), np.uint8)
    y = 0
    while y < SHEET:
        x, tallest = 0, 0
        while x < SHEET:
            sprite = sprites[rng.integers(len(sprites))][: SHEET - y, : SHEET - x]
            h, w, _ = sprite.shape
            out[y : y + h, x : x + w] = sprite
            x, tallest = x + w, max(tallest, h)
        y += tallest
    return out


def sheets(data: Path, channels: int, *, trained: bool = True) -> Iterator[tuple[str, Plane]]:
    """Yield (name, (H, W, C)) of the training half, or of the other one."""
    small: dict[str, list[Plane]] = {}
    for source in members(data, hidden=True):
        if trained_on(source.name) != trained:
            continue
        with Image.open(io.BytesIO(source.read())) as image:
            found = planes(image, channels)
            kind = PurePosixPath(source.name).parent.name if channels == 3 else image.mode
        if found is None:
            continue
        if min(found.shape[:2]) >= SMALLEST:
            yield source.name.replace("/", "_"), found
        else:
            small.setdefault(kind, []).append(found)
    rng = np.random.default_rng(0)
    for kind, sprites in small.items():
        for i in range(max(2, len(sprites) // (12 if channels == 3 else 6))):
            yield f"sheet_{kind}_{i}.png", sheet(sprites, rng)


@click.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--channels", type=click.Choice(["1", "3"]), default="3", show_default=True)
def main(data: Path, out: Path, channels: str) -> None:
    """Write the training half of the tar DATA to the folder OUT."""
    out.mkdir(parents=True, exist_ok=True)
    for name, found in sheets(data, int(channels)):
        Image.fromarray(found if found.shape[2] == 3 else found[..., 0]).save(out / name)


if __name__ == "__main__":
    main()
