"""The tags of a TIFF file: as bytes into a block of EXIF, and from there into a TIFF file again."""

import os
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

from pixzip.image.formats import exif, ifd
from pixzip.image.formats.account import Account
from pixzip.image.formats.ifd import POINTERS, SUB_IFDS, Entry, Form, Source, Tag

SUBFILE_TYPE = 254
ICC, XMP, COLOUR_MAP = 34675, 700, 320
#: Tags that describe the layout of the samples, or repeat it.
STRUCTURE = frozenset(
    {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293}
    | {317, COLOUR_MAP, 322, 323, 324, 325, 338, 339, 347, 513, 514, 529, 530, 531, 532, 32997, 32998}
)
#: Tags that point to images, or to parameters of samples, which EXIF does not hold.
_OTHER_POINTERS = frozenset({SUB_IFDS, 400})
#: Tags that say nothing where they have their default.
_DEFAULTS = {SUBFILE_TYPE: 0, 255: 1, 263: 1}
#: Where the bytes of segments are: tags of offsets, and of sizes.
_SEGMENTS = ((273, 279), (324, 325), (288, 289), (513, 514))


class Read(NamedTuple):
    """What a TIFF file says beside its samples.

    Attributes:
        icc, xmp, exif, resolution: see `Embedded`.
        dropped: names of tags that are lost.
    """

    icc: bytes
    xmp: bytes
    exif: bytes
    resolution: bytes
    dropped: list[str]


def account(file: BinaryIO) -> Account:
    """See `Format.account`: all directories, their values, and the segments of samples."""
    source = Source(file)
    found = Account.of((0, source.head_bytes))
    for directory in source.walk({*POINTERS, SUB_IFDS}):
        found.take(directory.start, directory.size)
        entries = {entry.code: entry for entry in directory.entries}
        for entry in directory.entries:
            found.take(entry.start, entry.size)
        for starts, sizes in _SEGMENTS:
            if starts in entries and sizes in entries:
                for start, size in zip(source.numbers(entries[starts]), source.numbers(entries[sizes]), strict=False):
                    found.take(start, size)
    return found


def read(file: BinaryIO, start: int, *, deep_palette: bool = False) -> Read:
    """The metadata in the tags of a page, as the bytes that they are.

    Args:
        start: offset of the page's directory.
        deep_palette: keep the colours, because a picture's palette has only their high bytes.
    """
    source = Source(file)
    form = Form(source.form.order)
    left = STRUCTURE - {COLOUR_MAP} if deep_palette else STRUCTURE
    directory = source.directory(start)
    dropped = [f"damaged tag {code}" for code in directory.damaged] if directory else []
    try:
        tags = list(source.tags(start, lambda code: code not in left | _OTHER_POINTERS))
    except ValueError as e:
        return Read(b"", b"", b"", b"", [f"tags ({e})"])
    bodies = {tag.code: tag.data for tag in tags if tag.code in (ICC, XMP)}
    density = exif.density_of(tags, source.form)
    body = density.body if density else b""
    implied = density is not None and (density.square or density.same(exif.density_for(body)))
    kept = []
    for tag in tags:
        if tag.code in bodies or (tag.code in exif.RESOLUTION and (implied or density is None)):
            continue
        if tag.code in _DEFAULTS and source.form.numbers(tag.kind, tag.data) == (_DEFAULTS[tag.code],):
            continue
        small = _classic(tag, source.form)
        kept += [small] if small else []
        dropped += [] if small else [name(tag.code)]
    dropped += [name(entry.code) for entry in directory.entries if entry.code in _OTHER_POINTERS] if directory else []
    return Read(bodies.get(ICC, b""), bodies.get(XMP, b""), ifd.block(kept, form), body, dropped)


def _classic(tag: Tag, form: Form) -> Tag | None:
    """A tag, and the tags within, for EXIF; None if a number does not fit."""
    inner = [ifd.classic(t, form) for t in tag.inner]
    if None in inner:
        return None
    return ifd.classic(tag._replace(inner=tuple(t for t in inner if t)), form)


def name(code: int) -> str:
    """The name of a tag for people."""
    import tifffile

    known = tifffile.TIFF.TAGS.get(code, "")
    return known or f"tag {code}{' (private)' if code >= 32768 else ''}"


def extra(tags: Sequence[Tag]) -> list[tuple[int, int, int, bytes, bool]]:
    """The tags of a block of EXIF that a TIFF file keeps as they are, in the form that `tifffile.imwrite` takes.

    Pointers, which tifffile refuses, have stand-ins.
    """
    left = STRUCTURE | exif.RESOLUTION | _OTHER_POINTERS | {ICC, XMP, SUBFILE_TYPE}
    kept = [tag for tag in tags if tag.code not in left and tag.n]
    return [(_stand_in(tag.code, tags), ifd.LONG, 1, bytes(4), True) if tag.inner else (*tag[:4], True) for tag in kept]


def _stand_in(code: int, tags: Sequence[Tag]) -> int:
    """A code that no tag has and that is sorted like this one."""
    present = {tag.code for tag in tags}
    return next(c for c in (code - 1, code + 1, code + 2) if c not in present)


def place(tags: Sequence[Tag], head: BinaryIO, at: int, where: int = 0) -> bytes:
    """Complete a directory of a file that was written with `extra`.

    Args:
        head: the file, or its beginning with the first directory; pointers are set, and rationals that are equal to
            those of `tags` get their bytes.
        at: even offset at which the result will be.
        where: offset of the directory; 0 for the first one.
    Returns:
        The directories to which the pointers point.
    """
    source = Source(head)
    where = where or source.first
    directory, form = source.directory(where), source.form
    entries: dict[int, Entry] = {entry.code: entry for entry in directory.entries} if directory else {}
    found = exif.density_of(source.tags(where, lambda code: code in exif.RESOLUTION), form)
    same = found is not None and found.same(exif.density_of(tags, form))
    out = b""
    for tag in tags:
        if same and tag.code in (exif.X_RESOLUTION, exif.Y_RESOLUTION):
            head.seek(entries[tag.code].start)
            head.write(tag.data)
        elif tag.inner:
            out += bytes(len(out) % 2)
            entry = entries[_stand_in(tag.code, tags)]
            head.seek(entry.start - 4 - form.room)
            head.write(form.pack("H", tag.code))
            head.seek(entry.start)
            head.write(form.pack("I", at + len(out)))
            out += ifd.pack(tag.inner, form, at + len(out))
    head.seek(0, os.SEEK_END)
    return out
