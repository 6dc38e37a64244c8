"""Files of several pages or frames on the command line: compress them, and write them again."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pixcodecs.container.signature import Buffer
from pixcodecs.errors import PixzipError

from pixzip import codec, image
from pixzip.cli.ledger import Ledger
from pixzip.cli.options import BYTES
from pixzip.cli.work import originals
from pixzip.codec.pages import PagesOpening, compress_pages, decompress_pages
from pixzip.image.formats.base import HEAD_BYTES
from pixzip.image.pages import SUFFIXES, Pages
from pixzip.io import folders, signals, streams

#: Why the file of several pages does not come back byte for byte.
_NOT_REBUILT = "files of several pages or frames are not rebuilt"


def compress(
    ledger: Ledger, source: streams.Input, options: codec.Options, *, strip: bool, max_pixels: int | None,
    write: Callable[[str, bytes, os.stat_result | None], None],
) -> bool:  # fmt: skip
    """Compress the pages of a file; False for a file of one image.

    Args:
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
    if loaded.dropped:
        ledger.warn(name, f"not kept: {', '.join(loaded.dropped)}")
    data = compress_pages(_stripped(pages) if strip else pages, options, ledger.part([name]))
    write(name, data, source.stat)
    entry.byte_for_byte, entry.why_not = False, _NOT_REBUILT
    kept = originals.why_kept(source, loaded.dropped, ledger.manner.remove)
    if ledger.manner.remove == BYTES:
        kept = kept or f"it would not come back byte for byte: {_NOT_REBUILT}"
    if ledger.manner.remove and not kept:
        target = ledger.target(name)
        written = PagesOpening(streams.read_pxz(target), None, streams.folder_of(target))
        back = decompress_pages(written, replace(options, max_pixels=None))
        if back != pages:
            ledger.take_back(name)
            raise PixzipError("verification failed: what was written decodes to other pages")
    _finish(ledger, name, source.stat, kept)
    entry.seconds = time.perf_counter() - began
    ledger.done(name)
    return True


def _finish(ledger: Ledger, name: str, stat: Any, kept: str) -> None:
    """Remove an input, with `--rm`, or say why it is kept."""
    if ledger.manner.remove and kept:
        ledger.keep(name, kept)
    elif ledger.manner.remove:
        originals.remove(ledger, name, stat)


def _stripped(pages: Pages) -> Pages:
    found = (replace(page, picture=replace(page.picture, metadata=())) for page in pages.pages)
    return replace(pages, pages=tuple(found), metadata=())


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
        _write_folder(ledger, name, pages)
        kept = "one PNG a page does not hold all that it has"
    else:
        written = image.write_pages(pages, suffix)
        ledger.write(name, written, stat)
        lost = image.lost_of_pages(pages, suffix)
        if lost:
            ledger.warn(name, f"{suffix} does not hold {', '.join(lost)}")
        again = image.load_pages(written, None) if ledger.manner.remove else None
        if again and again.pages != pages:
            kept = f"{suffix} holds the same pages in another form"
        kept = f"{', '.join(lost)} would be lost" if lost else kept
    _finish(ledger, name, stat, kept)
    entry.seconds = time.perf_counter() - began
    ledger.done(name)


def _write_folder(ledger: Ledger, name: str, pages: Pages) -> None:
    digits = max(4, len(str(len(pages.pages))))
    common = pages.metadata
    contents = {
        f"{i:0{digits}}.png": image.write(replace(page.picture, metadata=(*page.picture.metadata, *common)))
        for i, page in enumerate(pages.pages, 1)
    }
    with signals.signals_wait():
        folders.write_folder(ledger.target(name), contents, ledger.manner.force)
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
