"""Golden files, which every version must read for ever, and this one must write.

``python -m tests.helpers.golden`` creates missing files; it never replaces a file.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
from pixcodecs.container.image import Layout

from pixzip import codec
from pixzip.codec import tiles
from pixzip.image.picture import Chunk, Picture
from pixzip.models.registry import load_wavefront as load
from pixzip.models.wavefront.weights import IntegerWeights

FOLDER = Path(__file__).parents[1] / "golden"
#: Files of version 1, with an untrained model.
SHAPES = {
    "rgb-1x1": (1, 1, 3),
    "rgb-7x9": (7, 9, 3),
    "rgb-24x1": (24, 1, 3),
    "grey-1x1": (1, 1),
    "grey-16x33": (16, 33),
}
#: Files of version 2 made by an encoder: layout, depth, levels.
PICTURES = {
    "v2-rgb": (Layout.RGB, 8, 256),
    "v2-grey": (Layout.GREY, 8, 256),
    "v2-rgba": (Layout.RGBA, 8, 256),
    "v2-grey-alpha": (Layout.GREY_ALPHA, 8, 7),
    "v2-palette": (Layout.PALETTE, 4, 16),
    "v2-palette1": (Layout.PALETTE, 1, 2),
    "v2-palette2": (Layout.PALETTE, 2, 4),
    "v2-palette8": (Layout.PALETTE, 8, 256),
    "v2-bits": (Layout.GREY, 1, 2),
    "v2-grey2": (Layout.GREY, 2, 4),
    "v2-grey4": (Layout.GREY, 4, 16),
    "v2-grey12": (Layout.GREY, 12, 4096),
    "v2-grey16": (Layout.GREY, 16, 65536),
    "v2-grey-key": (Layout.GREY, 8, 256),
    "v2-grey-alpha12": (Layout.GREY_ALPHA, 12, 4096),
    "v2-grey-alpha16": (Layout.GREY_ALPHA, 16, 65536),
    "v2-rgb5": (Layout.RGB, 5, 32),
    "v2-rgb16": (Layout.RGB, 16, 65536),
    "v2-rgb-key": (Layout.RGB, 8, 200),
    "v2-rgba16": (Layout.RGBA, 16, 65536),
    "v2-constant": (Layout.RGBA, 16, 1),
    "v2-tiles": (Layout.RGB, 8, 256),
    "v2-rgba-of-models": (Layout.RGBA, 8, 251),
}


def weights(channels: int) -> IntegerWeights:
    """The golden model for 1 or 3 channels."""
    return load(FOLDER / f"model-{channels}.safetensors")


def image(shape: tuple[int, ...]) -> np.ndarray:
    """A smooth image with an edge and some noise, computed with integers only."""
    flat, state = [], 7
    for i in range(int(np.prod(shape))):
        state = state * 1103515245 + 12345 & 0x7FFFFFFF
        flat.append((i * 2 + (state >> 16) % 9 + (90 if i % 40 > 25 else 0)) % 256)
    return np.array(flat, np.uint8).reshape(shape)


def picture(name: str) -> Picture:
    """The picture in a golden file of version 2."""
    layout, depth, levels = PICTURES[name]
    height, width = (34, 40) if name == "v2-tiles" else (18, 20)
    flat = image((height, width, layout.channels)).astype(np.int64)
    samples = (flat * 257 if depth == 16 else flat) % levels
    palette, transparency, metadata = b"", b"", ()
    if layout is Layout.PALETTE:
        palette, transparency = bytes(i % 256 for i in range(3 * levels)), b"\x00\x80"
        metadata = (Chunk(b"tEXt", b"Title\0golden"), Chunk(b"pHYs", bytes(9)))
    elif name.endswith("-key"):
        transparency = b"\x00\x09" * layout.channels
    samples = np.ascontiguousarray(samples.astype(np.uint8 if depth <= 8 else np.uint16))
    return Picture(samples, layout, depth, palette, transparency, metadata)


def _all() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Name of each golden file -> function that makes it."""
    from tests.helpers import (
        golden_bad,
        golden_blocks,
        golden_kept,
        golden_models,
        golden_originals,
        golden_page_originals,
        golden_pages,
        golden_stacks,
    )

    for name in PICTURES:
        for suffix, models_only in (("", False), ("-model", True)):
            yield f"{name}{suffix}", partial(_encoded, name, models_only)
    for name, made in golden_blocks.BLOCKS.items():
        yield name, made.file
    for name, made_stack in golden_stacks.STACKS.items():
        yield name, made_stack.file
    for name, made_original in {**golden_originals.ORIGINALS, **golden_originals.BAD_ORIGINALS}.items():
        yield name, made_original.make
    for name, keeping in golden_kept.KEPT.items():
        yield name, keeping.file
    for name in golden_pages.PAGES:
        yield name, partial(golden_pages.encoded, name)
    for name, (made_pages, _) in golden_page_originals.PAGE_ORIGINALS.items():
        yield name, made_pages
    for name, bad_record in golden_page_originals.BAD_PAGE_ORIGINALS.items():
        yield name, bad_record.make
    yield from golden_models.made().items()
    bad_files = {**golden_bad.BAD, **golden_stacks.BAD_STACKS, **golden_kept.BAD_KEPT, **golden_pages.BAD_PAGES}
    for name, bad in bad_files.items():
        yield name, bad.make


def _encoded(name: str, models_only: bool) -> bytes:
    small = {"TILE_SIDE": 20, "WHOLE_PIXELS": 1} if name == "v2-tiles" else {"TILE_SIDE": tiles.TILE_SIDE}
    with patch.multiple(tiles, **small):
        return codec.compress([picture(name)], codec.Options(weights, models_only=models_only))[0]


def main() -> None:
    for name, make in _all():
        path = FOLDER / f"{name}.pxz"
        if not path.exists():
            path.write_bytes(make())


if __name__ == "__main__":
    main()
