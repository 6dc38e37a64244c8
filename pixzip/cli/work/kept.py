"""JPEGs on the command line: files that are kept as they are, and their pixels where these are asked for."""

import os
from pathlib import Path
from typing import Any

from pixcodecs.container.signature import Buffer
from pixcodecs.errors import PixzipError

from pixzip import image
from pixzip.cli.ledger import Ledger
from pixzip.cli.work import originals
from pixzip.codec import kept
from pixzip.codec.kept import pictures
from pixzip.codec.tiles import Window
from pixzip.io import streams
from pixzip.io.names import JPEG_SUFFIXES


def compress(ledger: Ledger, source: streams.Input, max_pixels: int | None, *, strip: bool) -> str:
    """Keep a JPEG; with `--rm`, check what was written.

    Args:
        source: the open input.
        strip: whether its metadata is not wanted.
    Returns:
        The reason to keep the original; "" if there is none.
    Raises:
        PixzipError, OSError: nothing is written.
    """
    if strip:
        raise PixzipError("a JPEG is kept byte for byte, with its metadata: --strip needs --pixels, which codes pixels")
    name, data = source.name, source.read()
    entry = ledger[name]
    width, height = kept.size(data)
    entry.bytes_before, entry.pixels = len(data), width * height or None
    ledger.write(name, kept.keep(data, max_pixels), source.stat)
    if not ledger.manner.remove or (reason := originals.not_removable(source)):
        return reason if ledger.manner.remove else ""
    _compare(ledger, name, data, lambda: kept.restore(streams.read_pxz(ledger.target(name)), None))
    return ""


def decompress(
    ledger: Ledger, name: str, data: Buffer, max_pixels: int | None, *, stat: os.stat_result | None,
    region: Window | None, salvage: bool,
) -> str:  # fmt: skip
    """Write the JPEG that a file keeps, or, for the suffix of another format, its pixels.

    Returns:
        The reason to keep the `.pxz` file in spite of `--rm`; "" if there is none.
    Raises:
        PixzipError, OSError: nothing is written, or with `salvage` only a part.
    """
    target = ledger.target(name)
    suffix = "" if target == streams.STANDARD else Path(target).suffix.lower()
    whole = target == streams.STANDARD and not region
    if not whole and suffix not in JPEG_SUFFIXES:
        return _pixels(ledger, name, data, suffix, max_pixels, stat, region)
    if region:
        raise PixzipError(f"a region is pixels, which {suffix} does not hold as they are: -o x.png takes it")
    found, damage = kept.salvage(data, max_pixels) if salvage else (kept.restore(data, max_pixels), "")
    width, height = kept.size(found)
    ledger[name].pixels = width * height or None
    ledger.write(name, found, stat, whole=not damage)
    if damage:
        raise PixzipError(f"{damage}; {len(found)} bytes that may be right are written")
    if ledger.manner.remove:
        _compare(ledger, name, found, lambda: streams.read(target))
    return ""


def _pixels(
    ledger: Ledger, name: str, data: Buffer, suffix: str, max_pixels: int | None, stat: os.stat_result | None,
    region: Window | None,
) -> str:  # fmt: skip
    suffix = ".png" if ledger.target(name) == streams.STANDARD else suffix
    picture, dropped = pictures.load(data, max_pixels, region)
    image.check_frame(picture.frame, suffix)
    if max_pixels is not None:
        image.check_memory(suffix, picture.pixels, len(data))
    ledger[name].pixels = picture.pixels
    ledger.write(name, image.write(picture, suffix), stat, whole=not region)
    lost = sorted({*dropped, *image.lost(picture, suffix)})
    if lost:
        ledger.warn(name, f"{suffix} does not hold {', '.join(lost)}")
    return "it keeps a JPEG, whose own bytes would be lost"


def _compare(ledger: Ledger, name: str, expected: bytes, again: Any) -> None:
    """
    Args:
        again: returns the bytes in question.
    Raises:
        PixzipError: they are others; what was written is taken back.
    """
    with originals.comparing(ledger, name):
        if again() != expected:
            raise PixzipError("what was written gives other bytes")
