"""Records of originals in `.pxz` files: put one into a file, and rebuild and check an original.

A record is an extra of the header, so that it is added to a complete file without a change to its blocks.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import IO, BinaryIO

from pixcodecs.container import image as container
from pixcodecs.container.image import Buffer, Extra
from pixcodecs.container.limits import MAX_PIXELS
from pixcodecs.errors import PixzipError, UnsupportedImageError

from pixzip import originals
from pixzip.codec import by_rows, costs, decoder
from pixzip.codec.finding import find_models
from pixzip.codec.opening import Opening
from pixzip.codec.options import Options
from pixzip.engine.base import Progress
from pixzip.image.picture import Frame, Picture, Samples
from pixzip.image.rows import RowReader
from pixzip.originals import Reason, Record, Source

#: A record takes, besides content of the original, at most the largest of these: bytes, a share of the original, and
#: a share of what its file saves.
LEAST_BYTES, SHARE, SHARE_OF_SAVING = 256, 100, 4
#: Bytes more for each further page.
_PAGE_BYTES = 64
#: Work to find an encoder, in units of the size of the samples, by effort.
_THOROUGHNESS = {1: 1, 2: 1, 3: 3, 4: 2, 5: 2, 6: 2, 7: 4, 8: 12, 9: 40}


def thoroughness(effort: int) -> int:
    """The work that `originals.make` may take: some tenth of that to compress."""
    return _THOROUGHNESS[effort]


def header_with(
    file: Buffer, record: Record, original_bytes: int, options: Options
) -> tuple[bytes, Record]:  # fmt: skip
    """The header of a file with a record, for the same blocks, and the record that it has.

    Args:
        file: a `.pxz` file, or its header, without a record.
        original_bytes: length of the original.
        options: those that coded the file.
    Returns:
        A header with a record that only says why the original is not kept, if it would take too much room, or more
        time than readers allow by default.
    """

    def is_slow() -> bool:
        opening = Opening(file, None)
        return takes_long(record, opening.pixels, partial(_seconds, opening), options)

    return header_for(file, record, original_bytes, is_slow)


def header_for(
    file: Buffer, record: Record, original_bytes: int, takes_long: Callable[[], bool], *,
    file_bytes: int | None = None, pages: int = 1,
) -> tuple[bytes, Record]:  # fmt: skip
    """`header_with` for a file that may be the first one of several pages.

    Args:
        takes_long: whether readers may refuse to rebuild by the record.
        file_bytes: length of the file of all pages; None if there is one.
        pages: number of pages.
    """
    header = container.read_header(file, None)
    saved = max(0, original_bytes - (header.file_bytes if file_bytes is None else file_bytes))
    most = record.content_bytes + max(_least(pages), original_bytes // SHARE, saved // SHARE_OF_SAVING)
    if record.is_kept:
        packed = _packed(header, record)
        if packed is None or len(packed) - header.size_bytes > most:
            record = originals.not_kept(Reason.SIZE)
        elif takes_long():
            record = originals.not_kept(Reason.TIME)
        else:
            return packed, record
    return _packed(header, record) or bytes(file[: header.size_bytes]), record


def _least(pages: int) -> int:
    """The bytes that a record may take in any case."""
    return LEAST_BYTES + _PAGE_BYTES * (pages - 1)


def _packed(header: container.Header, record: Record) -> bytes | None:
    """A header with a record; None if it has no room."""
    extras = (*header.extras, (Extra.ORIGINAL, record.pack()))
    try:
        container.check_extras(extras)
    except UnsupportedImageError:
        return None
    return container.pack_header(replace(header, extras=extras))


def takes_long(
    record: Record, pixels: int, seconds: Callable[[Options | None], float], options: Options
) -> bool:  # fmt: skip
    """Whether readers may refuse to rebuild by a record, which makes its file larger, by default.

    Args:
        pixels: of the file.
        seconds: the processor time that rebuilding may take; without options a lower bound, which takes no model.
    """
    if pixels > MAX_PIXELS or record.rebuild_s <= seconds(None):
        return False  # readers lift all limits for the pixels already
    return record.rebuild_s > seconds(options)


def _seconds(opening: Opening, options: Options | None) -> float:
    """The processor time that rebuilding the original of a file may take by default.

    Args:
        options: give the models that code it; None for a lower bound that needs none.
    """
    size = len(opening.file)
    if options is None:
        return costs.rebuild_ns(size, costs.limit_ns(size)) / 1e9
    try:
        models = find_models([opening], options)
        decoding_ns = opening.carrying.cost_ns + sum(
            decoder.tile_ns(opening, i, models) for i in range(len(opening.header.tiles))
        )
    except PixzipError:
        return _seconds(opening, None)
    return costs.rebuild_ns(size, decoding_ns) / 1e9


def with_record(file: bytes, record: Record, original_bytes: int, options: Options) -> tuple[bytes, Record]:
    """`header_with` for a whole file in memory."""
    start = container.read_header(file, None).size_bytes
    header, kept = header_with(file, record, original_bytes, options)
    return header + file[start:], kept


def rows_of(reopened: Callable[[], RowReader | None], frame: Frame) -> Source:
    """A large picture in an image file.

    Args:
        reopened: opens the file anew.
    """

    def parts() -> Iterator[Samples]:
        reader = reopened()
        if reader is None:
            raise ValueError("the image file does not give rows")
        with reader:
            while len(rows := reader.read(max(1, by_rows.PART_PIXELS // frame.width))):
                yield rows

    return Source(frame, parts, is_large=True)


def copy_with_record(
    file: Buffer, spool: IO[bytes], out: IO[bytes], record: Record, original_bytes: int, options: Options
) -> Record:  # fmt: skip
    """Write a file to another one, with a record; returns the record that it has.

    Args:
        file: the bytes of `spool`.
        spool: a file without a record.
    Raises:
        OSError: `out` cannot be written.
    """
    header, kept = header_with(file, record, original_bytes, options)
    out.write(header)
    spool.seek(container.read_header(file, None).size_bytes)
    shutil.copyfileobj(spool, out, 1 << 20)
    return kept


def rebuild(
    opening: Opening, picture: Picture | None, options: Options, out: BinaryIO, progress: Progress | None = None
) -> None:
    """Write the original of a file, which has a record of it.

    Args:
        picture: the decoded picture; None to decode it, by rows.
        out: an empty file that can be sought and read.
    Raises:
        BitstreamError: the file is damaged or hostile.
        RebuildError: the original's bytes do not come back here.
        OSError: the file cannot be written.
    """
    record = opening.original
    if record is None:
        raise ValueError("the file has no record of its original")
    rows = partial(by_rows.decompress_rows, opening, options, progress)
    large = Source(opening.frame, rows, is_large=True, upward=partial(rows, upward=True))
    source = originals.of_picture(picture) if picture else large
    originals.rebuild(record, source, out, None if options.max_pixels is None else _seconds(opening, options))


def check(opening: Opening, picture: Picture | None, options: Options, progress: Progress | None = None) -> None:
    """Rebuild the original of a file, if it has a record of it, and throw it away.

    Args:
        picture: see `rebuild`.
    Raises:
        BitstreamError, RebuildError: see `rebuild`.
    """
    if opening.original and opening.original.is_kept:
        with tempfile.SpooledTemporaryFile(max_size=by_rows.LARGE_PIXELS) as out:
            rebuild(opening, picture, options, out, progress)  # type: ignore[arg-type]


def is_kept(opening: Opening) -> bool:
    """Whether a file has a record from which its original is rebuilt.

    Raises:
        BitstreamError: the record is damaged.
    """
    return bool(opening.original and opening.original.is_kept)
