"""Scripts: a large file as pieces of an imitation, in their order, and what is between them, with little memory.

Where a patch holds the imitation and the file, a script needs one strip or tile at a time, and what lies between them
in the file: heads, tables, padding.  It is found by comparing, so it allows for strips in any places, if in order.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import BinaryIO

from pixcodecs.errors import BitstreamError
from pixcodecs.primitives import Reader, varint

from pixzip.originals.source import RebuildError

#: Most bytes of a script, and most pieces.
MOST_BYTES, _MOST_PIECES = 1 << 24, 1 << 20
#: Bytes of a piece by which it is found, and bytes of the file in which it is looked for: few, because padding is
#: frequent, and then many.
_PROBE_BYTES, _LOOK_BYTES = 32, (1 << 8, 1 << 22)
#: Most bytes that are replaced by as many.
_MOST_REPLACED = 8
_READ_BYTES = 1 << 16


class _Script:
    """A script that is being written: bytes that are new, bytes of the imitation that are left out, and taken."""

    def __init__(self) -> None:
        self._pieces: list[tuple[int, int, int]] = []
        self._new, self._now = bytearray(), [0, 0, 0]

    def add(self, new: bytes = b"", left_out: int = 0, taken: int = 0) -> None:
        if (new or left_out) and self._now[2]:
            self._pieces.append((self._now[0], self._now[1], self._now[2]))
            self._now = [0, 0, 0]
        self._new += new
        self._now = [self._now[0] + len(new), self._now[1] + left_out, self._now[2] + taken]

    @property
    def is_good(self) -> bool:
        return len(self._new) <= MOST_BYTES // 2 and len(self._pieces) < _MOST_PIECES // 8

    def pack(self) -> bytes:
        pieces = [*self._pieces, tuple(self._now)]
        return varint(len(pieces)) + b"".join(map(varint, chain(*pieces))) + bytes(self._new)


class _Window:
    """The next bytes of a file."""

    def __init__(self, file: BinaryIO) -> None:
        file.seek(0)
        self._file, self._data, self._at = file, b"", 0

    def ahead(self, count: int) -> bytes:
        """The next bytes, fewer at the end of the file."""
        if len(self._data) - self._at < count:
            more = self._file.read(max(_READ_BYTES, count))
            self._data, self._at = self._data[self._at :] + more, 0
        return self._data[self._at : self._at + count]

    def skip(self, count: int) -> bytes:
        found = self.ahead(count)
        self._at += len(found)
        return found


def find(file: BinaryIO, imitation: Iterable[bytes]) -> bytes | None:
    """The script that makes a file of its imitation; None if the file does not have it, or too much besides."""
    window, script, carried = _Window(file), _Script(), b""
    for more in chain(imitation, [b""]):
        part, at, carried = carried + more, 0, b""
        while at < len(part):
            same = _agreed(window.ahead(len(part) - at), part, at)
            script.add(taken=same)
            window.skip(same)
            at += same
            if at == len(part) or not window.ahead(1):
                break
            if len(part) - at < _PROBE_BYTES + _MOST_REPLACED and more:
                carried = part[at:]
                break
            new, left_out = _difference(window, part, at)
            if not new and not more and len(part) - at <= _MOST_REPLACED:
                break
            if not new or not script.is_good:
                return None
            script.add(window.skip(new), left_out)
            at += left_out
    while rest := window.skip(_READ_BYTES):
        script.add(rest)
        if not script.is_good:
            return None
    return script.pack()


def _agreed(data: bytes, part: bytes, at: int) -> int:
    """How many bytes are those of a part from a place on."""
    if part.startswith(data, at):
        return len(data)
    low, high = 0, len(data)  # the first `low` bytes agree, the first `high` do not
    while high - low > 1:
        middle = (low + high) // 2
        if data[low:middle] == part[at + low : at + middle]:
            low = middle
        else:
            high = middle
    return low


def _difference(window: _Window, part: bytes, at: int) -> tuple[int, int]:
    """New bytes of the file, and bytes of a part that they replace, before both go on alike; 0 if they do not."""
    ahead = window.ahead(_MOST_REPLACED + _PROBE_BYTES)
    for count in range(1, _MOST_REPLACED + 1):
        probe = part[at + count : at + count + _PROBE_BYTES]
        if probe and ahead[count : count + len(probe)] == probe:
            return count, count
    probe = part[at : at + _PROBE_BYTES]
    found = (window.ahead(look).find(probe) for look in _LOOK_BYTES)
    return next((new for new in found if new > 0), 0), 0


def apply(script: bytes, imitation: Iterator[bytes], check: Callable[[], object]) -> Iterator[bytes]:
    """Yield the bytes of the file that a script makes of an imitation.

    Args:
        check: raises an error if the time is spent.
    Raises:
        BitstreamError: the script is damaged.
        RebuildError: the imitation ends too early.
    """
    reader = Reader(script)
    count = reader.varint("pieces of the original")
    if count > min(len(script), _MOST_PIECES):
        raise BitstreamError(f"script of {len(script)} bytes has {count} pieces of the original")
    pieces = [tuple(reader.varint("size of a piece") for _ in range(3)) for _ in range(count)]
    source = _Imitation(imitation)
    for new, left_out, taken in pieces:
        check()
        if new:
            yield reader.take(new, "bytes between pieces")
        for _ in source.take(left_out):
            pass
        yield from source.take(taken)
    if reader.at != len(script):
        raise BitstreamError(f"script of the original has {len(script) - reader.at} bytes behind its end")


class _Imitation:
    """An imitation that is read from its beginning to its end."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts, self._part, self._at = parts, b"", 0

    def take(self, count: int) -> Iterator[bytes]:
        """Yield the next bytes.

        Raises:
            RebuildError: there are fewer.
        """
        while count:
            if self._at == len(self._part):
                self._part, self._at = next(self._parts, b""), 0
                if not self._part:
                    raise RebuildError("they become fewer than they were")
            found = self._part[self._at : self._at + count]
            self._at += len(found)
            count -= len(found)
            yield found
