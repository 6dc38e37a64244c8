"""PNG files: find the recipe of one, and write it again."""

import contextlib
import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from pixcodecs.errors import BitstreamError, PixzipError
from pixcodecs.primitives import Reader, varint

from pixzip.image.formats.png_chunks import SIGNATURE
from pixzip.image.picture import Chunk
from pixzip.originals import deflaters, patch, png_recipe, scanlines
from pixzip.originals.deflate_search import BEGINNING_BYTES, Beginning, Search
from pixzip.originals.deflaters import Kind, Spec
from pixzip.originals.png_recipe import Recipe
from pixzip.originals.record import Reason, Trial
from pixzip.originals.source import Output, RebuildError, Source

_PIECE_BYTES = 1 << 16
#: First byte of a recipe that is another one and a patch.
_PATCHED = 2
#: Files of fewer bytes get a patch whatever their encoder; the encoder that the patch corrects.
_SMALL_BYTES, _USUAL = 1 << 12, Spec(Kind.ZLIB, 6, 0, 8, 15)
#: Most bytes of a patch: these, or this part of the original.
_LEAST_PATCH, _MOST_PATCH = 256, 4
#: A larger file is patched only if this part of it, at its beginning, needs no patch: behind a difference, all bits of
#: a stream are shifted.
_QUICK_BYTES, _LEAST_AGREED = 1 << 16, 2
_CRC_BYTES = _ADLER_BYTES = 4
#: Most bytes that are inflated at once, and most behind the samples.
_MOST_INFLATED, MOST_SURPLUS = 1 << 20, 1 << 16


def recipes(file: BinaryIO, source: Source, thoroughness: int) -> Iterator[Trial | Reason]:
    """Yield recipes to try, the likeliest first, or the reason why there is none.

    Args:
        file: a PNG file that the picture was read from.
        thoroughness: see `deflate_search.Search`.
    """
    frame = source.frame
    chunks, spans, rest = _parse(file)
    interlaced = chunks[0].data[12:] == b"\1"
    stream = Stream(file, spans)
    rows = [
        (1 + scanlines.row_bytes(frame, p.width), p.height) for p in scanlines.passes(frame, interlaced)
    ]  # fmt: skip
    filters, surplus = stream.filters(rows)
    if len(surplus) > MOST_SURPLUS or max(filters) >= scanlines.FILTERS:
        yield Reason.FORM
        return
    operations = png_recipe.operations_for(chunks, frame, interlaced)
    sizes = sizes_of([size for _, size in spans])
    search = Search(stream.beginning, thoroughness)
    content = len(operations) - len(chunks) + len(surplus) + len(stream.behind) + len(rest)

    def recipe(spec: Spec) -> bytes:
        head, behind = stream.beginning.header, stream.behind
        return Recipe(interlaced, head, spec, sizes, filters, surplus, behind, operations, rest).pack()

    for spec in search:
        if source.is_large and spec.wants_all:
            yield Reason.LARGE
            return
        yield Trial(recipe(spec), content, search.learn)
    if not source.is_large and _is_patchable(file, search):
        yield from _patched(file, source, recipe(search.near or _USUAL), content)
    yield Reason.DEFLATE


def _is_patchable(file: BinaryIO, search: Search) -> bool:
    """Whether little may be to be corrected in what another encoder writes."""
    size = file.seek(0, io.SEEK_END)
    if search.near is None or size <= _QUICK_BYTES:
        return search.near is not None or size < _SMALL_BYTES
    return search.near.kind is Kind.STORED or search.near_bytes >= size // _LEAST_AGREED


def _patched(file: BinaryIO, source: Source, recipe: bytes, content: int) -> Iterator[Trial]:
    """Yield a recipe that corrects what another one writes, if little is to be corrected."""
    file.seek(0)
    original, made = file.read(), io.BytesIO()
    with contextlib.suppress(PixzipError):
        write(recipe, source, Output(made, 2 * len(original) + _SMALL_BYTES, None))
        found = patch.make(original, made.getvalue())
        if len(found) <= max(_LEAST_PATCH, len(original) // _MOST_PATCH):
            yield Trial(bytes([_PATCHED]) + varint(len(recipe)) + recipe + found, content)


def _parse(file: BinaryIO) -> tuple[list[Chunk], list[tuple[int, int]], bytes]:
    """The chunks, with one IDAT without a body; (offset, size) of the IDAT chunks; the bytes behind IEND."""
    chunks: list[Chunk] = []
    spans: list[tuple[int, int]] = []
    file.seek(len(SIGNATURE))
    while len(head := file.read(8)) == 8:
        size, kind = int.from_bytes(head[:4]), head[4:]
        if kind == b"IDAT":
            if not spans:
                chunks.append(Chunk(kind, b""))
            spans.append((file.tell(), size))
            file.seek(size + _CRC_BYTES, 1)
            continue
        chunks.append(Chunk(kind, file.read(size)))
        file.seek(_CRC_BYTES, 1)
        if kind == b"IEND":
            break
    return chunks, spans, file.read()


def sizes_of(sizes: list[int]) -> int | tuple[int, ...]:
    """The sizes of IDAT chunks in the form of a recipe."""
    if len(sizes) == 1 and sizes[0]:
        return 0
    first, last = sizes[0], sizes[-1]
    return first if sizes[:-1] == [first] * (len(sizes) - 1) and 0 < last <= first else tuple(sizes)


class Stream:
    """The zlib stream in the IDAT chunks.

    Attributes:
        beginning: its beginning.
        behind: bytes of the chunks behind it.
    """

    beginning: Beginning
    behind: bytes = b""

    def __init__(self, file: BinaryIO, spans: list[tuple[int, int]]) -> None:
        self._file, self._spans = file, spans
        self._unused = 0

    def filters(self, rows: list[tuple[int, int]]) -> tuple[bytes, bytes]:
        """The types of the filters, and the data behind the samples.

        Args:
            rows: (bytes of a row, number of rows) of each pass.
        """
        lengths = (size for size, count in rows for _ in range(count))
        out, body, data, surplus = bytearray(), bytearray(), bytearray(), bytearray()
        left, wait, total = sum(size * count for size, count in rows), 0, 0
        for piece, given in self._inflated():
            if len(body) < 2 * BEGINNING_BYTES:
                body += piece
            data += given[: BEGINNING_BYTES - len(data)]
            total += len(given)
            part, more = given[:left], given[left:]
            left -= len(part)
            surplus += more
            if len(surplus) > MOST_SURPLUS:
                break
            while wait < len(part):
                out.append(part[wait])
                wait += next(lengths)
            wait -= len(part)
        if total == len(data):
            body = body[: len(body) - self._unused - _ADLER_BYTES]
        self.beginning = Beginning(bytes(body[:2]), bytes(data), bytes(body[2:]), total)
        return bytes(out), bytes(surplus)

    def _inflated(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield pieces of the stream, or nothing, and data that follow from them."""
        inflater, left = zlib.decompressobj(), self._pieces()
        for piece in left:
            yield piece, inflater.decompress(piece, _MOST_INFLATED)
            while inflater.unconsumed_tail:
                yield b"", inflater.decompress(inflater.unconsumed_tail, _MOST_INFLATED)
            if inflater.eof:
                self._unused = len(inflater.unused_data)
                self.behind = inflater.unused_data + b"".join(left)
                return

    def _pieces(self) -> Iterator[bytes]:
        for start, size in self._spans:
            self._file.seek(start)
            while size and (piece := self._file.read(min(size, _PIECE_BYTES))):
                size -= len(piece)
                yield piece


def write(data: bytes, source: Source, out: Output) -> None:
    """Write the file of a recipe.

    Raises:
        BitstreamError: the recipe is damaged.
    """
    if data[:1] == bytes([_PATCHED]):
        _write_patched(Reader(data, 1), source, out)
        return
    frame = source.frame
    recipe = png_recipe.read(data, frame)
    out.write(SIGNATURE)
    for chunk in png_recipe.operations(Reader(recipe.chunks), frame, recipe.interlaced):
        if chunk == (b"IDAT", b""):
            _write_samples(recipe, source, out)
        else:
            _write_chunk(out, chunk.type, chunk.data)
    out.write(recipe.rest)


def _write_patched(reader: Reader, source: Source, out: Output) -> None:
    recipe = reader.take(reader.varint("length of a recipe"), "recipe of a PNG")
    if recipe[:1] == bytes([_PATCHED]):
        raise BitstreamError("recipe of a PNG is a patch of a patch")
    made = io.BytesIO()
    write(recipe, source, out.beside(made))
    try:
        for piece in patch.apply(reader.rest(), made.getvalue(), out.left):
            out.write(piece)
    except BitstreamError as e:
        raise RebuildError(str(e)) from None


def _write_samples(recipe: Recipe, source: Source, out: Output) -> None:
    writer = _IdatWriter(out, recipe.idat)
    for part in stream(recipe, source, out):
        writer.write(part)
    writer.finish()


def stream(recipe: Recipe, source: Source, out: Output) -> Iterator[bytes]:
    """Yield the data of all IDAT chunks.

    Args:
        out: whose time is used up.
    """
    adler = 1
    yield recipe.header
    if recipe.spec.wants_all:
        out.clock.expect(recipe.spec.worst_cost * scanlines.total_bytes(source.frame, recipe.interlaced))
    coder = deflaters.encoder(recipe.spec)
    for piece in _filtered(recipe, source):
        adler = zlib.adler32(piece, adler)
        yield from deflaters.encoded(coder, piece, out.clock.check)
    yield coder.flush() + adler.to_bytes(4) + recipe.behind


def _filtered(recipe: Recipe, source: Source) -> Iterator[bytes]:
    filtering = scanlines.Filtering(source.frame, recipe.filters)
    for part in [source.samples()] if recipe.interlaced else source.parts():
        yield from filtering.scanlines(part, recipe.interlaced)
    if recipe.surplus:
        yield recipe.surplus


def _write_chunk(out: Output, kind: bytes, body: bytes) -> None:
    out.write(len(body).to_bytes(4) + kind)
    out.write(body)
    out.write(zlib.crc32(body, zlib.crc32(kind)).to_bytes(4))


class _IdatWriter:
    """Writes IDAT chunks of given sizes; one chunk of all data as the data comes, with its length at the end."""

    def __init__(self, out: Output, sizes: int | tuple[int, ...]) -> None:
        self._out, self._sizes = out, sizes
        self._waiting, self._at = bytearray(), 0
        self._crc, self._size, self._start = zlib.crc32(b"IDAT"), 0, out.tell()
        if sizes == 0:
            out.reserve(4)
            out.write(b"IDAT")

    def write(self, data: bytes) -> None:
        if self._sizes == 0:
            self._out.write(data)
            self._crc, self._size = zlib.crc32(data, self._crc), self._size + len(data)
            return
        self._waiting += data
        while self._sizes and (size := self._next()) is not None and len(self._waiting) >= size:
            self._chunk(size)

    def _next(self) -> int | None:
        """The size of the next chunk; None if all sizes are used."""
        if isinstance(self._sizes, int):
            return self._sizes
        return self._sizes[self._at] if self._at < len(self._sizes) else None

    def _chunk(self, size: int) -> None:
        _write_chunk(self._out, b"IDAT", bytes(self._waiting[:size]))
        del self._waiting[:size]
        self._at += 1

    def finish(self) -> None:
        if self._sizes == 0:
            self._out.patch(self._start, self._size.to_bytes(4))
            self._out.write(self._crc.to_bytes(4))
        elif self._waiting:
            self._chunk(len(self._waiting))
