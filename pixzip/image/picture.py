"""A `Picture` is the content of an image file of any format; its `Frame` is the content without the samples.

Samples are those of the file, neither scaled nor converted; all other terms are those of PNG [1].
`pixzip.image` converts files to pictures and back.

[1] Portable Network Graphics (PNG) Specification (Third Edition), W3C, https://www.w3.org/TR/png-3/
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from pixcodecs.container.image import Extra, Header
from pixcodecs.container.image import Layout as Layout
from pixcodecs.errors import BitstreamError

T = TypeVar("T")

Samples = NDArray[np.unsignedinteger[Any]]

MAX_DEPTH = 16
MAX_PALETTE_DEPTH = 8


def sample_dtype(depth: int) -> np.dtype[np.unsignedinteger[Any]]:
    """The dtype that holds samples of `depth` bits: uint8 for up to 8, uint16 above."""
    return np.dtype(np.uint8 if depth <= 8 else np.uint16)


class Chunk(NamedTuple):
    """An ancillary chunk of PNG: its type, four letters of which the first is lower case, and its body."""

    type: bytes
    data: bytes


#: Ancillary chunks that are not metadata: transparency, which has its own field, and frames of an animation.
NOT_METADATA = frozenset({b"tRNS", b"acTL", b"fcTL", b"fdAT"})
#: A mark in the metadata of a picture made from an (H, W, 1) array, so that it comes back as one: a private chunk that
#: PNG files keep and readers ignore.
CHANNEL_AXIS = Chunk(b"pxAx", b"")
#: A mark in the metadata of a picture: the chunks after it came after the samples in their PNG file, and go there.
BEHIND_SAMPLES = Chunk(b"pxAd", b"")
#: Marks that say something about a file and nothing about its picture.
MARKS = frozenset({CHANNEL_AXIS, BEHIND_SAMPLES})


@dataclass(frozen=True)
class Frame:
    """A picture without its samples.

    Args:
        width, height: size in pixels.
        layout: meaning of the channels.
        depth: bits per sample, 1 to 16, for a palette 1 to 8.
        palette: R, G, B of every entry, in the file's order; for `Layout.PALETTE` only.
        transparency: the body of PNG's tRNS: the alpha of the first entries of a palette, or the single
            transparent colour of grey and RGB, two bytes per sample, big-endian.
        metadata: the other ancillary chunks, in the file's order.
    Raises:
        ValueError: the fields contradict each other.
    """

    width: int
    height: int
    layout: Layout
    depth: int
    palette: bytes = b""
    transparency: bytes = b""
    metadata: tuple[Chunk, ...] = ()

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"size is {self.width}x{self.height}, expected at least one pixel")
        most = MAX_PALETTE_DEPTH if self.layout is Layout.PALETTE else MAX_DEPTH
        if not 1 <= self.depth <= most:
            raise ValueError(f"depth is {self.depth}, expected 1 to {most} for {self.layout.name}")
        self._check_colours()
        for chunk in self.metadata:
            name = chunk.type
            if len(name) != 4 or not name.isalpha() or name[:1].isupper() or name in NOT_METADATA:
                raise ValueError(f"metadata has a chunk {name!r}, expected ancillary chunks")

    def _check_colours(self) -> None:
        entries, rest = divmod(len(self.palette), 3)
        limit = 2**self.depth if self.layout is Layout.PALETTE else 0
        if rest or entries > limit or (limit and not entries):
            expected = f"3 bytes for each of 1 to {limit} entries" if limit else "none"
            raise ValueError(f"palette has {len(self.palette)} bytes, expected {expected}")
        size = len(self.transparency)
        if self.layout is Layout.PALETTE and size > entries:
            raise ValueError(f"transparency has {size} bytes for a palette of {entries} entries")
        expected_sizes = {Layout.GREY: (0, 2), Layout.RGB: (0, 6), Layout.PALETTE: (size,)}.get(self.layout, (0,))
        if size not in expected_sizes:
            raise ValueError(f"transparency has {size} bytes, expected {' or '.join(map(str, expected_sizes))}")

    def check_rows(self, rows: Samples) -> None:
        """
        Args:
            rows: (N, W, C), any number of rows, like the samples of `Picture`.
        Raises:
            ValueError: they cannot be rows of such a picture.
        """
        channels = self.layout.channels
        if rows.dtype != self.dtype:
            raise ValueError(f"samples are {rows.dtype}, expected {self.dtype} for depth {self.depth}")
        if rows.ndim != 3 or rows.shape[2] != channels:
            raise ValueError(f"samples have shape {rows.shape}, expected (H, W, {channels}) for {self.layout.name}")
        if rows.shape[1] != self.width:
            raise ValueError(f"rows are {rows.shape[1]} pixels wide, expected {self.width}")
        if not rows.flags.c_contiguous:
            raise ValueError("samples are not C-contiguous")
        if self.depth not in (8, 16) and rows.size and int(rows.max()) >> self.depth:
            raise ValueError(f"samples go up to {rows.max()}, expected less than 2**{self.depth}")

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger[Any]]:
        """The dtype of the picture's samples."""
        return sample_dtype(self.depth)


@dataclass(frozen=True, eq=False)
class Picture:
    """One still image.

    Args:
        samples: (H, W, C) uint8 for depths up to 8, uint16 above; C-contiguous; values below 2**depth.
            For a palette they are indices, which may exceed its length, as in some files.
        layout, depth, palette, transparency, metadata: see `Frame`.
    Raises:
        ValueError: the fields contradict each other.
    """

    samples: Samples
    layout: Layout
    depth: int
    palette: bytes = b""
    transparency: bytes = b""
    metadata: tuple[Chunk, ...] = ()

    def __post_init__(self) -> None:
        x = self.samples
        if x.ndim != 3 or not x.size:
            raise ValueError(f"samples have shape {x.shape}, expected (H, W, {self.layout.channels})")
        self.frame.check_rows(x)

    @property
    def frame(self) -> Frame:
        """The picture without its samples."""
        return Frame(self.width, self.height, *self._fields())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Picture):
            return NotImplemented
        return self._fields() == other._fields() and np.array_equal(self.samples, other.samples)

    def __hash__(self) -> int:
        return hash((self._fields(), self.samples.tobytes()))

    def _fields(self) -> tuple[Layout, int, bytes, bytes, tuple[Chunk, ...]]:
        return self.layout, self.depth, self.palette, self.transparency, self.metadata

    @property
    def height(self) -> int:
        return int(self.samples.shape[0])

    @property
    def width(self) -> int:
        return int(self.samples.shape[1])

    @property
    def pixels(self) -> int:
        """The number of pixels."""
        return self.height * self.width


def framed(header: Header, make: Callable[..., T]) -> T:
    """Call `make` with a header's layout, depth, palette, transparency and metadata.

    Raises:
        BitstreamError: `make` raises ValueError, because the header contradicts itself.
    """
    palette = b"".join(body for kind, body in header.extras if kind is Extra.PALETTE)
    transparency = b"".join(body for kind, body in header.extras if kind is Extra.TRANSPARENCY)
    chunks = tuple(Chunk(body[:4], body[4:]) for kind, body in header.extras if kind is Extra.CHUNK)
    try:
        return make(header.layout, header.depth, palette, transparency, chunks)
    except ValueError as e:
        raise BitstreamError(f"file contradicts itself: {e}") from None


def frame_of(header: Header) -> Frame:
    """The `Frame` that a file's header describes.

    Raises:
        BitstreamError: the header contradicts itself.
    """
    return framed(header, lambda *fields: Frame(header.width, header.height, *fields))
