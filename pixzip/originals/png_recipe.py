"""The recipe of a PNG file: what its picture does not say of the file's bytes.

These are the types of filters and the interlacing, the encoder of the deflate stream, the sizes of the IDAT chunks, and
the order of all chunks.  Chunks that the picture holds are named, others are kept as they are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pixcodecs.errors import BitstreamError
from pixcodecs.primitives import Reader, deflate, inflate, varint

from pixzip.image.formats.png_chunks import COLOURS, HEAD
from pixzip.image.picture import MARKS, Chunk, Frame
from pixzip.originals import deflaters, scanlines
from pixzip.originals.deflaters import Spec

#: Operations that write chunks: IEND, those that the picture holds, all IDAT chunks, one that follows here; the end.
END, HEADER, PALETTE, TRANSPARENCY, METADATA, SAMPLES, OTHER, STOP = range(8)
_INTERLACED = 1


@dataclass(frozen=True)
class Recipe:
    """
    Attributes:
        header: the first two bytes of the zlib stream.
        spec: its encoder.
        idat: sizes of the IDAT chunks: one for all of them but the last, which is not larger, or 0 for one chunk; or
            the size of each.
        filters: the type of every row, of all passes.
        surplus: data of the zlib stream behind the samples.
        behind: bytes of the IDAT chunks behind the zlib stream.
        chunks: operations, as they are in the file.
        rest: bytes behind IEND.
    """

    interlaced: bool
    header: bytes
    spec: Spec
    idat: int | tuple[int, ...]
    filters: bytes
    surplus: bytes
    behind: bytes
    chunks: bytes = b""
    rest: bytes = b""

    def pack(self) -> bytes:
        """The wire form."""
        sizes = (self.idat,) if isinstance(self.idat, int) else self.idat
        count = 0 if isinstance(self.idat, int) else len(sizes)
        out = bytes([self.interlaced]) + self.header + self.spec.pack()
        out += varint(count) + b"".join(map(varint, sizes))
        if len(set(self.filters)) == 1:
            out += self.filters[:1]
        else:
            out += bytes([scanlines.FILTERS]) + _sized(deflate(self.filters))
        return out + _sized(self.surplus) + _sized(self.behind) + self.chunks + self.rest


def _sized(data: bytes) -> bytes:
    return varint(len(data)) + data


def read(data: bytes, frame: Frame) -> Recipe:
    """The inverse of `Recipe.pack`.

    Raises:
        BitstreamError: the recipe is damaged.
    """
    reader = Reader(data)
    found, start = read_samples(reader, frame), reader.at
    for _ in operations(reader, frame):
        pass
    return replace(found, chunks=data[start : reader.at], rest=reader.rest())


def read_samples(reader: Reader, frame: Frame) -> Recipe:
    """The part of a recipe before the chunks: how the samples are coded.

    Raises:
        BitstreamError: the recipe is damaged.
    """
    flags, header = reader.byte("interlacing"), reader.take(2, "header of zlib")
    if flags > _INTERLACED:
        raise BitstreamError(f"recipe of a PNG has the flags {flags}, expected 0 or 1")
    spec = deflaters.read(reader)
    count = reader.varint("number of IDAT chunks")
    if count > len(reader.data):
        raise BitstreamError(f"recipe of {len(reader.data)} bytes declares {count} IDAT chunks")
    sizes = tuple(reader.varint("size of an IDAT chunk") for _ in range(max(1, count)))
    rows = sum(p.height for p in scanlines.passes(frame, bool(flags)))
    filters = _filters(reader, rows)
    surplus, behind = (reader.take(reader.varint("length of a part"), "parts of a PNG") for _ in range(2))
    return Recipe(bool(flags), header, spec, sizes if count else sizes[0], filters, surplus, behind)


def _filters(reader: Reader, rows: int) -> bytes:
    form = reader.byte("type of filters")
    if form > scanlines.FILTERS:
        raise BitstreamError(f"recipe of a PNG has filters of type {form}, expected at most {scanlines.FILTERS}")
    if form < scanlines.FILTERS:
        return bytes([form]) * rows
    filters = inflate(reader.take(reader.varint("length of filters"), "filters"), rows, "filters")
    if len(filters) != rows or max(filters) >= scanlines.FILTERS:
        raise BitstreamError(f"recipe of a PNG has {len(filters)} filters, expected {rows}, each 0 to 4")
    return filters


def operations(reader: Reader, frame: Frame, interlaced: bool = False) -> Iterator[Chunk]:
    """Yield the chunks of the file in their order; the samples as one chunk IDAT without a body.

    Args:
        reader: stands at the first operation.
    Raises:
        BitstreamError: an operation is unknown, or its chunk is not in the picture.
    """
    at, samples, own = 0, False, {HEADER, PALETTE, TRANSPARENCY}
    metadata = _metadata(frame)
    while (operation := reader.byte("operation of a PNG")) not in (END, STOP):
        if operation == METADATA and at < len(metadata):
            yield metadata[at]
            at += 1
        elif operation == SAMPLES and not samples:
            samples = True
            yield Chunk(b"IDAT", b"")
        elif operation == OTHER:
            kind = reader.take(4, "type of a chunk")
            yield Chunk(kind, reader.take(reader.varint("length of a chunk"), "body of a chunk"))
        elif operation in own:
            own.remove(operation)
            yield _own(frame, interlaced)[operation - 1]
        else:
            raise BitstreamError(f"operation {operation} of a PNG is unknown, or names what the picture does not have")
    if not samples:
        raise BitstreamError("recipe of a PNG has no place for the samples")
    if operation == END:
        yield Chunk(b"IEND", b"")


def _metadata(frame: Frame) -> list[Chunk]:
    """The chunks of a picture that are no marks of pixzip's own."""
    return [chunk for chunk in frame.metadata if chunk not in MARKS]


def _own(frame: Frame, interlaced: bool) -> list[Chunk]:
    """IHDR, PLTE and tRNS of a picture."""
    head = HEAD.pack(frame.width, frame.height, frame.depth, COLOURS[frame.layout], 0, 0, interlaced)
    return [Chunk(b"IHDR", head), Chunk(b"PLTE", frame.palette), Chunk(b"tRNS", frame.transparency)]


def operations_for(chunks: Sequence[Chunk], frame: Frame, interlaced: bool) -> bytes:
    """The operations that write chunks; the IDAT chunks are one without a body."""
    own, out, at = _own(frame, interlaced), bytearray(), 0
    left, metadata = set(own), _metadata(frame)
    for chunk in chunks:
        if chunk == (b"IDAT", b""):
            out.append(SAMPLES)
        elif chunk in left:
            left.remove(chunk)
            out.append(own.index(chunk) + 1)
        elif at < len(metadata) and chunk == metadata[at]:
            out.append(METADATA)
            at += 1
        elif chunk == (b"IEND", b""):
            out.append(END)
        else:
            out += bytes([OTHER]) + chunk.type + _sized(chunk.data)
    return bytes(out) if out[-1] == END else bytes([*out, STOP])
