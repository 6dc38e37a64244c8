"""Imitations of TIFF files: strips or tiles, plain or compressed as the tags say."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO

import tifffile
from pixcodecs.errors import BitstreamError

from pixzip.image.formats.tiff_pages import heard, white_is_zero
from pixzip.originals import forms, imitations
from pixzip.originals.deflate_search import Beginning, Search
from pixzip.originals.forms import Coding, Flag, Form
from pixzip.originals.imitations import Imitation
from pixzip.originals.record import Reason, Trial
from pixzip.originals.source import Source

_PLANES = 2
#: By TIFF's numbers of compressions: codings to try.
CODINGS = {
    1: (Coding.PLAIN,),
    5: (Coding.LZW, Coding.LIBTIFF_LZW),
    8: (Coding.DEFLATE,),
    32946: (Coding.DEFLATE,),
    32773: (Coding.PACKBITS, Coding.LIBTIFF_PACKBITS),
}
#: TIFF's predictors: none, and differences of neighbours.
PREDICTORS = {1: Flag(0), 2: Flag.PREDICTED}


def recipes(file: BinaryIO, source: Source, thoroughness: int) -> Iterator[Trial | Reason]:
    """See `families.Rebuilding`."""
    file.seek(0)
    with heard():
        parsed = tifffile.TiffFile(file)
        page: Any = parsed.pages.first
        codings = CODINGS.get(int(page.compression), ())
        if page.predictor not in PREDICTORS or page.fillorder != 1 or not codings:
            yield Reason.FORM
            return
        plain = form_of(page, parsed.byteorder)
        file.seek(page.dataoffsets[0])
        first = file.read(page.databytecounts[0])
    likely = [replace(plain, coding=coding) for coding in codings]
    if codings == (Coding.DEFLATE,):
        deflated = _deflated(plain, source, first, thoroughness)
        if deflated is None:
            yield Reason.DEFLATE
            return
        likely = [deflated]
    edges = (Flag(0), Flag.REPEATED_EDGE) if page.is_tiled else (Flag(0),)
    tried = [Imitation(replace(form, flags=form.flags | edge)) for form in likely for edge in edges]
    yield from imitations.trials(file, source, tried, thoroughness)


def form_of(page: Any, byteorder: str) -> Form:
    """The form of the samples of a page, before they are coded."""
    flags = PREDICTORS[page.predictor] | (Flag.LITTLE if byteorder == "<" else Flag(0))
    flags |= Flag.PLANAR if page.planarconfig == _PLANES and page.samplesperpixel > 1 else Flag(0)
    flags |= Flag.INVERTED if white_is_zero(page) else Flag(0)
    if page.is_tiled:
        return Form(flags, page.bitspersample, width=page.tilewidth, height=page.tilelength)
    rows = min(page.rowsperstrip or page.imagelength, page.imagelength)
    return Form(flags, page.bitspersample, height=0 if rows == page.imagelength else rows)


def _deflated(plain: Form, source: Source, first: bytes, thoroughness: int) -> Form | None:
    """The form whose zlib streams are those of the file, after the first one; None if the encoder is not found."""
    whole = replace(plain, coding=Coding.DEFLATE)  # not cut into parts
    if source.is_large:
        try:
            forms.check_parts(whole, source.frame)
        except BitstreamError:
            return None
    segment, _ = next(forms.segments(whole, source))
    header, body = first[:2], first[2:-4]
    search = Search(Beginning(header, segment, body, len(segment)), thoroughness, whole=True)
    spec = next(iter(search), None) or search.near
    return spec and replace(plain, coding=Coding.DEFLATE, header=header, spec=spec)
