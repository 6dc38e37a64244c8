"""Directories of tags, as TIFF and EXIF have them, copied as the bytes they are.

Values are neither interpreted nor converted, so that texts keep their encoding, and tags that nobody knows come along.
Offsets inside a value, which some makers' notes have, are not known here and not changed.

[1] TIFF, Revision 6.0, Adobe, 1992; BigTIFF: https://www.awaresystems.be/imaging/tiff/bigtiff.html
"""

import io
import os
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO, NamedTuple, Self

#: Bytes of one value, by the number of its type.
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
SHORT, LONG, RATIONAL, _LONG8, _IFD8 = 3, 4, 5, 16, 18
EXIF_IFD, GPS_IFD, INTEROPERABILITY_IFD, SUB_IFDS = 34665, 34853, 40965, 330
#: Tags whose value is the offset of a directory that describes the image.
POINTERS = frozenset({EXIF_IFD, GPS_IFD, INTEROPERABILITY_IFD})
#: Most directories of a file that are followed.
_MOST_DIRECTORIES = 1 << 12


class Form(NamedTuple):
    """How a file writes its numbers.

    Attributes:
        order: "<" or ">".
        big: whether it is a BigTIFF, whose offsets have 64 bits.
    """

    order: str = "<"
    big: bool = False

    @property
    def offset(self) -> str:
        return "Q" if self.big else "I"

    @property
    def room(self) -> int:
        """Most bytes of a value that stand in its entry."""
        return 8 if self.big else 4

    def pack(self, codes: str, *values: int) -> bytes:
        return struct.pack(self.order + codes, *values)

    def unpack(self, codes: str, data: bytes) -> tuple[int, ...]:
        return struct.unpack(self.order + codes, data)

    def numbers(self, kind: int, data: bytes) -> tuple[int, ...]:
        """The values of a type of unsigned integers; of rationals, numerator and denominator of each."""
        code = {1: "B", SHORT: "H", LONG: "I", RATIONAL: "I", 13: "I", _LONG8: "Q", _IFD8: "Q"}.get(kind, "")
        size = struct.calcsize(code) if code else 1
        return self.unpack(f"{len(data) // size}{code}", data) if code else ()


class Entry(NamedTuple):
    """A tag in a file, whose value starts at an offset."""

    code: int
    kind: int
    n: int
    start: int
    size: int
    inside: bool


class Directory(NamedTuple):
    """A directory in a file.

    Attributes:
        start, size: its place, without values outside.
        entries: entries whose values are in the file.
        damaged: codes of the others.
        next: offset of the next directory, 0 if there is none.
    """

    start: int
    size: int
    entries: tuple[Entry, ...]
    damaged: tuple[int, ...]
    next: int


class Tag(NamedTuple):
    """A tag with its value: bytes in the byte order of the file, or the tags of a directory."""

    code: int
    kind: int
    n: int
    data: bytes
    inner: tuple["Tag", ...] = ()


class Source:
    """A file, or a block of EXIF, whose directories are read one by one."""

    def __init__(self, file: BinaryIO) -> None:
        """
        Raises:
            ValueError: it does not start like TIFF.
        """
        self._file, self.size = file, file.seek(0, os.SEEK_END)
        file.seek(0)
        head = file.read(16)
        order = {b"II": "<", b"MM": ">"}.get(head[:2])
        magic = int.from_bytes(head[2:4], "little" if order == "<" else "big")
        if order is None or magic not in (42, 43) or len(head) < (16 if magic == 43 else 8):
            raise ValueError(f"tags start with {head[:4].hex()}, expected those of TIFF or BigTIFF")
        self.form = Form(order, magic == 43)
        self.head_bytes = 16 if self.form.big else 8
        (self.first,) = self.form.unpack(self.form.offset, head[self.head_bytes - self.form.room : self.head_bytes])

    @classmethod
    def of(cls, block: bytes) -> Self:
        """The directories in a block of EXIF.  Raises ValueError: see above."""
        return cls(io.BytesIO(block))

    def directory(self, start: int) -> Directory | None:
        """The directory at an offset; None if it is empty or not within the file."""
        form = self.form
        few, each, tail = (8, 20, 8) if form.big else (2, 12, 4)
        head = self._take(start, few)
        count = form.unpack("Q" if form.big else "H", head)[0] if len(head) == few and start else 0
        if not count or start + few + each * count + tail > self.size:
            return None
        body = self._take(start + few, each * count + tail)
        entries, damaged = [], []
        for at in range(0, each * count, each):
            code, kind, n = form.unpack("HH" + form.offset, body[at : at + each - form.room])
            size, inside = n * TYPE_BYTES.get(kind, 0), n * TYPE_BYTES.get(kind, 0) <= form.room
            place = start + few + at + each - form.room
            if not inside:
                (place,) = form.unpack(form.offset, body[at + each - form.room : at + each])
            if kind in TYPE_BYTES and place + size <= self.size:
                entries.append(Entry(code, kind, n, place, size, inside))
            else:
                damaged.append(code)
        (behind,) = form.unpack(form.offset, body[-tail:])
        return Directory(start, few + each * count + tail, tuple(entries), tuple(damaged), behind)

    def value(self, entry: Entry) -> bytes:
        return self._take(entry.start, entry.size)

    def numbers(self, entry: Entry) -> tuple[int, ...]:
        """The integers of an entry; () for a type that has none."""
        return self.form.numbers(entry.kind, self.value(entry))

    def tags(self, start: int, wanted: Callable[[int], bool] = lambda code: True) -> tuple[Tag, ...]:
        """The tags of a directory, with those of the directories of EXIF within.

        Args:
            wanted: tells by its code whether to take a tag of the outermost directory.
        Raises:
            ValueError: the values take more bytes than the file, or directories contain each other.
        """
        return self._tags(start, wanted, [self.size], set())

    def _tags(self, start: int, wanted: Callable[[int], bool], room: list[int], seen: set[int]) -> tuple[Tag, ...]:
        if start in seen:
            raise ValueError("directories of tags contain each other")
        directory, found = self.directory(start), []
        for entry in directory.entries if directory else ():
            if not wanted(entry.code):
                continue
            room[0] -= 0 if entry.inside else entry.size
            if room[0] < 0:
                raise ValueError("values of tags take more bytes than the file")
            inner: tuple[Tag, ...] = ()
            if entry.code in POINTERS and (to := self.numbers(entry)):
                inner = self._tags(to[0], lambda code: True, room, seen | {start})
            if inner or entry.code not in POINTERS:
                found.append(Tag(entry.code, entry.kind, entry.n, self.value(entry), inner))
        return tuple(found)

    def walk(self, follow: Iterable[int]) -> list[Directory]:
        """All directories of the file: those of the pages, and those that the tags `follow` point to."""
        waiting, seen = [self.first], set[int]()
        found: list[Directory] = []
        pointers = frozenset(follow)
        while waiting and len(found) < _MOST_DIRECTORIES:
            start = waiting.pop()
            if start in seen or not (directory := self.directory(start)):
                continue
            seen.add(start)
            found.append(directory)
            waiting.append(directory.next)
            waiting += [to for e in directory.entries if e.code in pointers for to in self.numbers(e)]
        return found

    def _take(self, start: int, size: int) -> bytes:
        if not 0 <= start <= self.size:
            return b""
        self._file.seek(start)
        return self._file.read(size)


def classic(tag: Tag, form: Form) -> Tag | None:
    """A tag of a BigTIFF for a file whose offsets have 32 bits; None if its numbers do not fit."""
    if tag.kind not in (_LONG8, 17, _IFD8) or tag.inner:
        return tag
    values = form.numbers(_LONG8, tag.data)
    if tag.kind == 17 or any(value >= 1 << 32 for value in values):
        return None
    return tag._replace(kind=LONG, data=form.pack(f"{len(values)}I", *values))


def pack(tags: Sequence[Tag], form: Form, at: int) -> bytes:
    """A directory at an even offset of a file, with values and inner directories behind it."""
    few, few_bytes, each = ("Q", 8, 20) if form.big else ("H", 2, 12)
    head_bytes = few_bytes + each * len(tags) + form.room
    begin = at + head_bytes + (at + head_bytes) % 2
    entries, behind = b"", b""
    for tag in sorted(tags, key=lambda tag: tag.code):
        kind, count, data, place = tag.kind, tag.n, tag.data, begin + len(behind)
        if tag.inner:
            kind, count, data = (_IFD8 if form.big else LONG), 1, form.pack(form.offset, place)
            behind += pack(tag.inner, form, place)
        elif len(data) > form.room:
            behind += data
            data = form.pack(form.offset, place)
        behind += bytes(len(behind) % 2)
        entries += form.pack("HH" + form.offset, tag.code, kind, count) + data.ljust(form.room, b"\0")
    head = form.pack(few, len(tags)) + entries + bytes(form.room)
    return head + bytes(begin - at - len(head)) + behind


def block(tags: Sequence[Tag], form: Form) -> bytes:
    """A block of EXIF with these tags, whose values are in the byte order of `form`; empty without tags."""
    if not tags:
        return b""
    plain = Form(form.order)
    head = (b"II" if form.order == "<" else b"MM") + plain.pack("HI", 42, 8)
    return head + pack(tags, plain, 8)


def with_tags(exif: bytes, tags: Sequence[Tag]) -> bytes:
    """A block of EXIF with more tags, whose values are little-endian in a new block.

    The block stays as it is, so that all offsets in it hold: a copy of its first directory is appended, with more tags.

    Raises:
        ValueError: the block does not start like TIFF.
    """
    if not exif:
        return block(tags, Form())
    source = Source.of(exif)
    form, first = source.form, source.directory(source.first)
    if form.big or first is None:
        raise ValueError("EXIF has no directory")
    out = exif + bytes(len(exif) % 2)
    old = [out[e : e + 12] for e in range(first.start + 2, first.start + first.size - 4, 12)]
    at, count = len(out), len(old) + len(tags)
    values = at + 2 + 12 * count + 4
    new, behind = [], b""
    for tag in tags:
        data = _swapped(tag, form.order)
        if len(data) > 4:
            data, behind = form.pack("I", values + len(behind)), behind + data
        new.append(form.pack("HHI", tag.code, tag.kind, tag.n) + data.ljust(4, b"\0"))
    entries = sorted([*old, *new], key=lambda e: form.unpack("H", e[:2]))
    out += form.pack("H", count) + b"".join(entries) + form.pack("I", first.next) + behind
    return out[:4] + form.pack("I", at) + out[8:]


def _swapped(tag: Tag, order: str) -> bytes:
    """The little-endian numbers of a tag in another byte order."""
    unit = {SHORT: 2, LONG: 4, RATIONAL: 4}.get(tag.kind, 1)
    if order == "<":
        return tag.data
    return b"".join(tag.data[i : i + unit][::-1] for i in range(0, len(tag.data), unit))
