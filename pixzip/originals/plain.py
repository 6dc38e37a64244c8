"""Imitations of the formats that are simple, or that one library writes: BMP, Netpbm, TGA, SGI, PCX, GIF, QOI."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import BinaryIO

from pixzip.image.picture import Frame, Layout
from pixzip.originals import imitations
from pixzip.originals.forms import Coding, Flag, Form
from pixzip.originals.gif import of_file
from pixzip.originals.imitations import Imitation
from pixzip.originals.record import Reason, Trial
from pixzip.originals.source import Source

#: Makes recipes; see `families.Rebuilding`.
Recipes = Callable[[BinaryIO, Source, int], Iterator[Trial | Reason]]
_NONE = Flag(0)


def _recipes(likely: Callable[[Frame, bytes], Iterator[Imitation]]) -> Recipes:
    """Recipes by the imitations of a picture and the beginning of its file."""

    def found(file: BinaryIO, source: Source, thoroughness: int) -> Iterator[Trial | Reason]:
        file.seek(0)
        return imitations.trials(file, source, likely(source.frame, file.read(64)), thoroughness)

    return found


def _bmp(frame: Frame, head: bytes) -> Iterator[Imitation]:
    stored = int.from_bytes(head[28:30], "little") if head[:2] == b"BM" else int.from_bytes(head[14:16], "little")
    bits = stored if stored in (1, 2, 4, 8) else 8
    padded = Flag.PADDED if stored == 32 and frame.layout is Layout.RGB else _NONE
    for order, inverted in product((Flag.BOTTOM_UP, _NONE), (_NONE, Flag.INVERTED) if bits == 1 else (_NONE,)):
        yield Imitation(Form(Flag.BGR | order | inverted | padded, bits, align=4))


def _netpbm(frame: Frame, head: bytes) -> Iterator[Imitation]:
    black = Flag.INVERTED if head[:2] in (b"P1", b"P4") else _NONE
    if head[:2] in (b"P1", b"P2", b"P3"):
        yield Imitation(Form(black, 8, coding=Coding.TEXT))
    elif head[:2] == b"P4":
        yield Imitation(Form(black, 1))
    else:
        yield Imitation(Form(_NONE, 8 if frame.depth <= 8 else 16))


def _tga(frame: Frame, head: bytes) -> Iterator[Imitation]:
    order = _NONE if len(head) > 17 and head[17] & 0x20 else Flag.BOTTOM_UP
    if len(head) > 2 and head[2] >= 8:
        yield Imitation(5 if order else 6)
    else:
        yield Imitation(Form(Flag.BGR | order, 1 if frame.depth == 1 and frame.layout is Layout.GREY else 8))


def _sgi(frame: Frame, head: bytes) -> Iterator[Imitation]:
    yield Imitation(Form(Flag.BOTTOM_UP | Flag.PLANAR, 8))


def _qoi(frame: Frame, head: bytes) -> Iterator[Imitation]:
    yield Imitation(4)


def _pcx(frame: Frame, head: bytes) -> Iterator[Imitation]:
    yield Imitation(7)


def gif(file: BinaryIO, source: Source, thoroughness: int) -> Iterator[Trial | Reason]:
    """Recipes of a GIF file."""
    file.seek(0)
    found = of_file(file.read())
    return imitations.trials(file, source, [Imitation(found)] if found else [], thoroughness)


bmp, netpbm, tga, sgi = _recipes(_bmp), _recipes(_netpbm), _recipes(_tga), _recipes(_sgi)
qoi, pcx = _recipes(_qoi), _recipes(_pcx)
