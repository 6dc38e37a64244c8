"""EXIF blocks and the tags of TIFF files, as bytes: resolutions, and what goes from one to the other."""

import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

from pixzip.image.formats import ifd
from pixzip.image.formats.ifd import RATIONAL, SHORT, Form, Source, Tag
from pixzip.image.formats.metadata import METRES_PER_INCH, aspect, resolution, text_of
from pixzip.image.picture import Chunk

X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296
RESOLUTION = frozenset({X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT})
_NO_UNIT, _INCH, _CENTIMETRE = 1, 2, 3
_PER_METRE = {_INCH: 1 / METRES_PER_INCH, _CENTIMETRE: 100.0}


#: Keywords of PNG's texts -> tags of TIFF and EXIF for the same.
_TEXTS = {b"Title": 269, b"Description": 270, b"Software": 305, b"Author": 315, b"Copyright": 33432}
_ASCII = 2


class Density(NamedTuple):
    """The resolution of a TIFF file: numerators and denominators of x and y, and the number of the unit."""

    x: tuple[int, int]
    y: tuple[int, int]
    unit: int

    def same(self, other: "Density | None") -> bool:
        """Whether both are the same numbers of pixels in the same unit."""
        if other is None or 0 in (self.x[1], self.y[1], other.x[1], other.y[1]):
            return False
        mine, theirs = ((Fraction(*d.x), Fraction(*d.y), d.unit) for d in (self, other))
        return mine == theirs

    @property
    def square(self) -> bool:
        """Whether it only says that pixels are square, as without any resolution."""
        return self.unit == _NO_UNIT and self.x == self.y == (1, 1)

    @property
    def body(self) -> bytes:
        """The body of pHYs; empty where that cannot hold it, or where pixels are square and have no size."""
        (x, x_parts), (y, y_parts) = self.x, self.y
        if not (x_parts and y_parts):
            return b""
        if per_metre := _PER_METRE.get(self.unit):
            return resolution(x / x_parts * per_metre, y / y_parts * per_metre)
        return aspect(x * y_parts, y * x_parts)

    @property
    def tags(self) -> list[Tag]:
        """Little-endian tags."""
        x, y = (Tag(code, RATIONAL, 1, struct.pack("<II", *of)) for code, of in zip(_AXES, self[:2], strict=True))
        return [x, y, Tag(RESOLUTION_UNIT, SHORT, 1, struct.pack("<H", self.unit))]


_AXES = X_RESOLUTION, Y_RESOLUTION


def density_of(tags: Iterable[Tag], form: Form) -> Density | None:
    """The resolution that some tags declare; None if they declare none."""
    found = {tag.code: form.numbers(tag.kind, tag.data) for tag in tags if tag.code in RESOLUTION}
    x, y = found.get(X_RESOLUTION, ()), found.get(Y_RESOLUTION, ())
    if len(x) != 2 or len(y) != 2:
        return None
    unit = found.get(RESOLUTION_UNIT, (_INCH,))
    return Density((x[0], x[1]), (y[0], y[1]), unit[0] if unit else _INCH)


def density_for(phys: bytes) -> Density | None:
    """The resolution that TIFF and EXIF have for a body of pHYs; None for an empty one.

    Whole dots per inch, which pHYs rounds to metres, come back as such.
    """
    if not phys:
        return None
    x, y, unit = struct.unpack(">IIB", phys)
    if unit != 1:
        return Density((x, 1), (y, 1), _NO_UNIT)
    inches = round(x * METRES_PER_INCH), round(y * METRES_PER_INCH)
    if min(inches) and Density((inches[0], 1), (inches[1], 1), _INCH).body == phys:
        return Density((inches[0], 1), (inches[1], 1), _INCH)
    return Density((x, 100), (y, 100), _CENTIMETRE)


def first_tags(exif: bytes) -> tuple[tuple[Tag, ...], Form]:
    """The tags of the image in a block of EXIF, and their byte order; none for an empty or damaged block."""
    try:
        source = Source.of(exif)
        return source.tags(source.first), source.form
    except ValueError:
        return (), Form()


def texts(chunks: Iterable[Chunk], present: Iterable[Tag]) -> tuple[list[Tag], list[Chunk]]:
    """Tags for the texts of a PNG, in UTF-8, and the chunks that they hold.

    Args:
        present: other tags, whose codes are taken.
    """
    taken = {tag.code for tag in present}
    tags, held = [], []
    for chunk in chunks:
        code = _TEXTS.get(chunk.data.partition(b"\0")[0]) if chunk.type in (b"tEXt", b"zTXt", b"iTXt") else None
        if code is None or code in taken:
            continue
        text = text_of(chunk)
        if chunk.type != b"iTXt":
            text = text.decode("latin-1").encode()
        if text and b"\0" not in text:
            taken.add(code)
            tags.append(Tag(code, _ASCII, len(text) + 1, text + b"\0"))
            held.append(chunk)
    return tags, held


def with_texts(exif: bytes, chunks: Sequence[Chunk]) -> bytes:
    """A block of EXIF that also has the texts of a PNG; a damaged block stays."""
    present, _ = first_tags(exif)
    tags, _ = texts(chunks, present)
    return exif if not tags or (exif and not present) else ifd.with_tags(exif, tags)


def has_more(exif: bytes) -> bool:
    """Whether a block of EXIF has a further directory: a thumbnail."""
    try:
        source = Source.of(exif)
        first = source.directory(source.first)
        return bool(first and first.next)
    except ValueError:
        return False


def with_resolution(exif: bytes, phys: bytes) -> bytes:
    """A block of EXIF that also has the resolution of a pHYs chunk, unless it has one; a damaged block stays."""
    tags, form = first_tags(exif)
    wanted = density_for(phys)
    if wanted is None or density_of(tags, form) or (exif and not tags):
        return exif
    present = {tag.code for tag in tags}
    return ifd.with_tags(exif, [tag for tag in wanted.tags if tag.code not in present])


def kept_density(tags: Sequence[Tag], form: Form, phys: bytes) -> Density | None:
    """The resolution for a TIFF file: as it was in a TIFF before, or that of pHYs; None if there is none."""
    own = density_of(tags, form)
    if own and own.body == phys and own.x[1] and own.y[1]:
        return own
    return density_for(phys)
