"""Records of originals of several pages: put one into a file of pages, and rebuild and check an original.

The record is an extra of the first member, where readers that do not know it skip it.
"""

import contextlib
import io
import tempfile
from dataclasses import replace
from functools import partial
from typing import BinaryIO

from pixcodecs.container import image as image_container
from pixcodecs.container import pages as container
from pixcodecs.errors import PixzipError
from pixcodecs.primitives import crc32

from pixzip.codec import by_rows, costs
from pixzip.codec import original as of_one
from pixzip.codec.options import DEFAULTS, Options
from pixzip.codec.pages import PagesOpening, compress_pages, decoding_ns
from pixzip.engine.base import Progress
from pixzip.image.pages import Pages
from pixzip.originals import Family, Record, suffixes_of
from pixzip.originals import pages as originals


def compress(
    original: BinaryIO, pages: Pages, options: Options = DEFAULTS, thoroughness: int = 0, *, strip: bool = False,
    progress: Progress | None = None,
) -> tuple[bytes, Record | None]:  # fmt: skip
    """One `.pxz` file of the pages of a file, with a record of it.

    Args:
        original: the file, which is read and sought.
        pages: its pages.
        thoroughness: see `originals.make`; 0 for no record.
        strip: leave out metadata; for no record.
        progress: see `compress_pages`.
    Returns:
        The `.pxz` file, and the record that it has.
    Raises:
        UnsupportedImageError, ModelMismatchError, PixzipError: see `compress_pages`.
    """
    file = compress_pages(_stripped(pages) if strip else pages, options, progress)
    if not thoroughness or strip:
        return file, None
    record = originals.make(original, pages, thoroughness)
    return with_record(file, record, original.seek(0, io.SEEK_END), options)


def _stripped(pages: Pages) -> Pages:
    found = (replace(page, picture=replace(page.picture, metadata=())) for page in pages.pages)
    return replace(pages, pages=tuple(found), metadata=())


def with_record(file: bytes, record: Record, original_bytes: int, options: Options) -> tuple[bytes, Record]:
    """A file of pages with a record, and the record that it has; see `codec.original.header_with`.

    Args:
        file: a file of pages without a record.
        original_bytes: length of the original.
        options: those that coded the file.
    """
    header = container.read_header(file)
    first = container.member(file, header, 0)
    start = image_container.read_header(first, None).size_bytes

    def is_slow() -> bool:
        opening = PagesOpening(file, None)
        return of_one.takes_long(record, opening.pixels, partial(_seconds, opening), options)

    pages = len(header.members)
    head, kept = of_one.header_for(first, record, original_bytes, is_slow, file_bytes=len(file), pages=pages)
    member = head + first[start:]
    own = header.members[0]._replace(size_bytes=len(member), crc=crc32(member))
    packed = container.pack_header(replace(header, members=(own, *header.members[1:])))
    return packed + member + file[header.starts[1] :], kept


def _seconds(opening: PagesOpening, options: Options | None) -> float:
    """The processor time that rebuilding the original of a file may take by default.

    Args:
        options: give the models that code it; None for a lower bound that needs none.
    """
    spent = costs.limit_ns(opening.file_bytes)
    if options is not None:
        with contextlib.suppress(PixzipError):
            spent = decoding_ns(opening, options)
    return costs.rebuild_ns(opening.file_bytes, spent) / 1e9


def suffixes(opening: PagesOpening) -> tuple[str, ...]:
    """The suffixes that an original of the kind of these pages has, the usual one first."""
    return suffixes_of(Family[opening.header.kind.name])


def is_kept(opening: PagesOpening) -> bool:
    """Whether a file has a record from which its original is rebuilt.

    Raises:
        BitstreamError: the record is damaged.
    """
    return bool(opening.original and opening.original.is_kept)


def rebuild(opening: PagesOpening, pages: Pages, options: Options, out: BinaryIO) -> None:
    """Write the original of a file, which has a record of it.

    Args:
        pages: the decoded pages.
        out: an empty file that can be sought and read.
    Raises:
        BitstreamError: the file is damaged or hostile.
        RebuildError: the original's bytes do not come back here.
        OSError: the file cannot be written.
    """
    if opening.original is None:
        raise ValueError("the file has no record of its original")
    seconds = None if options.max_pixels is None else _seconds(opening, options)
    originals.rebuild(opening.original, pages, out, seconds)


def check(opening: PagesOpening, pages: Pages, options: Options) -> None:
    """Rebuild the original of a file, if it has a record of it, and throw it away.

    Raises:
        BitstreamError, RebuildError: see `rebuild`.
    """
    if is_kept(opening):
        with tempfile.SpooledTemporaryFile(max_size=by_rows.LARGE_PIXELS) as out:
            rebuild(opening, pages, options, out)  # type: ignore[arg-type]
