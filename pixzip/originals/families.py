"""The families of formats whose files are rebuilt: how recipes are found, and how a file is written from one."""

from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import BinaryIO, NamedTuple

from pixzip.image import formats
from pixzip.image.formats.base import HEAD_BYTES
from pixzip.originals import imitations, plain, png, tiff, webp
from pixzip.originals.record import Family, Reason, Trial
from pixzip.originals.source import Output, Source


class Rebuilding(NamedTuple):
    """How the files of a family are rebuilt.

    Attributes:
        formats: names of the formats, as in `image.formats`.
        suffixes: suffixes that its files have, the usual one first.
        recipes: (original, picture, thoroughness) -> recipes to try, the likeliest first, and reasons.
        write: writes the file of a recipe; raises BitstreamError for a damaged one.
        by_rows: whether the rows of a large picture need not be in memory.
    """

    formats: tuple[str, ...]
    suffixes: tuple[str, ...]
    recipes: Callable[[BinaryIO, Source, int], Iterator[Trial | Reason]]
    write: Callable[[bytes, Source, Output], None]
    by_rows: bool = False


def _imitated(recipes: plain.Recipes, names: tuple[str, ...], *suffixes: str, by_rows: bool = False) -> Rebuilding:
    return Rebuilding(names, suffixes, recipes, imitations.write, by_rows)


FAMILIES: dict[Family, Rebuilding] = {
    Family.PNG: Rebuilding(("PNG",), (".png",), png.recipes, png.write, by_rows=True),
    Family.BMP: _imitated(plain.bmp, ("BMP", "DIB"), ".bmp", ".dib"),
    Family.NETPBM: _imitated(
        plain.netpbm, ("PBM", "PGM", "PPM", "PAM"), ".pnm", ".pbm", ".pgm", ".ppm", ".pam", by_rows=True
    ),
    Family.TIFF: _imitated(tiff.recipes, ("TIFF",), ".tif", ".tiff", by_rows=True),
    Family.TGA: _imitated(plain.tga, ("TGA",), ".tga"),
    Family.GIF: _imitated(plain.gif, ("GIF",), ".gif"),
    Family.QOI: _imitated(plain.qoi, ("QOI",), ".qoi"),
    Family.WEBP: _imitated(webp.recipes, ("WebP", "WEBP"), ".webp"),
    Family.PCX: _imitated(plain.pcx, ("PCX",), ".pcx"),
    Family.SGI: _imitated(plain.sgi, ("SGI",), ".sgi"),
}


#: The format without a signature: a file has it if it has no other.
_ANY = "TGA"


def family_of(file: BinaryIO) -> Family:
    """The family of an image file; NONE if its format is not rebuilt."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    names = [form.name for form in formats.FORMATS if form.accepts(head)]
    name = next((name for name in names if name != _ANY), _ANY if _ANY in names else "")
    return next((family for family, own in FAMILIES.items() if name in own.formats), Family.NONE)


def suffixes_of(family: Family) -> tuple[str, ...]:
    """The suffixes of a family's files, the usual one first; none for unknown families."""
    return FAMILIES[family].suffixes if family in FAMILIES else ()


def has_suffix(family: Family, name: str) -> bool:
    """Whether a file of this name is expected to have a format of the family."""
    return PurePath(name).suffix.lower() in suffixes_of(family)
