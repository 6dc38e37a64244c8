"""Interleaved rANS: many decoders of one stream of words, side by side.

Range asymmetric numeral systems [1] keep what was coded in one integer.  A symbol that owns a share of 2^20,

    0            start          start + freq                2^20
    |--------------|=================|------------------------|

takes state x to ``(x // freq << 20) + start + x % freq``; the low 20 bits of that say which symbol it was.
Interleaving [2] deals the pixels of a step out to `lanes` states in turn, so that a GPU decodes as many at once; the
words that states overflow into, and are filled up from, are one stream, in the order of the pixels.

Coding is last in, first out, so the encoder goes through an image backwards.  `docs/format.md` has the layout of a
payload; this module is it in NumPy, `pixzip.engine.backends.numba.rans` for CPUs and `pixzip.device` for GPUs.

[1] Duda, Asymmetric numeral systems: entropy coding combining speed of Huffman coding with compression rate of
    arithmetic coding, 2013, arXiv 1311.2540.
[2] Giesen, Interleaved entropy coders, 2014, arXiv 1402.3392.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixcodecs.errors import BitstreamError

#: Frequencies are out of 2^PRECISION.
PRECISION = 20
#: States are in [LOWEST, 2^63) between symbols; where an encoder starts, and a decoder must end.
LOWEST = 1 << 31
#: The most lanes of a payload, as a power of two.
MOST_LANES_LOG2 = 8
#: A lane costs some 6 bytes, its state but for what that says of symbols: there is one for this many.
BYTES_A_LANE = 1 << 13

_MASK = (1 << PRECISION) - 1
_SLOPE = 2
#: Shares whose bits are counted at once.
_COUNTED = 1 << 16

Integers = NDArray[np.int64]


class Parsed(NamedTuple):
    """A payload's parts."""

    states: Integers  # (L,) in [LOWEST, 2^63)
    words: NDArray[np.uint32]  # (N,)


def edges_of(freqs: NDArray[np.float32]) -> Integers:
    """(M, K) frequencies of at least 1, rows of any sum T up to 2^20 -> (M, K + 1) where their shares of 2^20 begin.

    Edge i is ``(f[0] + ... + f[i-1]) * 2^20 // T``: no share is empty, none differs from its due by 1, and none is
    all of 2^20, since K is 2 or more: states fit 63 bits.
    """
    edges = np.zeros((len(freqs), freqs.shape[1] + 1), np.int64)
    np.cumsum(freqs, 1, out=edges[:, 1:])
    scaled: Integers = (edges << PRECISION) // edges[:, -1:]
    return scaled


def intervals_of(symbols: NDArray[np.int32], freqs: NDArray[np.float32]) -> Integers:
    """(M,) symbols under (M, K) frequencies -> (M,) shares, start and size in one integer: both are below 2^20."""
    at = np.stack([symbols, symbols + 1], 1)
    start, end = np.take_along_axis(edges_of(freqs), at, 1).T
    packed: Integers = start << PRECISION | end - start
    return packed


def lanes_for(intervals: Integers) -> int:
    """How many lanes suit an image: a power of two that costs about a two-thousandth of it.

    Whole bits are counted, by integers alone, so that every machine takes as many.

    Args:
        intervals: of any shape, see `intervals_of`.
    """
    whole_bits, flat = 0, intervals.ravel()
    for at in range(0, flat.size, _COUNTED):  # copies of all of it would take more memory than itself
        _, bit_length = np.frexp((flat[at : at + _COUNTED] & _MASK).astype(np.float64))  # exact
        whole_bits += int((PRECISION - bit_length).sum(dtype=np.int64))
    lanes = max(1, whole_bits // (8 * BYTES_A_LANE))
    return 1 << min(MOST_LANES_LOG2, lanes.bit_length() - 1)


def diagonal(t: int, height: int, width: int) -> Integers:
    """(M,) rows of the pixels of a step, increasing: those with 0 <= t - 2 y < W."""
    first = max(0, (t - width + _SLOPE) // _SLOPE)
    return np.arange(first, min(height - 1, t // _SLOPE) + 1)


def encode(intervals: Integers, lanes: int) -> bytes:
    """A payload.

    Args:
        intervals: (H, W, C, D) of all digits of all samples, channels in coding order; see `intervals_of`.
        lanes: a power of two, at most 256.
    """
    h, w, channels, digits = intervals.shape
    intervals = intervals.reshape(h, w, channels * digits)
    states = np.full(lanes, LOWEST, np.int64)
    emitted: list[NDArray[np.uint32]] = []
    for t in range(w + _SLOPE * (h - 1) - 1, -1, -1):
        y = diagonal(t, h, w)
        for digit in range(channels * digits - 1, -1, -1):
            step = intervals[y, t - _SLOPE * y, digit]
            for at in range((y.size - 1) // lanes * lanes, -1, -lanes):
                part = step[at : at + lanes]
                start, freq, x = part >> PRECISION, part & _MASK, states[: part.size]
                full = x >= freq << 43  # else the new state would leave [LOWEST, 2^63)
                emitted.append((x[full] & 0xFFFFFFFF).astype(np.uint32))
                x = np.where(full, x >> 32, x)
                states[: part.size] = (x // freq << PRECISION) + x % freq + start
    words = np.concatenate([np.zeros(0, np.uint32), *emitted[::-1]])
    return pack(states, words)


def pack(states: Integers, words: NDArray[np.uint32]) -> bytes:
    """A payload of its parts: the inverse of `parse`."""
    return bytes([len(states).bit_length() - 1]) + states.astype("<i8").tobytes() + words.astype("<u4").tobytes()


def parse(payload: bytes) -> Parsed:
    """
    Raises:
        BitstreamError: no encoder writes such a payload.
    """
    log2_lanes = payload[0] if payload else 0
    if log2_lanes > MOST_LANES_LOG2:
        raise BitstreamError(f"payload has 2^{log2_lanes} lanes, expected at most 2^{MOST_LANES_LOG2}")
    words_at = 1 + (8 << log2_lanes)
    if len(payload) < words_at or (len(payload) - words_at) % 4:
        raise BitstreamError(f"payload has {len(payload)} bytes, expected {words_at} and words of 4")
    states = np.frombuffer(payload, "<i8", 1 << log2_lanes, 1).astype(np.int64)
    if states.min() < LOWEST:
        raise BitstreamError("payload damaged: a state is out of its range")
    return Parsed(states, np.frombuffer(payload, "<u4", offset=words_at).astype(np.uint32))


def check_end(states: Integers, read: int, words: int) -> None:
    """
    Args:
        states: (L,) after the last pixel.
        read: words that were read, of so many.
    Raises:
        BitstreamError: they are not what an encoder began with.
    """
    if read > words:
        raise BitstreamError("payload ends before its last pixel")
    if read < words:
        raise BitstreamError("payload goes on after its last pixel")
    if (states != LOWEST).any():
        raise BitstreamError("payload damaged: its states do not end where an encoder starts")


class Decoder:
    """The inverse of `encode`, a step's digit of a channel at a time.

    A short payload cannot keep it busy: every symbol takes its bits from the states, and a missing word is an error.
    """

    def __init__(self, payload: bytes) -> None:
        """
        Raises:
            BitstreamError: see `parse`.
        """
        self.states, self.words = parse(payload)
        self.read = 0

    def decode(self, freqs: NDArray[np.float32]) -> NDArray[np.int32]:
        """(M, K) frequencies of one digit of the pixels of a step -> (M,) symbols.

        Raises:
            BitstreamError: the payload has come to its end.
        """
        edges = edges_of(freqs)
        symbols = np.empty(len(freqs), np.int32)
        for at in range(0, len(freqs), len(self.states)):
            part = edges[at : at + len(self.states)]
            x = self.states[: len(part)]
            slot = x & _MASK
            found = (part[:, 1:-1] <= slot[:, None]).sum(1)
            start, end = np.take_along_axis(part, np.stack([found, found + 1], 1), 1).T
            x = (end - start) * (x >> PRECISION) + slot - start
            short = x < LOWEST
            words = self.words[self.read : self.read + int(short.sum())]
            self.read += int(short.sum())
            if self.read > len(self.words):
                raise BitstreamError("payload ends before its last pixel")
            x[short] = x[short] << 32 | words
            self.states[: len(part)], symbols[at : at + len(part)] = x, found
        return symbols

    def check_exhausted(self) -> None:
        """
        Raises:
            BitstreamError: see `check_end`.
        """
        check_end(self.states, self.read, len(self.words))
