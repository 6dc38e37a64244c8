"""Pictures of every layout and depth, made from seeds, and images saved by Pillow."""

import io
from typing import Any

import numpy as np
from PIL import Image

from pixzip.image.picture import Chunk, Layout, Picture, sample_dtype

DEPTHS = {layout: range(1, 9 if layout is Layout.PALETTE else 17) for layout in Layout}
EVERY = [(layout, depth) for layout in Layout for depth in DEPTHS[layout]]
ICC = b"a profile" * 9
XMP = b"<x:xmpmeta>\xc3\xa9</x:xmpmeta>"


def picture(layout: Layout, depth: int, height: int = 5, width: int = 7, seed: int = 0, **fields: Any) -> Picture:
    """Noise; a palette has as many entries as its indices need."""
    rng = np.random.default_rng(seed)
    samples = rng.integers(0, 2**depth, (height, width, layout.channels)).astype(sample_dtype(depth))
    if layout is Layout.PALETTE:
        fields.setdefault("palette", rng.integers(0, 256, 3 * (int(samples.max()) + 1), np.uint8).tobytes())
    return Picture(samples, layout, depth, **fields)


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def types(chunks: tuple[Chunk, ...]) -> list[bytes]:
    return [chunk.type for chunk in chunks]
