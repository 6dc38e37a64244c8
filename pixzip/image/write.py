"""A picture -> an image file, at once or by rows, without loss or not at all."""

from collections.abc import Callable
from functools import partial
from typing import BinaryIO, NamedTuple

from pixcodecs.errors import UnsupportedImageError

from pixzip.image.formats import pillow, png, png_rows, pnm, tiff, tiff_rows
from pixzip.image.formats.metadata import from_chunks
from pixzip.image.picture import MAX_DEPTH, MAX_PALETTE_DEPTH, Frame, Layout, Picture
from pixzip.image.rows import RowWriter, Sink

_ANY = range(1, MAX_DEPTH + 1)
_PALETTE = range(1, MAX_PALETTE_DEPTH + 1)
_BYTE = (8,)


class _Format(NamedTuple):
    """A writer, the depths that it keeps of each layout, and the fields of `Embedded` that it keeps.

    `by_rows`, where there is one, writes the same picture by rows, `seekable` says whether it has to go back.
    """

    write: Callable[[Picture], bytes]
    depths: dict[Layout, range | tuple[int, ...]]
    metadata: frozenset[str] = frozenset()
    by_rows: Callable[[BinaryIO, Frame], Sink] | None = None
    seekable: bool = False


def _pnm(magic: str, depths: dict[Layout, range | tuple[int, ...]]) -> _Format:
    return _Format(partial(pnm.write, magic=magic), depths, by_rows=partial(pnm.RowWriter, magic=magic))


_TIFF = _Format(
    tiff.write,
    {layout: _PALETTE if layout is Layout.PALETTE else _ANY for layout in Layout},
    tiff.METADATA,
    tiff_rows.RowWriter,
    seekable=True,
)
_FORMATS = {
    ".png": _Format(png.write, _TIFF.depths, by_rows=png_rows.RowWriter),
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".bmp": _Format(pillow.write_bmp, {Layout.GREY: (1, 8), Layout.RGB: _BYTE, Layout.PALETTE: _PALETTE}),
    ".ppm": _pnm("P6", {Layout.RGB: _ANY}),
    ".pgm": _pnm("P5", {Layout.GREY: _ANY}),
    ".pam": _pnm("P7", {layout: _ANY for layout in Layout if layout is not Layout.PALETTE}),
    ".webp": _Format(pillow.write_webp, {Layout.RGB: _BYTE, Layout.RGBA: _BYTE}, pillow.WEBP_METADATA),
}
_NAMES = {
    Layout.GREY: "grey",
    Layout.RGB: "RGB",
    Layout.GREY_ALPHA: "grey with alpha",
    Layout.RGBA: "RGB with alpha",
    Layout.PALETTE: "palette",
}


def write(picture: Picture, suffix: str = ".png") -> bytes:
    """An image file that `load` turns back into the same samples and colours.

    Unlike PNG, other formats keep only a part of the metadata: see `lost`.

    Args:
        suffix: names the format.
    Raises:
        UnsupportedImageError: the format is lossy or unknown, or cannot hold this picture.
    """
    check_suffix(suffix, picture.layout, picture.depth, bool(picture.transparency))
    return _FORMATS[suffix.lower()].write(picture)


def create_rows(stream: BinaryIO, frame: Frame, suffix: str = ".png") -> RowWriter | None:
    """As `write`, but the rows come a few at a time, and only these are in memory.

    Args:
        stream: takes the file, from its own start, and stays open.
        frame: all that the picture is but its samples.
        suffix: names the format.
    Returns:
        None for formats that have to be written at once, as is TIFF to a stream that cannot go back.
    Raises:
        UnsupportedImageError: the format is lossy or unknown, or cannot hold this picture.
    """
    check_suffix(suffix, frame.layout, frame.depth, bool(frame.transparency))
    form = _FORMATS[suffix.lower()]
    if form.by_rows is None or (form.seekable and not stream.seekable()):
        return None
    return RowWriter(frame, form.by_rows(stream, frame))


def check_suffix(suffix: str, layout: Layout, depth: int, transparency: bool = False) -> None:
    """
    Args:
        transparency: whether the picture has a transparent colour, or a palette with alphas.
    Raises:
        UnsupportedImageError: `write` would refuse such a picture.
    """
    form = _FORMATS.get(suffix.lower())
    if form is None:
        known = " ".join(_FORMATS)
        raise UnsupportedImageError(f"output format {suffix or 'without a suffix'!r} is not one of {known}")
    if layout not in form.depths:
        raise UnsupportedImageError(f"{suffix} does not hold {_NAMES[layout]} images as such, .png does")
    if depth not in form.depths[layout]:
        held = " and ".join(map(str, form.depths[layout]))
        raise UnsupportedImageError(
            f"{suffix} does not hold {_NAMES[layout]} images of {depth} bits a sample, only of {held}: .png does"
        )
    if transparency and form.write is not png.write:
        raise UnsupportedImageError(f"{suffix} does not hold transparent colours of {_NAMES[layout]} images, .png does")


def lost(picture: Picture | Frame, suffix: str) -> list[str]:
    """The types of the metadata chunks that a file of this format will not have, sorted.

    Raises:
        UnsupportedImageError: `write` would refuse the picture.
    """
    check_suffix(suffix, picture.layout, picture.depth, bool(picture.transparency))
    form = _FORMATS[suffix.lower()]
    return [] if form.write is png.write else sorted(set(from_chunks(picture.metadata, form.metadata)[1]))
