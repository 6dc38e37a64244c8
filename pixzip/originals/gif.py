"""The image data of a GIF file, by any encoder that takes the longest match: `pixcodecs.lzw`."""

from dataclasses import dataclass
from itertools import groupby

import numpy as np
from pixcodecs.errors import BitstreamError
from pixcodecs.primitives import Reader, varint

from pixzip.image.formats.gif_blocks import XMP_TAIL, Block, blocks
from pixzip.image.picture import Frame, Samples

#: Bits of the first symbols.
_LEAST_BITS, _MOST_BITS = 1, 8
_MOST_PART = 255
_INTERLACED = 1
_IMAGE, _PLACE_BYTES = 0x2C, 10
#: First rows, and steps, of the passes of an interlaced image.
_PASSES = ((0, 8), (4, 8), (2, 4), (1, 2))
#: Work of a pixel and of a clear code, in units of zlib's level 6 for a byte.
_PIXEL_WORK, _CLEAR_WORK = 4, 128


@dataclass(frozen=True)
class GifData:
    """How the image data of a GIF file are written.

    Attributes:
        interlaced: whether rows are in the order of four passes.
        bits: bits of the first symbols.
        part: bytes of a sub-block that is not the last.
        clears: (codes, times) runs of the numbers of codes before clear codes, each since the one before it.
    """

    interlaced: bool
    bits: int
    part: int
    clears: tuple[tuple[int, int], ...]

    def pack(self) -> bytes:
        """The wire form."""
        out = bytes([self.interlaced, self.bits, self.part]) + varint(len(self.clears))
        return out + b"".join(varint(codes) + varint(times) for codes, times in self.clears)

    def work(self, frame: Frame) -> int:
        """The work to write them, at most, in units of zlib's level 6 for a byte."""
        return _PIXEL_WORK * frame.width * frame.height + _CLEAR_WORK * sum(times for _, times in self.clears)

    def check(self, frame: Frame) -> None:
        """
        Raises:
            BitstreamError: the picture has no such symbols, or hardly as many as there are clear codes.
        """
        times, pixels = sum(times for _, times in self.clears), frame.width * frame.height
        if frame.layout.channels != 1 or frame.depth > _MOST_BITS:
            raise BitstreamError(f"original is a GIF of {frame.layout.channels} channels of {frame.depth} bits")
        if times > pixels + _MOST_PART:
            raise BitstreamError(f"original is a GIF of {pixels} pixels and {times} clear codes")

    def make(self, samples: Samples, frame: Frame) -> bytes:
        """What follows XMP in a GIF file, and the image data, from the bits of a symbol to the empty sub-block.

        Args:
            samples: (H, W, 1).
        Raises:
            BitstreamError: see `check`; a symbol has too many bits.
        """
        self.check(frame)
        from pixcodecs import lzw  # compiled, which commands such as info do without

        rows = samples[..., 0]
        if self.interlaced:
            rows = np.concatenate([rows[first::step] for first, step in _PASSES])
        codes, times = np.array(self.clears, np.int64).reshape(-1, 2).T
        try:
            stream = lzw.encode(rows.ravel(), self.bits, np.repeat(codes, times))  # type: ignore[arg-type]
        except ValueError as e:
            raise BitstreamError(f"record of the original damaged: {e}") from None
        parts = (stream[at : at + self.part] for at in range(0, len(stream), self.part))
        body = b"".join(bytes([len(part)]) + part for part in parts)
        return XMP_TAIL + bytes([self.bits]) + body + b"\0"

    @staticmethod
    def is_in(original: bytes, made: bytes) -> bool:
        """Whether what `make` gives is in a file."""
        return made[len(XMP_TAIL) :] in original


def read(reader: Reader) -> GifData:
    """The inverse of `GifData.pack`.

    Raises:
        BitstreamError: a field is out of its range.
    """
    interlaced, bits, part = (reader.byte("image data of a GIF") for _ in range(3))
    if interlaced > _INTERLACED or not _LEAST_BITS <= bits <= _MOST_BITS or not part:
        raise BitstreamError(f"original is a GIF of {bits} bits, interlacing {interlaced}, sub-blocks of {part} bytes")
    count = reader.varint("runs of clear codes")
    if count > len(reader.data) - reader.at:
        raise BitstreamError(f"original is a GIF of {count} runs of clear codes")
    runs = tuple((reader.varint("codes"), reader.varint("times")) for _ in range(count))
    return GifData(bool(interlaced), bits, part, runs)


def of_file(data: bytes) -> GifData | None:
    """How the image data of a GIF file may have been written; None if they cannot be read."""
    block = next((b for b in blocks(data) if b.kind == _IMAGE and b.parts), None)
    return block and of_block(data, block)


def of_block(data: bytes, block: Block) -> GifData | None:
    """The same for the image data in a block."""
    from pixcodecs import lzw

    stream = b"".join(block.parts)
    bits, flags = data[block.end - 2 - len(stream) - len(block.parts)], data[block.start + _PLACE_BYTES - 1]
    found = lzw.parse(stream, bits) if _LEAST_BITS <= bits <= _MOST_BITS else None
    if found is None:
        return None
    runs = tuple((codes, len(list(same))) for codes, same in groupby(found.clears))
    return GifData(bool(flags & 0x40), bits, len(block.parts[0]), runs)
