"""Find the encoder of a deflate stream: try the most frequent ones on the beginning, within a budget of work.

A stream's header hints at the level, and most programs leave zlib's other parameters alone, so few trials are needed.
What the first block tells of the encoder leaves out most of them: see `deflate_hints`.
The work is counted in bytes and not in seconds, so that files are the same on every machine.
"""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from pixzip.originals.deflaters import Kind, Spec, encoder

#: Most bytes of data that are looked at.
BEGINNING_BYTES = 1 << 20
#: Least and most work of a search, in bytes; between them it is in proportion to the data.
_LEAST_WORK, _MOST_WORK = 1 << 20, 1 << 25
#: Encoders that are tried on the whole stream.
_FINALISTS = 6
_PIECE_BYTES = 1 << 14
#: Bytes of the stream that two encoders hardly have in common by chance.
_EVIDENCE_BYTES = 256
#: Levels by the hint in a stream's header.
_HINTED = ((1, 0), (3, 4, 5, 2), (6,), (9, 8, 7))


class Beginning(NamedTuple):
    """What is known of a stream.

    Attributes:
        header: the two bytes of zlib's header.
        data: the data, or its beginning.
        body: the raw deflate stream, or its beginning.
        size_bytes: length of the data.
    """

    header: bytes
    data: bytes
    body: bytes
    size_bytes: int

    @property
    def is_whole(self) -> bool:
        return len(self.data) == self.size_bytes


class Search:
    """A search for the encoder of a stream.

    Attributes:
        near: an encoder that writes a beginning of the stream; None if none was met.
        near_bytes: length of that beginning, if it was learned.
    """

    def __init__(self, stream: Beginning, thoroughness: int, *, whole: bool = False) -> None:
        """
        Args:
            thoroughness: work in units of the data's size.
            whole: whether encoders are compared to the end of what is known, not only until they show themselves.
        """
        self._stream, self._whole = stream, whole
        self._left = min(max(_LEAST_WORK, thoroughness * stream.size_bytes), thoroughness * _MOST_WORK)
        from pixzip.originals.deflate_hints import Hints  # compiled, which commands such as info do without

        self._hints = Hints(stream.data, stream.body)
        self._tried: Spec | None = None
        self._stored = _stored(stream.body)
        self.near, self.near_bytes = self._stored, 0

    def __iter__(self) -> Iterator[Spec]:
        """Yield encoders that may have written the stream, the likeliest first.

        There are few, because each costs a trial.  Whoever takes the next one has found the last one to be wrong.
        """
        for spec in islice(self._agreeing(), _FINALISTS):
            self._tried = spec
            yield spec

    def learn(self, agreed: int) -> None:
        """Learn from a trial how many bytes the last encoder has in common with the stream."""
        if self._tried and not self._stored and agreed >= self.near_bytes:
            self.near, self.near_bytes = self._tried, agreed

    def _agreeing(self) -> Iterator[Spec]:
        if self._stored and (self._agrees(self._stored) or not self._stream.is_whole):
            yield self._stored
        for spec in _ordered(self._stream.header):
            if self._left < 0:
                return
            if not self._hints.allow(spec):
                continue
            if spec.wants_all:
                agrees = self._agrees_at_once(spec)
            elif size := self._hints.trial_bytes(spec):
                self._left -= int(spec.cost * size)
                agrees = self._hints.agrees(spec, size) and (not self._whole or self._agrees(spec))
            else:
                agrees = self._agrees(spec)
            if agrees:
                yield spec

    def _agrees(self, spec: Spec) -> bool:
        """Whether an encoder writes the beginning of the stream, or all of it."""
        stream, at = self._stream, 0
        try:
            coder = encoder(spec)
        except ValueError:  # the library refuses the parameters
            return False
        for start in range(0, len(stream.data), _PIECE_BYTES):  # most encoders are found out by their first block
            piece = stream.data[start : start + _PIECE_BYTES]
            self._left -= int(spec.cost * len(piece))
            part = coder.compress(piece)
            if not stream.body.startswith(part, at):
                return False
            at += len(part)
            if at >= _EVIDENCE_BYTES:
                self.near = self.near or spec
                if not self._whole:
                    return True
        return not stream.is_whole or stream.body[at:] == coder.flush()

    def _agrees_at_once(self, spec: Spec) -> bool:
        """The same for an encoder that wants all data at once, and shows itself only in whole blocks."""
        stream = self._stream
        size, evidence = self._hints.first_part(spec)
        if spec.cost * size > self._left:
            return False
        self._left -= int(spec.cost * size)
        coder = encoder(spec)
        coder.compress(stream.data[:size])
        made = coder.flush()
        if size == stream.size_bytes:
            return made == stream.body
        found = made[:evidence] == stream.body[:evidence]
        self.near = self.near or (spec if found else None)
        return found


def _stored(body: bytes) -> Spec | None:
    """The encoder of a stream that begins with two blocks of one size without compression, or has one."""
    if len(body) < 5 or body[0] > 1:
        return None
    size = int.from_bytes(body[1:3], "little")
    if body[0] == 0 and len(body) > size + 10 and body[size + 5] > 1:
        return None
    return Spec(Kind.STORED, block=max(1, size))


def _ordered(header: bytes) -> Iterator[Spec]:
    """Encoders in the order in which they are tried."""
    hint, declared = header[1] >> 6, max(9, min(15, (header[0] >> 4) + 8))
    levels = _HINTED[hint]
    others = [level for h in (2, 3, 0, 1) if h != hint for level in _HINTED[h]]
    windows = list(dict.fromkeys((15, declared)))
    pairs = [(memory, strategy) for memory in (8, 9) for strategy in (0, 1)]
    usual = [Spec(Kind.ZLIB, levels[0], s, m, w) for m, s in pairs for w in windows]
    common = [Spec(Kind.ZLIB, level, s, m, w) for level in levels[1:] for m, s in pairs for w in windows]
    if hint == 0:  # zlib has one hint for these strategies, whatever the level
        common += [Spec(Kind.ZLIB, 6, strategy, memory, 15) for strategy in (3, 2, 4) for memory in (8, 9)]
    for group in (usual, common):
        yield from group
        yield from (spec._replace(kind=Kind.ZLIB_NG) for spec in group if spec.window == 15)
        yield from (spec._replace(kind=Kind.ZLIB_FAR) for spec in group if spec.level > 3 and not spec.strategy)
    yield from (Spec(Kind.LIBDEFLATE, level) for level in ((1, 0), (5, 4, 3, 2), (6, 7), (12, 11, 9, 10, 8))[hint])
    yield from (Spec(Kind.ZLIB, level, s, m, 15) for level in others for m, s in pairs)
    if hint == 3:
        yield Spec(Kind.ZOPFLI)
    strategies = (0, 1, 2, 3, 4) if hint == 0 else (0, 1)
    for tried in (levels, others):
        for memory in (8, 9, 7, 6, 5, 4, 3, 2, 1):
            for w in windows[::-1]:
                yield from (Spec(Kind.ZLIB, level, s, memory, w) for s in strategies for level in tried)
