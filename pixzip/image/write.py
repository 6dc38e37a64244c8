"""Write a picture to an image file without loss, at once or by rows; the suffix determines the format."""

from typing import BinaryIO

from pixcodecs.errors import UnsupportedImageError

from pixzip.image import formats
from pixzip.image.formats.base import Format, one_error
from pixzip.image.pages import SUFFIXES, Kind, Pages
from pixzip.image.picture import Frame, Layout, Picture
from pixzip.image.rows import RowWriter

#: Most bytes of memory to write a file, and those that each byte of its source adds.
_WRITING_BYTES, _WRITING_BYTES_A_BYTE = 1 << 29, 64


def write(picture: Picture, suffix: str = ".png") -> bytes:
    """An image file from which `load` restores the same samples and colours.

    Formats other than PNG keep only a part of the metadata: see `lost`.

    Args:
        suffix: suffix of the format.
    Raises:
        UnsupportedImageError: the format is lossy or unknown, cannot hold this picture, or its library fails.
    """
    form = check_frame(picture.frame, suffix)
    with one_error(_written(form)):
        return form.write(picture)


def write_pages(pages: Pages, suffix: str) -> bytes:
    """A file of several pages or frames, from which `load_pages` restores them.

    Args:
        suffix: suffix of the format, which must be that of the pages' kind.
    Raises:
        UnsupportedImageError: the format cannot hold them, or its library fails.
    """
    form = _named_for_pages(suffix)
    if form.pages_kind is not pages.kind:
        own = SUFFIXES[pages.kind]
        raise UnsupportedImageError(f"{suffix} does not hold these pages, {own} does, and -o DIR/ takes one PNG a page")
    with one_error(_written(form)):
        return form.write_pages(pages)


def lost_of_pages(pages: Pages, suffix: str) -> list[str]:
    """The types of the metadata chunks that a file of several pages does not keep, sorted."""
    form = _named_for_pages(suffix)
    found = set(form.lost(pages.metadata))
    if pages.kind is Kind.TIFF:
        found = found.union(*(form.lost(page.picture.metadata) for page in pages.pages))
    return sorted(found)


def _named_for_pages(suffix: str) -> Format:
    """
    Raises:
        UnsupportedImageError: no format of this suffix holds several pages.
    """
    for form in formats.FORMATS:
        if suffix.lower() in form.suffixes and form.pages_kind is not None:
            return form
    known = " ".join(sorted(SUFFIXES.values()))
    raise UnsupportedImageError(f"{suffix or 'a name without a suffix'} holds one image: {known} hold several")


def create_rows(stream: BinaryIO, frame: Frame, suffix: str = ".png") -> RowWriter | None:
    """Like `write`, but a few rows at a time; only these are in memory.

    Args:
        stream: receives the file; positioned at its start, stays open.
        frame: the picture without its samples.
        suffix: suffix of the format.
    Returns:
        None for formats that must be written at once, and for TIFF if the stream is not seekable.
    Raises:
        UnsupportedImageError: the format is lossy or unknown, cannot hold this picture, or its library fails.
        OSError: the stream cannot be written.
    """
    form = check_frame(frame, suffix)
    with one_error(_written(form), OSError):
        sink = form.create_rows(stream, frame)
    return None if sink is None else RowWriter(frame, sink, _written(form))


def check_frame(frame: Frame, suffix: str) -> Format:
    """The format of a suffix, after a check that it holds a picture with this frame.

    Raises:
        UnsupportedImageError: `write` would refuse every such picture.
    """
    check_suffix(suffix, frame.layout, frame.depth, bool(frame.transparency))
    form = _named(suffix)
    if why := form.too_large(frame):
        raise UnsupportedImageError(f"image cannot be {_written(form)}: {why}")
    return form


def check_suffix(suffix: str, layout: Layout, depth: int, transparency: bool = False) -> None:
    """
    Args:
        transparency: whether the picture has a transparent colour, or a palette with alphas.
    Raises:
        UnsupportedImageError: `write` would refuse such a picture.
    """
    if why := _named(suffix).refuses(layout, depth, transparency):
        raise UnsupportedImageError(f"{suffix} {why}")


def check_memory(suffix: str, pixels: int, source_bytes: int) -> None:
    """Refuse to write what would take memory out of proportion to the file that the pixels come from.

    Raises:
        UnsupportedImageError: it would take more than 2^29 bytes, and 64 for each byte of the source.
    """
    needed, most = pixels * _named(suffix).writing_bytes, _WRITING_BYTES + _WRITING_BYTES_A_BYTE * source_bytes
    if needed > most:
        raise UnsupportedImageError(
            f"{suffix} of {pixels} pixels takes some {needed} bytes of memory, more than the limit of {most}: "
            f"--no-pixel-limit lifts the limit, .png takes less"
        )


def lost(picture: Picture | Frame, suffix: str) -> list[str]:
    """The types of the metadata chunks that a file of this format does not keep, sorted.

    Raises:
        UnsupportedImageError: `write` would refuse the picture.
    """
    frame = picture.frame if isinstance(picture, Picture) else picture
    return check_frame(frame, suffix).lost(frame.metadata)


def _written(form: Format) -> str:
    """The words of an error of the format's library, after "cannot be"."""
    return f"written as {form.name}"


def _named(suffix: str) -> Format:
    """The format that is written for a suffix.

    Raises:
        UnsupportedImageError: there is no such format.
    """
    written = {known: form for form in formats.FORMATS if form.depths for known in sorted(form.suffixes)}
    if form := written.get(suffix.lower()):
        return form
    raise UnsupportedImageError(f"output format {suffix or 'without a suffix'!r} is not one of {' '.join(written)}")
