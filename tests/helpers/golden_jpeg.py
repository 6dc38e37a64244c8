"""Blocks of kind 14, JPEG inside: good golden ones of random coefficients, bad golden ones, and forged ones."""

from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType
from typing import Any

import numpy as np
from pixcodecs.container import blocks
from pixcodecs.container.blocks import Kind, Samples
from pixcodecs.container.image import Layout as Channels
from pixcodecs.jpeg import block as jpeg
from pixcodecs.jpeg.layout import Layout
from pixcodecs.jpeg.tables import Table, standard
from pixcodecs.primitives import Reader, varint

_STANDARD: tuple[Table, ...] = (standard(80, False), standard(80, True))
_UNEVEN: tuple[Table, ...] = tuple(table + np.arange(64) % 7 for table in _STANDARD)


def random_planes(layout: Layout, height: int, width: int, seed: int) -> jpeg.Planes:
    """Coefficients of low frequencies, most of them small."""
    rng, planes = np.random.default_rng(seed), []
    for size in layout.blocks(height, width):
        plane = np.zeros((*size, 64), np.int16)
        plane[..., :20] = (
            rng.integers(-2, 3, (*size, 20)) * rng.integers(0, 2, (*size, 20)) * rng.integers(0, 3, (*size, 20))
        )
        plane[..., 0] = rng.integers(-40, 40, size)
        planes.append(plane)
    return planes


def _made(channels: int, height: int, width: int, layout: Layout, wrong: int = 0) -> tuple[Samples, bytes]:
    """Samples, some of which are wrong, and their block."""
    planes = random_planes(layout, height, width, channels)
    samples, rng = jpeg.decoded(layout, planes, (height, width, channels)), np.random.default_rng(1)
    for _ in range(wrong):
        y, x, c = (int(rng.integers(n)) for n in samples.shape)
        samples[y, x, c] ^= int(rng.integers(1, 8))
    return samples, blocks.foreign(Kind.JPEG, jpeg.encode(layout, planes, samples)[0])


def good() -> dict[str, tuple[Samples, bytes]]:
    """Name of a golden file -> its samples and its block."""
    return {
        "v2-jpeg": _made(3, 21, 35, Layout(2, False, 0, 0, False, False, _STANDARD)),
        "v2-jpeg-corrected": _made(3, 26, 19, Layout(0, False, 3, 5, False, False, _STANDARD), 40),
        "v2-jpeg-cut": _made(3, 30, 33, Layout(2, False, 11, 6, True, True, _STANDARD), 9),
        "v2-jpeg-plain": _made(3, 17, 23, Layout(1, True, 0, 9, False, False, _STANDARD)),
        "v2-jpeg-tables": _made(3, 19, 18, Layout(3, False, 0, 0, False, True, _UNEVEN), 3),
        "v2-jpeg-grey": _made(1, 20, 18, Layout(0, False, 0, 0, False, False, _STANDARD[:1]), 2),
    }


def bad(block_of: Callable[[str], bytes]) -> dict[str, tuple[str, Callable[[], bytes], dict[str, Any]]]:
    """Name of a bad block -> a part of the error's message, the block, and the picture if it is not 4 x 3 grey pixels.

    Args:
        block_of: the block of a golden file.
    """

    def changed(
        changes: Mapping[int, int | bytes] = MappingProxyType({}), end: int | None = None
    ) -> Callable[[], bytes]:  # fmt: skip
        """A good block of 35 x 21 pixels with other fields: three bytes and two varints."""

        def block() -> bytes:
            reader = Reader(block_of("v2-jpeg"), 1)
            fields: list[bytes] = [reader.take(1, "head") for _ in range(3)]
            fields += [varint(reader.varint("number")) for _ in range(2)]
            for i, value in changes.items():
                fields[i] = value if isinstance(value, bytes) else bytes([value])
            return bytes([Kind.JPEG]) + b"".join(fields) + reader.rest()[:end]

        return block

    rgb = {"layout": Channels.RGB, "sides": (35, 21)}
    end = "JPEG block damaged: its payload does not end where it should"
    no_table = b"\x0e\0\0\0"
    return {
        "jpeg-depth": ("JPEG block has samples of 4 bits", changed(), {"depth": 4}),
        "jpeg-layout": ("JPEG block has layout 0x20", changed({0: 0x20}), rgb),
        "jpeg-layout-grey": ("JPEG block has layout 0x04, which 1 channels cannot have", changed({0: 4}), {}),
        "jpeg-channels": ("which 2 channels cannot have", changed(), {"layout": Channels.GREY_ALPHA}),
        "jpeg-offset": ("JPEG block starts at row 8 and column 0 of 8x8", changed({0: 0, 1: 0x80}), rgb),
        "jpeg-quality": ("JPEG block has quality 101, expected 0 to 100", changed({2: 101}), rgb),
        "jpeg-table": ("JPEG block has a table with a zero", lambda: no_table + bytes(64), {}),
        "jpeg-table-cut": ("file ends too early, at the table of a JPEG", lambda: no_table + bytes(63), {}),
        "jpeg-corrected": ("JPEG block corrects 736 of 35x21 pixels", changed({3: varint(736)}), rgb),
        "jpeg-decisions-few": ("JPEG block has 100 decisions in", changed({4: varint(100)}), rgb),
        "jpeg-decisions-many": ("which cannot be", changed({4: varint((1 << 35) - 1)}), rgb),
        "jpeg-decisions-wrong": (end, changed({4: varint(5000)}), rgb),
        "jpeg-odd": ("expected a multiple of 4", changed(end=-1), rgb),
        "jpeg-cut": (end, changed(end=-8), rgb),
        "jpeg-long": (end, lambda: block_of("v2-jpeg") + bytes(8), rgb),
        "jpeg-count": ("JPEG block damaged: it does not correct 1 pixels", changed({3: 1}), rgb),
    }


def random_body(rng: Random, shape: tuple[int, int, int]) -> bytes:
    """The body of a JPEG inside: any head, and decisions that may be as many as there are."""
    h, w, c = shape
    head = bytes([rng.choice((0, rng.randrange(32) if c == 3 else 0, 255)), rng.choice((0, 0x77, rng.randrange(256)))])
    quality = rng.choice((0, 50, 100, 101))
    tables = rng.randbytes(64 if c == 1 else 128) if quality == 0 else b""
    corrected = rng.choice((0, 1, h * w, h * w + 1))
    made = rng.choice((13 * c, 14, 64)) * (-(-h // 8) + 1) * (-(-w // 8) + 1)
    payload = rng.randbytes(4 * rng.randrange(made % 99 + 1))
    return head + bytes([quality]) + tables + varint(corrected) + varint(made) + payload
