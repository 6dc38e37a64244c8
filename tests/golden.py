"""Golden files: what every version must read for ever, and what this one must write.

``python -m tests.golden`` makes the missing ones; it never replaces one.
"""

from pathlib import Path

import numpy as np
from pixcodecs.container import Layout

from pixzip import codec
from pixzip.exact.weights import IntegerWeights, load
from pixzip.picture import Chunk, Picture

FOLDER = Path(__file__).parent / "golden"
#: Files of version 1, whose model was untrained.
SHAPES = {
    "rgb-1x1": (1, 1, 3),
    "rgb-7x9": (7, 9, 3),
    "rgb-24x1": (24, 1, 3),
    "grey-1x1": (1, 1),
    "grey-16x33": (16, 33),
}
#: name of a golden file -> how it was damaged, and a part of the message
BAD = {
    "bad-signature": (lambda d: b"\x88" + d[1:], "not a pixzip file"),
    "bad-version": (lambda d: d[:3] + b"\x02" + d[4:], "header declares|damaged|too early"),
    "bad-header": (lambda d: d[:8] + bytes([d[8] ^ 1]) + d[9:], "header damaged"),
    "bad-payload": (lambda d: d[:-1] + bytes([d[-1] ^ 1]), "block damaged"),
    "bad-truncated": (lambda d: d[:-4], "truncated"),
    "bad-appended": (lambda d: d + b"\0", "too long"),
    "bad-empty": (lambda d: b"", "not a pixzip file"),
}


def weights(channels: int) -> IntegerWeights:
    """The golden model of 1 or 3 channels."""
    return load(FOLDER / f"model-{channels}.safetensors")


def image(shape: tuple[int, ...]) -> np.ndarray:
    """A smooth image with an edge and some noise, from integers alone."""
    flat, state = [], 7
    for i in range(int(np.prod(shape))):
        state = state * 1103515245 + 12345 & 0x7FFFFFFF
        flat.append((i * 2 + (state >> 16) % 9 + (90 if i % 40 > 25 else 0)) % 256)
    return np.array(flat, np.uint8).reshape(shape)


def picture(name: str) -> Picture:
    """The picture that a golden file of version 2 holds."""
    channels = {Layout.RGB: 3, Layout.RGBA: 4, Layout.GREY_ALPHA: 2}
    layout, depth, levels = PICTURES[name]
    c = channels.get(layout, 1)
    flat = image((18, 20, c)).astype(np.int64)
    samples = (flat * 257 if depth == 16 else flat) % levels
    palette = bytes(range(3 * levels)) if layout is Layout.PALETTE else b""
    metadata = (Chunk(b"tEXt", b"Title\0golden"), Chunk(b"pHYs", bytes(9))) if name == "v2-palette" else ()
    return Picture(
        np.ascontiguousarray(samples.astype(np.uint8 if depth <= 8 else np.uint16)), layout, depth, palette,
        b"\x00\x80" if palette else b"", metadata,
    )  # fmt: skip


PICTURES = {
    "v2-rgb": (Layout.RGB, 8, 256),
    "v2-grey": (Layout.GREY, 8, 256),
    "v2-rgba": (Layout.RGBA, 8, 256),
    "v2-grey-alpha": (Layout.GREY_ALPHA, 8, 7),
    "v2-palette": (Layout.PALETTE, 4, 16),
    "v2-bits": (Layout.GREY, 1, 2),
    "v2-constant": (Layout.RGBA, 16, 1),
    "v2-rgb16": (Layout.RGB, 16, 65536),
    "v2-grey12": (Layout.GREY, 12, 4096),
}


def main() -> None:
    for name in PICTURES:
        for suffix, models_only in (("", False), ("-model", True)):
            path = FOLDER / f"{name}{suffix}.pxz"
            if not path.exists():
                path.write_bytes(codec.compress([picture(name)], weights, models_only=models_only)[0])


if __name__ == "__main__":
    main()
