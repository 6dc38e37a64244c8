"""Make the record of an original of several pages, and rebuild the original from it."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO

import numpy as np
from pixcodecs.container.pages import Kind as FileKind
from pixcodecs.errors import BitstreamError, PixzipError

from pixzip.image.formats.base import one_error
from pixzip.image.formats.metadata import from_chunks
from pixzip.image.pages import Pages
from pixzip.image.picture import Chunk, Frame
from pixzip.originals import patch
from pixzip.originals.pages import animations, png, tiff
from pixzip.originals.pages import recipe as recipes
from pixzip.originals.pages.cuts import Cut, Found, Kind, Layout
from pixzip.originals.pages.recipe import Recipe, Run
from pixzip.originals.record import Family, Reason, Record, not_kept
from pixzip.originals.source import (
    Clock,
    Output,
    RebuildError,
    check_digest,
    check_total,
    digest,
    extras_bytes,
    samples_bytes,
)

KINDS = {
    FileKind.TIFF: Kind(tiff.read, tiff.find, tiff.predict),
    FileKind.PNG: Kind(png.read, png.find, png.predict),
    FileKind.GIF: Kind(animations.read_gif, animations.find_gif, animations.predict),
    FileKind.WEBP: Kind(animations.read_webp, animations.find_webp, animations.predict),
}
#: Most bytes of the dictionary, and most of it that does not depend on the segments.
_MOST_DICTIONARY = 1 << 26
#: A file is kept only if less than this part of it is between the segments.
_MOST_BETWEEN = 2
_PIECE_BYTES = 1 << 20


def make(original: BinaryIO, pages: Pages, thoroughness: int = 2) -> Record:
    """The record of an original, after it was rebuilt from its pages and compared.

    Args:
        original: the file, which is read and sought.
        pages: what it was read to.
        thoroughness: see `originals.make`.
    Returns:
        A record without a recipe, which says why, if the original does not come back.
    """
    original.seek(0)
    file, why = original.read(), Reason.FORM
    size, sha256 = digest(original)
    try:
        with one_error("rebuilt", PixzipError):
            found = KINDS[pages.kind].find(file, pages, thoroughness)
            why = found.why
            recipe = _recipe(file, pages, found)
            if recipe is None:
                return not_kept(why)
            record = Record(Family.PAGES, size, sha256, recipe.pack())
            clock = Clock(None)
            _rebuild(record, pages, Output(again := io.BytesIO(), size, clock, original))
            check_digest(again, record.size_bytes, record.sha256)
            return replace(record, rebuild_s=clock.trusted_s)
    except PixzipError:  # a form of the format that was not expected
        return not_kept(why)


def _recipe(file: bytes, pages: Pages, found: Found) -> Recipe | None:
    """The recipe of a file; None if too much of it is between the segments."""
    layout = Layout([page.picture.frame for page in pages.pages], found.cuts)
    runs, gaps, at = list[Run](), list[bytes](), 0
    for place in sorted(found.places, key=lambda place: (place.start, place.size)):
        number = layout.starts[place.page] + place.number
        if place.start < at:  # two pages have the same samples
            continue
        if runs and place.start == at and number == runs[-1].first + runs[-1].segments:
            runs[-1] = runs[-1]._replace(segments=runs[-1].segments + 1)
        else:
            runs.append(Run(place.start - at, number, 1))
            gaps.append(file[at : place.start])
        layout.spans[number] = place.start, place.size
        at = place.start + place.size
    gaps.append(file[at:])
    between = b"".join(gaps)
    if not runs or _MOST_BETWEEN * len(between) > len(file) + _PIECE_BYTES:
        return None
    made = patch.make(
        between, _dictionary(pages, found.flags, found.cuts, layout), thorough=len(between) < _PIECE_BYTES
    )
    return Recipe(found.flags, tuple(found.cuts), tuple(runs), len(gaps[-1]), made)


def _dictionary(pages: Pages, flags: int, cuts: Sequence[Cut | None], layout: Layout) -> bytes:
    """What the file may have between its segments: the dictionary of the patch."""
    out = bytearray()
    for part in _known(pages):
        out += part[: _MOST_DICTIONARY - len(out)]
    for part in KINDS[pages.kind].predict(pages, flags, cuts, layout):
        out += part[: _MOST_DICTIONARY - len(out)]
    return bytes(out)


def _known(pages: Pages) -> Iterator[bytes]:
    """The metadata and colours of all pages, each once."""
    seen = set[bytes]()
    for frame in (None, *(page.picture.frame for page in pages.pages)):
        for part in _chunks(pages.metadata) if frame is None else _parts(frame):
            if part and part not in seen:
                seen.add(part)
                yield part


def _chunks(metadata: Sequence[Chunk]) -> list[bytes]:
    embedded, _ = from_chunks(metadata, ("icc", "exif", "xmp"))
    return [embedded.icc, embedded.exif, embedded.xmp, *(c.data for c in metadata if c.type == b"tEXt")]


def _parts(frame: Frame) -> list[bytes]:
    colours = np.frombuffer(frame.palette, np.uint8).reshape(-1, 3)
    return [*_chunks(frame.metadata), frame.palette, np.repeat(colours.T, 2).tobytes(), frame.transparency]


def rebuild(record: Record, pages: Pages, out: BinaryIO, seconds: float | None = None) -> None:
    """Write an original.

    Args:
        record: of the family of pages.
        pages: the decoded pages.
        out: an empty file that can be sought and read.
        seconds: most processor time; None lifts the limit.
    Raises:
        BitstreamError: the record is damaged or hostile.
        RebuildError: other bytes come out, because an encoder is of another version than where the record was made.
        OSError: the file cannot be written.
    """
    if record.family is not Family.PAGES:
        raise ValueError("the record is none of an original of several pages")
    try:
        with one_error("rebuilt", BitstreamError, RebuildError, OSError):
            _rebuild(record, pages, Output(out, record.size_bytes, seconds))
    except (BitstreamError, RebuildError):
        raise
    except PixzipError as e:  # a library refuses the samples
        raise RebuildError(str(e)) from None
    check_digest(out, record.size_bytes, record.sha256)


def _rebuild(record: Record, pages: Pages, out: Output) -> None:
    frames, kind = [page.picture.frame for page in pages.pages], KINDS[pages.kind]
    extras = len(record.recipe) + sum(map(extras_bytes, frames)) + sum(len(c.data) for c in pages.metadata)
    check_total(record.size_bytes, sum(map(samples_bytes, frames)), extras, len(frames))
    recipe = recipes.read(record.recipe, frames, kind.read)
    for frame, cut in zip(frames, recipe.cuts, strict=True):
        if cut is not None:
            cut.check(frame, out.most_bytes)
    layout = Layout(frames, recipe.cuts)
    recipes.check_runs(recipe.runs, layout.starts[-1])
    gaps = _write_segments(recipe, pages, layout, out)
    dictionary = _dictionary(pages, recipe.flags, recipe.cuts, layout)
    try:
        _fill(gaps, patch.apply(recipe.patch, dictionary, recipe.gaps), out)
    except BitstreamError as e:
        if all(cut is None or cut.is_exact for cut in recipe.cuts):
            raise
        raise RebuildError(str(e)) from None


def _write_segments(recipe: Recipe, pages: Pages, layout: Layout, out: Output) -> list[tuple[int, int]]:
    """Write all segments; returns the places between them, (offset, length)."""
    gaps, current, made = [], -1, None
    for run in recipe.runs:
        gaps.append((out.tell(), run.gap))
        out.reserve(run.gap)
        for number in range(run.first, run.first + run.segments):
            page, i = layout.page(number)
            cut = recipe.cuts[page]
            if page != current or made is None:
                if cut is None:
                    raise BitstreamError(f"recipe has a segment of page {page}, which has none")
                current, made = page, cut.segments(pages.pages[page].picture)
            start = out.tell()
            for part in made(i, out):
                out.write(part)
                out.clock.check()
            layout.spans[number] = start, out.tell() - start
    gaps.append((out.tell(), recipe.tail))
    out.reserve(recipe.tail)
    return gaps


def _fill(gaps: Sequence[tuple[int, int]], pieces: Iterator[bytes], out: Output) -> None:
    """Write the bytes between the segments."""
    waiting = b""
    for at, size in gaps:
        while size:
            waiting = waiting or next(pieces, b"")
            part, waiting = waiting[:size], waiting[size:]
            if not part:
                raise BitstreamError("record of the original damaged: its patch gives too little")
            out.patch(at, part)
            at, size = at + len(part), size - len(part)
    for _ in pieces:  # the end of the patch is checked
        pass
