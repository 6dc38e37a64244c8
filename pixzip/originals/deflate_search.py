"""Find the encoder of a deflate stream: try the most frequent ones on the beginning, within a budget of work.

A stream's header hints at the level, and most programs leave zlib's other parameters alone, so few trials are needed.
The work is counted in bytes and not in seconds, so that files are the same on every machine.
"""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from pixzip.originals.deflaters import Kind, Spec, encoder

#: Bytes of data for the first trials, and for those that pass them.
FIRST_BYTES, SECOND_BYTES = 1 << 16, 1 << 20
#: Least and most work of a search, in bytes; between them it is in proportion to the data.
_LEAST_WORK, _MOST_WORK = 1 << 20, 1 << 25
#: Encoders that are tried on the whole stream.
_FINALISTS = 4
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


class Found(NamedTuple):
    """An encoder that agrees with a stream as far as it was compared.

    Attributes:
        evidence: bytes that agree.
    """

    spec: Spec
    evidence: int


class Outcome(NamedTuple):
    """What a search finds.

    Attributes:
        candidates: encoders that may have written the stream, the likeliest first; few, because each costs a trial.
        near: an encoder that writes the same beginning; None if there is none.
    """

    candidates: list[Spec]
    near: Spec | None


def search(stream: Beginning, thoroughness: int) -> Outcome:
    """Look for the encoder of a stream.

    Args:
        thoroughness: work in units of the data's size.
    """
    left = min(max(_LEAST_WORK, thoroughness * stream.size_bytes), thoroughness * _MOST_WORK)
    stored = _stored(stream.body)
    if stored and stream.is_whole and _agreed(stored, stream, len(stream.data)) is not None:
        return Outcome([stored], stored)
    near = None
    for tier in _tiers(stream.header):
        survivors = [Found(stored, len(stream.body))] if stored else []
        for spec in tier:
            # an encoder that wants all data at once shows itself only in whole blocks
            size = len(stream.data) if spec.wants_all else min(FIRST_BYTES, len(stream.data))
            left -= int(spec.cost * size)
            if left < 0:
                return Outcome([], near)
            agreed = _agreed(spec, stream, size)
            if agreed is not None:
                survivors.append(Found(spec, agreed))
                if stream.is_whole and size == len(stream.data):
                    return Outcome([spec], spec)  # all of it agrees
        survivors.sort(key=lambda found: -found.evidence)
        if near is None and survivors and survivors[0].evidence:
            near = survivors[0].spec
        if len(survivors) > 1 and len(stream.data) > FIRST_BYTES:
            survivors = list(_second(survivors, stream))
        if survivors:
            return Outcome([found.spec for found in survivors[:_FINALISTS]], near or survivors[0].spec)
    return Outcome([], near)


def _second(survivors: list[Found], stream: Beginning) -> Iterator[Found]:
    """The encoders that agree on more data, those with the most evidence first."""
    most = survivors[0].evidence
    for found in islice(survivors, 2 * _FINALISTS):
        if found.evidence < most:
            return
        agreed = _agreed(found.spec, stream, len(stream.data))
        if agreed is not None:
            yield Found(found.spec, agreed)


def _agreed(spec: Spec, stream: Beginning, size: int) -> int | None:
    """The bytes that an encoder has in common with a stream, None if it writes another one.

    Args:
        size: bytes of data to code.
    """
    try:
        coder = encoder(spec)
    except ValueError:  # the library refuses the parameters
        return None
    out = coder.compress(stream.data[:size])
    if stream.is_whole and size == len(stream.data):
        out += coder.flush()
        return len(out) if out == stream.body else None
    if spec.wants_all:
        common = _common(coder.flush(), stream.body)
        return common if common >= _EVIDENCE_BYTES else None
    return len(out) if out == stream.body[: len(out)] else None


def _common(a: bytes, b: bytes) -> int:
    """The length of the common beginning."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if a[:middle] == b[:middle] else (low, middle - 1)
    return low


def _stored(body: bytes) -> Spec | None:
    """The encoder of a stream that begins with two blocks of one size without compression, or has one."""
    if len(body) < 5 or body[0] > 1:
        return None
    size = int.from_bytes(body[1:3], "little")
    if body[0] == 0 and len(body) > size + 10 and body[size + 5] > 1:
        return None
    return Spec(Kind.STORED, block=max(1, size))


def _tiers(header: bytes) -> Iterator[list[Spec]]:
    """Encoders in the order in which they are tried: a tier only if no earlier one has a candidate."""
    hint, declared = header[1] >> 6, max(9, min(15, (header[0] >> 4) + 8))
    levels = _HINTED[hint]
    others = [level for h in (2, 3, 0, 1) if h != hint for level in _HINTED[h]]
    windows = list(dict.fromkeys((15, declared)))
    pairs = [(memory, strategy) for memory in (8, 9) for strategy in (0, 1)]
    common = [Spec(Kind.ZLIB, level, s, m, w) for level in levels for m, s in pairs for w in windows]
    if hint == 0:  # zlib has one hint for these strategies, whatever the level
        common += [Spec(Kind.ZLIB, 6, strategy, memory, 15) for strategy in (3, 2, 4) for memory in (8, 9)]
    yield common
    yield [spec._replace(kind=Kind.ZLIB_NG) for spec in common if spec.window == 15]
    yield [Spec(Kind.LIBDEFLATE, level) for level in ((1, 0), (5, 4, 3, 2), (6, 7), (12, 11, 9, 10, 8))[hint]]
    yield [Spec(Kind.ZLIB, level, s, m, 15) for level in others for m, s in pairs]
    if hint == 3:
        yield [Spec(Kind.ZOPFLI)]
    strategies = (0, 1, 2, 3, 4) if hint == 0 else (0, 1)
    for tried in (levels, others):
        for memory in (8, 9, 7, 6, 5, 4, 3, 2, 1):
            yield [Spec(Kind.ZLIB, level, s, memory, w) for w in windows[::-1] for s in strategies for level in tried]
