"""Read an image file to a picture, at once or by rows: tries the formats in turn."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from PIL import Image as PillowImage
from pixcodecs.container.image import MAX_PIXELS
from pixcodecs.errors import UnsupportedImageError

from pixzip.image import formats
from pixzip.image.formats.base import HEAD_BYTES, Format, Loaded, Unrecognised, one_error
from pixzip.image.pages import LoadedPages
from pixzip.image.picture import Picture
from pixzip.image.rows import RowReader


def load(source: bytes | Path, max_pixels: int | None = MAX_PIXELS) -> Loaded:
    """The picture in an image file, and the names of content that a picture cannot hold.

    Args:
        source: bytes or path of the file.
        max_pixels: refuse larger images before decoding them; None lifts the limit.
    Raises:
        UnsupportedImageError: no image, a damaged one, or one that would not be restored exactly.
        OSError: the file cannot be read.
    """
    data = source if isinstance(source, bytes) else source.read_bytes()
    with one_error():
        for form in _accepting(data[:HEAD_BYTES]):
            file = io.BytesIO(data)
            if opened := form.open_rows(file, max_pixels):
                return _whole(RowReader(file, opened, _unknown_bytes(form, file)))
            try:
                found = form.read(data, max_pixels)
            except Unrecognised:
                continue
            return Loaded(found.picture, [*dict.fromkeys([*found.dropped, *_unknown_bytes(form, file)])])
    raise _unknown()


def load_pages(source: bytes | Path, max_pixels: int | None = MAX_PIXELS) -> LoadedPages | None:
    """All pages or frames of an image file, and the names of content that they cannot hold.

    Args:
        source, max_pixels: see `load`; the limit is for all pages together.
    Returns:
        None for a file of one image, which `load` and `open_rows` read, and for what is no image.
    Raises:
        UnsupportedImageError, OSError: see `load`.
    """
    data = source if isinstance(source, bytes) else source.read_bytes()
    with one_error():
        for form in _accepting(data[:HEAD_BYTES]):
            if form.has_pages(io.BytesIO(data)) and (found := form.read_pages(data, max_pixels)):
                unknown = [n for n in _unknown_bytes(form, io.BytesIO(data)) if n not in form.kept_by_pages]
                return LoadedPages(found.pages, [*dict.fromkeys([*found.dropped, *unknown])])
    return None


def has_pages(file: BinaryIO) -> bool:
    """Whether an image file has several pages or frames, as far as its structure tells; little of it is read.

    Args:
        file: open file, which is closed.
    Raises:
        UnsupportedImageError, OSError: the file cannot be read.
    """
    with file, one_error():
        for form in _accepting(file.read(HEAD_BYTES)):
            file.seek(0)
            if form.has_pages(file):
                return True
    return False


def _unknown_bytes(form: Format, file: BinaryIO) -> list[str]:
    """Names of all bytes of a file for which the format does not account; the file keeps its position."""
    at = file.tell()
    file.seek(0)
    names = form.account(file).names(file)
    file.seek(at)
    return names


def check_head(head: bytes) -> None:
    """Refuse a file by its first bytes, before the others are read.

    Args:
        head: `HEAD_BYTES` bytes, fewer for shorter files.
    Raises:
        UnsupportedImageError: no format starts like this.
    """
    if not any(True for _ in _accepting(head)):
        raise _unknown()


def _unknown() -> UnsupportedImageError:
    known = ", ".join(form.name for form in formats.FORMATS)
    return UnsupportedImageError(f"not an image of a format read here ({known})")


def _opened(source: Path | BinaryIO) -> BinaryIO:
    return source.open("rb") if isinstance(source, Path) else source


def open_rows(source: Path | BinaryIO, max_pixels: int | None = MAX_PIXELS) -> RowReader | None:
    """Like `load`, but a few rows at a time; only these are in memory.

    Args:
        source: path of the file, or an open file at its start, which can be sought; it is closed in the end.
    Returns:
        None for formats that must be read at once.
    Raises:
        UnsupportedImageError: see `load`; errors in the samples may be raised only by `RowReader.read`.
        OSError: the file cannot be read.
    """
    file = _opened(source)
    try:
        head = file.read(HEAD_BYTES)
        with one_error():
            for form in _accepting(head):
                file.seek(0)
                if opened := form.open_rows(file, max_pixels):
                    return RowReader(file, opened, _unknown_bytes(form, file))
    except BaseException:
        file.close()
        raise
    file.close()
    return None


def open_large(source: Path | BinaryIO, pixels: int, max_pixels: int | None = MAX_PIXELS) -> RowReader | None:
    """`open_rows` of an image with more than `pixels` pixels; None also for smaller images.

    Raises:
        UnsupportedImageError, OSError: see `open_rows`.
    """
    file = _opened(source)
    head = file.read(HEAD_BYTES)
    if any(form.pixels(head) in range(pixels + 1) for form in _accepting(head)):
        file.close()
        return None  # checked first, because `open_rows` checks the whole file
    file.seek(0)
    reader = open_rows(file, max_pixels)
    if reader and reader.frame.width * reader.frame.height <= pixels:
        reader.close()
        return None
    return reader


def _whole(reader: RowReader) -> Loaded:
    """All rows, so that `load` reads and refuses the same files as `open_rows`."""
    with reader:
        frame = reader.frame
        samples = reader.read(frame.height)
    fields = frame.layout, frame.depth, frame.palette, frame.transparency, frame.metadata
    return Loaded(Picture(samples, *fields), reader.dropped)


def pixels_in(head: bytes) -> int:
    """The number of pixels that the first `HEAD_BYTES` of an image file declare; -1 if none are found."""
    return next((found for form in _accepting(head) if (found := form.pixels(head)) >= 0), -1)


def declared_pixels(file: BinaryIO) -> int:
    """The number of pixels that an image file declares, if possible in its first bytes; -1 if none are found.

    Nothing is checked: it serves to estimate the work on a file.

    Args:
        file: at its start; is not closed.
    Raises:
        OSError: the file cannot be read.
    """
    if (found := pixels_in(file.read(HEAD_BYTES))) >= 0:
        return found
    file.seek(0)
    try:
        with one_error(), PillowImage.open(file) as found_image:
            return int(found_image.width * found_image.height)
    except (UnsupportedImageError, MemoryError):
        return -1


def lossy_kind(source: Path | BinaryIO) -> str:
    """The kind of an image file whose samples were coded with loss, e.g. "a JPEG"; "" if coded without loss.

    A picture keeps the decoded samples of such a file, not the file's own bytes.

    Args:
        source: path of a file that `load` can read, or the open file, which is closed.
    Raises:
        OSError: the file cannot be read.
    """
    with _opened(source) as file:
        head = file.read(HEAD_BYTES)
        for form in _accepting(head):
            file.seek(0)
            if kind := form.lossy_kind(file):
                return kind
    return ""


def _accepting(head: bytes) -> Iterator[Format]:
    """The formats that a file with these first bytes may have."""
    return (form for form in formats.FORMATS if form.accepts(head))
