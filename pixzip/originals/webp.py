"""Lossless WebP files: which of libwebp's settings wrote one, found in few tries, because sizes tell much.

libwebp's methods differ in the size of what they write by more than most pictures do, so the first try, by the setting
of most files, says which is the likeliest to come next.
"""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

from pixzip.originals import imitations
from pixzip.originals.imitations import Imitation
from pixzip.originals.record import Reason, Trial
from pixzip.originals.source import Source
from pixzip.originals.writers import WEBP

#: (quality, method) with which the search begins: the default of Pillow and sharp; and that of cwebp, which writes of
#: most pictures as many bytes.
_FIRST, _SAME = (80, 4), ((75, 4),)
#: What writes fewer bytes, a little more, and more.
_LESS = ((80, 6), (90, 4), (75, 6), (100, 5), (100, 4), (90, 5), (75, 5), (80, 5), (100, 6))
_LITTLE_MORE = ((50, 4), (30, 3))
_MORE = ((25, 2), (80, 2), (75, 2), (20, 1), (80, 1), (75, 1), (0, 0), (80, 0), (75, 0))
#: Differences of size: hardly any, and little.
_NONE, _LITTLE = 0.0002, 0.001
#: Size of what the methods below 3 write of photographs, beside that of the first setting.
_SIZES = {0: 1.09, 1: 1.034, 2: 1.013}


def recipes(file: BinaryIO, source: Source, thoroughness: int) -> Iterator[Trial | Reason]:
    """See `families.Rebuilding`."""
    file.seek(0)
    size = _stream_bytes(file.read())
    made: list[bytes] = []
    return imitations.trials(file, source, _likely(size, made), thoroughness, made)


def _stream_bytes(data: bytes) -> int:
    """The size of the lossless bitstream in a file; 0 if it has none."""
    at = data.find(b"VP8L")
    return int.from_bytes(data[at + 4 : at + 8], "little") if at >= 0 else 0


def _likely(size: int, made: list[bytes]) -> Iterator[Imitation]:
    """Yield what may have written a bitstream, the likeliest first.

    Args:
        made: the last file that was made, once there is one.
    """
    numbers = {setting: number for number, setting in WEBP.items()}
    yield Imitation(numbers[_FIRST])
    more = size / max(1, _stream_bytes(made[-1])) - 1 if made else 0.0
    larger = sorted(_MORE, key=lambda setting: abs(_SIZES[setting[1]] - 1 - more))
    groups: tuple[Sequence[tuple[int, int]], ...]
    if more < -_NONE:
        groups = _LESS, _SAME, _LITTLE_MORE, larger
    elif more <= _NONE:
        groups = _SAME, _LITTLE_MORE, _LESS, larger
    elif more < _LITTLE:
        groups = _LITTLE_MORE, larger, _SAME, _LESS
    else:
        groups = larger, _LITTLE_MORE, _SAME, _LESS
    for group in groups:
        yield from (Imitation(numbers[setting]) for setting in group)
