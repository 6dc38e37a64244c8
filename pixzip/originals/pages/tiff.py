"""Pages of TIFF files: their segments are strips or tiles, plain or compressed as the tags say."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tifffile
from pixcodecs.errors import BitstreamError
from pixcodecs.primitives import Reader

from pixzip.image.formats import tiff_many
from pixzip.image.formats.ifd import Source as Directories
from pixzip.image.formats.tiff_pages import heard
from pixzip.image.pages import Pages
from pixzip.image.picture import Frame, Picture
from pixzip.originals import forms
from pixzip.originals.deflate_search import Beginning, Search
from pixzip.originals.forms import Coding, Flag, Form
from pixzip.originals.pages.cuts import MOST_SEGMENTS, Cut, Found, Layout, Place
from pixzip.originals.record import Reason
from pixzip.originals.source import FEW_BYTES, Output
from pixzip.originals.tiff import CODINGS, PREDICTORS, form_of

#: Flags: low byte first; offsets of 8 bytes, not 4; the two bits of the logarithm of the bytes of a length.
_LITTLE, _WIDE, _LENGTHS = 1, 2, 2
_COUNT_TAGS = (279, 325)
#: Most strips or tiles that libtiff codes, one file each.
_MOST_FILES = 20_000
#: Most work, in units of zlib's level 6 for a byte, of an encoder that is not interrupted, and the least allowed.
_MOST_WORK, _LEAST_WORK = 10**8, 1 << 21
#: Searches for an encoder of deflate that may fail.
_FAILURES = 4


@dataclass(frozen=True)
class Strips:
    """Strips or tiles of a form."""

    form: Form

    @property
    def is_exact(self) -> bool:
        return self.form.coding is Coding.PLAIN

    def pack(self) -> bytes:
        return self.form.pack()

    def check(self, frame: Frame, most_bytes: int) -> None:
        forms.check(self.form, frame, most_bytes)
        if (size := forms.at_once_bytes(self.form, frame)) > FEW_BYTES:
            raise BitstreamError(
                f"original has {size} bytes of samples in a strip or tile, expected at most {FEW_BYTES}"
            )

    def count(self, frame: Frame) -> int:
        return forms.count(self.form, frame)

    def segments(self, picture: Picture) -> Callable[[int, Output], Iterator[bytes]]:
        form, segment_of = self.form, forms.cutting(self.form, picture.samples, picture.depth)

        def made(i: int, out: Output) -> Iterator[bytes]:
            for part, rows in segment_of(i):
                if form.spec and form.spec.wants_all:
                    out.clock.expect(form.spec.worst_cost * len(part))
                yield forms.coded(form, part, rows, out.clock.check)

        return made


def read(reader: Reader, frame: Frame) -> Strips:
    """See `Kind`."""
    form = forms.read(reader)
    if form.coding is Coding.TEXT or form.flags & Flag.BOTTOM_UP:
        raise BitstreamError("strips of the original are text, or from bottom to top")
    return Strips(form)


def predict(pages: Pages, flags: int, cuts: Sequence[Cut | None], layout: Layout) -> Iterator[bytes]:
    """Offsets and lengths of the segments of each page, as the tags have them; see `Kind`."""
    order = "<" if flags & _LITTLE else ">"
    offset, length = (
        np.dtype(f"{order}u{8 if flags & _WIDE else 4}"),
        np.dtype(f"{order}u{1 << (flags >> _LENGTHS & 3)}"),
    )
    for i in range(len(cuts)):
        spans = layout.of_page(i)
        yield spans[:, 0].astype(offset).tobytes()
        yield spans[:, 1].astype(length).tobytes()


def find(file: bytes, pages: Pages, thoroughness: int) -> Found:
    """See `Kind`.

    Raises:
        Exception: any error of tifffile.
    """
    stream = io.BytesIO(file)
    finder = _Finder(file, thoroughness)
    with heard(), tifffile.TiffFile(stream) as parsed:
        listed = tiff_many.listed(parsed)
        for i, ((page, _), own) in enumerate(zip(listed, pages.pages, strict=True)):
            finder.page(i, page, own.picture, parsed.byteorder)
        flags = (_LITTLE if parsed.byteorder == "<" else 0) | (_WIDE if parsed.is_bigtiff else 0)
    return Found(flags | _lengths(stream) << _LENGTHS, finder.cuts, finder.places, finder.why)


def _lengths(stream: io.BytesIO) -> int:
    """The logarithm of the bytes of a length in the first directory."""
    source = Directories(stream)
    directory = source.directory(source.first)
    sizes = [entry.size // entry.n for entry in directory.entries if entry.code in _COUNT_TAGS] if directory else []
    return max(1, (sizes or [4])[0].bit_length() - 1)


class _Finder:
    """Finds the strips and tiles that come back, page after page.

    Attributes:
        cuts, places, why: see `Found`.
    """

    def __init__(self, file: bytes, thoroughness: int) -> None:
        self._file, self._thoroughness = file, thoroughness
        self.cuts: list[Cut | None] = []
        self.places: list[Place] = []
        self.why = Reason.FORM
        #: What made the pages before: codings with their parameters, and edges, the latest first.
        self._known: list[tuple[Coding, bytes, Any, Flag]] = []
        self._failures, self._files, self._segments = 0, 0, 0

    def page(self, i: int, page: Any, picture: Picture, byteorder: str) -> None:
        codings = CODINGS.get(int(page.compression), ())
        good = page.predictor in PREDICTORS and page.fillorder == 1
        self.cuts.append(None)
        if not good or not codings:
            return
        plain = form_of(page, byteorder)
        places = [*zip(page.dataoffsets, page.databytecounts, strict=False)]
        count = forms.count(plain, picture.frame)
        if len(places) < count or self._segments + count > MOST_SEGMENTS:
            return
        page_bytes = picture.samples.nbytes
        for form in self._likely(plain, codings, picture, places, page.is_tiled):
            if form.spec and not self._affordable(form.spec, page_bytes):
                continue
            if forms.at_once_bytes(form, picture.frame) > FEW_BYTES:
                self.why = Reason.LARGE
                continue
            if form.coding in (Coding.LIBTIFF_LZW, Coding.LIBTIFF_PACKBITS) and self._files + count > _MOST_FILES:
                self.why = Reason.LARGE
                continue
            if found := self._matching(i, form, picture, places[:count]):
                edge = form.flags & Flag.REPEATED_EDGE
                key = (form.coding, form.header, form.spec, edge)
                self._known = [key, *(other for other in self._known if other != key)]
                self.cuts[-1] = Strips(form)
                self.places += found
                self._segments += count
                self._files += count
                return

    def _affordable(self, spec: Any, page_bytes: int) -> bool:
        """Whether an encoder may be given all of a page."""
        most = max(_LEAST_WORK, 2 * self._thoroughness * page_bytes)
        return not spec.wants_all or (spec.cost * page_bytes <= most and spec.worst_cost * page_bytes <= _MOST_WORK)

    def _likely(
        self, plain: Form, codings: Sequence[Coding], picture: Picture, places: Sequence[tuple[int, int]], tiled: bool
    ) -> Iterator[Form]:
        """Yield forms that a page may have: those of the pages before first."""
        for coding, header, spec, edge in [*self._known]:
            if coding in codings and (tiled or not edge):
                yield replace(plain, coding=coding, header=header, spec=spec, flags=plain.flags | edge)
        edges = (Flag(0), Flag.REPEATED_EDGE) if tiled else (Flag(0),)
        if codings[0] is not Coding.DEFLATE:
            yield from (replace(plain, coding=c, flags=plain.flags | edge) for c in codings for edge in edges)
            return
        if self._failures == _FAILURES or forms.at_once_bytes(plain, picture.frame) > FEW_BYTES:
            return
        (start, size), failed = places[0], True
        first = self._file[start : start + size]
        for edge in edges:
            form = replace(plain, flags=plain.flags | edge)
            segment = b"".join(part for part, _ in forms.cutting(form, picture.samples, picture.depth)(0))
            beginning = Beginning(first[:2], segment, first[2:-4], len(segment))
            for spec in Search(beginning, self._thoroughness, whole=True):
                failed = False
                yield replace(form, coding=Coding.DEFLATE, header=first[:2], spec=spec)
        self._failures += failed
        self.why = Reason.DEFLATE

    def _matching(
        self, page: int, form: Form, picture: Picture, places: Sequence[tuple[int, int]]
    ) -> list[Place]:  # fmt: skip
        """The segments that a form makes as they are in the file; none if both the first and the last differ."""
        segment_of, found = forms.cutting(form, picture.samples, picture.depth), dict[int, Place]()

        def add(i: int) -> None:
            start, size = places[i]
            at = int(start)
            for part, rows in segment_of(i):
                made = forms.coded(form, part, rows, bool)
                if not self._file.startswith(made, at):
                    return
                at += len(made)
            if start < at <= start + size:
                found[i] = Place(page, i, int(start), at - int(start))

        ends = {0, len(places) - 1}
        for i in ends:
            add(i)
        if not found or (form.width and found.keys() != ends):  # tiles at the edge tell how they are filled
            return []
        for i in range(1, len(places) - 1):
            add(i)
        return [*found.values()]
