"""Files of several pages or frames on the command line: compress them, and write them again."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pixcodecs.container.signature import Buffer
from pixcodecs.errors import PixzipError

from pixzip import codec, image
from pixzip.cli.ledger import Ledger
from pixzip.cli.options import BYTES
from pixzip.cli.work import originals
from pixzip.codec import pages_original
from pixzip.codec.pages import PagesOpening, decompress_pages
from pixzip.image.formats.base import HEAD_BYTES
from pixzip.image.pages import SUFFIXES, Pages
from pixzip.io import files, folders, signals, streams
from pixzip.originals import RebuildError, Record


def compress(
    ledger: Ledger, source: streams.Input, options: codec.Options, *, strip: bool, max_pixels: int | None,
    thoroughness: int, write: Callable[[str, bytes, os.stat_result | None], None],
) -> bool:  # fmt: skip
    """Compress the pages of a file; False for a file of one image.

    Args:
        thoroughness: work to find out how the original is rebuilt; 0 if it is not.
        write: writes the output of an input that has such a status.

    Raises:
        PixzipError, OSError: any error; nothing is written in this case.
    """
    name, began = source.name, time.perf_counter()
    image.check_head(source.head(HEAD_BYTES))
    if not image.has_pages(source.file()):
        return False
    loaded = image.load_pages(source.read(), max_pixels)
    if loaded is None:
        return False
    pages, entry = loaded.pages, ledger[name]
    entry.bytes_before, entry.pixels = source.size_bytes, pages.pixels
    data, record = pages_original.compress(
        source.file(), pages, options, thoroughness, strip=strip, progress=ledger.part([name])
    )
    whole = bool(record and record.is_kept)
    if loaded.dropped and not whole:
        ledger.warn(name, f"not kept: {', '.join(loaded.dropped)}")
    write(name, data, source.stat)
    entry.byte_for_byte, entry.why_not = whole, record.why_not or None if record else None
    kept = originals.why_kept(source, loaded.dropped, ledger.manner.remove)
    if ledger.manner.remove == BYTES and record and not whole:
        kept = kept or f"it would not come back byte for byte: {record.why_not}"
    if ledger.manner.remove and not kept:
        with originals.comparing(ledger, name):
            _check(ledger, name, pages, record, replace(options, max_pixels=None))
    _finish(ledger, name, source.stat, kept)
    entry.seconds = time.perf_counter() - began
    ledger.done(name)
    return True


def _check(ledger: Ledger, name: str, pages: Pages, record: Record | None, options: codec.Options) -> None:
    """Decode what was written, and rebuild its original, where its bytes are promised.

    Raises:
        PixzipError: other pages, or another original, come back.
    """
    target = ledger.target(name)
    written = PagesOpening(streams.read_pxz(target), None, streams.folder_of(target))
    back = decompress_pages(written, options)
    if back != pages:
        raise PixzipError("what was written decodes to other pages")
    if ledger.manner.remove == BYTES:
        if record is None or written.original != record:
            raise PixzipError("what was written holds another original")
        pages_original.check(written, back, options)


def _finish(ledger: Ledger, name: str, stat: Any, kept: str) -> None:
    """Remove an input, with `--rm`, or say why it is kept."""
    if ledger.manner.remove and kept:
        ledger.keep(name, kept)
    elif ledger.manner.remove:
        originals.remove(ledger, name, stat)


def decompress(
    ledger: Ledger, name: str, data: Buffer, options: codec.Options, *, stat: Any, kept: str, folder: bool, whole: bool
) -> None:
    """Write the pages of a file as a file of their kind, or as one PNG a page.

    Args:
        stat, kept: see `cli.work.decompress._Item`.
        folder: whether the output is a folder of PNGs.
        whole: whether all of the file is wanted.
    Raises:
        PixzipError, OSError: any error; nothing is written in this case.
    """
    began, entry, target = time.perf_counter(), ledger[name], ledger.target(name)
    if not whole:
        raise PixzipError("a file of several pages is decompressed as a whole: -o DIR/ gives one PNG a page")
    opening = PagesOpening(data, options.max_pixels, streams.folder_of(name))
    entry.pixels = opening.pixels
    kind = opening.header.kind
    suffix = SUFFIXES[kind] if target == streams.STANDARD else Path(target).suffix
    pages = decompress_pages(opening, options, ledger.part([name]))
    if folder:
        _write_folder(ledger, name, pages, stat)
        kept = "one PNG a page does not hold all that it has"
    elif not _rebuilt(ledger, name, opening, pages, options, stat):
        written = image.write_pages(pages, suffix)
        ledger.write(name, written, stat)
        lost = image.lost_of_pages(pages, suffix)
        if lost:
            ledger.warn(name, f"{suffix} does not hold {', '.join(lost)}")
        if lost:
            kept = f"{', '.join(lost)} would be lost"
        elif ledger.manner.remove == BYTES and pages_original.is_kept(opening):
            kept = kept or originals.ORIGINAL_LOST
        if ledger.manner.remove and not kept:
            kept = _read_back(ledger, name, pages)
    _finish(ledger, name, stat, kept)
    entry.seconds = time.perf_counter() - began
    ledger.done(name)


def _read_back(ledger: Ledger, name: str, pages: Pages) -> str:
    """The reason to keep a `.pxz` file although its samples were written: they have another form; "" if there is none.

    Raises:
        PixzipError: the written file has other samples, and is taken back.
    """
    target = ledger.target(name)
    with originals.comparing(ledger, name):
        data = streams.read(target)
        loaded = image.load_pages(data, None)
        if loaded and loaded.pages == pages:
            return ""
        again = [page.picture for page in loaded.pages.pages] if loaded else [image.load(data, None).picture]
        wanted = [page.picture for page in pages.pages]
        pairs = [(a.samples, b.samples) for a, b in zip(again, wanted, strict=False)]
        if len(again) != len(wanted) or any(a.shape == b.shape and not np.array_equal(a, b) for a, b in pairs):
            raise PixzipError("what was written has other pages")
    return f"{Path(target).suffix} holds the same pages in another form"


def _rebuilt(
    ledger: Ledger, name: str, opening: PagesOpening, pages: Pages, options: codec.Options, stat: Any
) -> bool:  # fmt: skip
    """Write the original file, if the output has its format; False, perhaps after a warning, if it is written anew."""
    target = ledger.target(name)
    suffix = Path(target).suffix.lower()
    if not pages_original.is_kept(opening):
        return False
    if target != streams.STANDARD and suffix not in pages_original.suffixes(opening):
        return False
    files.make_folder(target)
    with files.spool(target) as out:
        try:
            pages_original.rebuild(opening, pages, options, out)
        except RebuildError as e:
            ledger.warn(name, f"{e}: {suffix or 'the file'} is written anew")
            ledger[name].byte_for_byte = False
            return False
        ledger.write(name, out, stat)
    ledger[name].byte_for_byte = True
    if ledger.manner.remove and opening.original:
        originals.check_written(ledger, name, opening.original)
    return True


def _write_folder(ledger: Ledger, name: str, pages: Pages, stat: Any) -> None:
    digits = max(4, len(str(len(pages.pages))))
    common = pages.metadata
    contents = {
        f"{i:0{digits}}.png": image.write(replace(page.picture, metadata=(*page.picture.metadata, *common)))
        for i, page in enumerate(pages.pages, 1)
    }
    with signals.signals_wait():
        folders.write_folder(ledger.target(name), contents, ledger.manner.force, stat)
        ledger.written += 1
    ledger[name].bytes_after = sum(map(len, contents.values()))
    lost = [
        what
        for what, found in {
            "durations": any(page.duration and page.duration[0] for page in pages.pages),
            "places": any(page.x or page.y for page in pages.pages),
            "disposal and blending": any(page.disposal or page.blend for page in pages.pages),
            "which are thumbnails": any(page.thumbnail for page in pages.pages),
            "number of loops": pages.kind.animated,
        }.items()
        if found
    ]
    if lost:
        ledger.warn(name, f"single PNGs do not hold {', '.join(lost)}")
