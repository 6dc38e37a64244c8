"""Interleaved rANS: many decoders of one stream of words, in parallel.

Range asymmetric numeral systems [1] keep the coded symbols in one integer.  A symbol that owns a share of 2^20,

    0            start          start + freq                2^20
    |--------------|=================|------------------------|

changes state x to ``(x // freq << 20) + start + x % freq``; the low 20 bits of this identify the symbol.
Interleaving [2] assigns the pixels of a step to `lanes` states in turn, so that a GPU decodes as many at once.  All
states write to and read from one stream of words, in the order of the pixels.

Coding is last in, first out, so the encoder goes through an image backwards.  `docs/format.md` specifies the payload.
This module codes it in NumPy, `rans_numba` on CPUs, `pixzip.engine.backends.cuda` and `.triton` on GPUs.

[1] Duda, Asymmetric numeral systems: entropy coding combining speed of Huffman coding with compression rate of
    arithmetic coding, 2013, arXiv 1311.2540.
[2] Giesen, Interleaved entropy coders, 2014, arXiv 1402.3392.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixcodecs.errors import BitstreamError

#: Shares are out of 2^PRECISION.
PRECISION = 20
#: States are in [LOWEST, 2^63) between symbols; encoders start, and decoders must end, with LOWEST.
LOWEST = 1 << 31
#: Log2 of the largest number of lanes.
MOST_LANES_LOG2 = 8
#: Bytes of payload per lane; a lane costs about 6 bytes, the part of its state that holds no symbols.
BYTES_A_LANE = 1 << 13

_MASK = (1 << PRECISION) - 1
_SLOPE = 2
#: Number of shares whose bits are counted at once.
_COUNTED = 1 << 16

Integers = NDArray[np.int64]


class Parsed(NamedTuple):
    """The parts of a payload."""

    states: Integers  # (L,) in [LOWEST, 2^63)
    words: NDArray[np.uint32]  # (N,)


def edges_of(freqs: NDArray[np.float32]) -> Integers:
    """(M, K) frequencies >= 1, with row sums T up to 2^20 -> (M, K + 1) starts of their shares of 2^20.

    Edge i is ``(f[0] + ... + f[i-1]) * 2^20 // T``.  So no share is empty, each differs from the exact value by less
    than 1, and none is all of 2^20, because K is at least 2: states fit in 63 bits.
    """
    edges = np.zeros((len(freqs), freqs.shape[1] + 1), np.int64)
    np.cumsum(freqs, 1, out=edges[:, 1:])
    scaled: Integers = (edges << PRECISION) // edges[:, -1:]
    return scaled


def intervals_of(symbols: NDArray[np.int32], freqs: NDArray[np.float32]) -> Integers:
    """(M,) symbols under (M, K) frequencies -> (M,) shares: start and size, both below 2^20, in one integer."""
    at = np.stack([symbols, symbols + 1], 1)
    start, end = np.take_along_axis(edges_of(freqs), at, 1).T
    packed: Integers = start << PRECISION | end - start
    return packed


def lanes_for(intervals: Integers) -> int:
    """The number of lanes for an image: a power of two that costs about 1/2000 of its size.

    Whole bits are counted in integers, so that the number is the same on every machine.

    Args:
        intervals: shares in any shape, see `intervals_of`.
    """
    whole_bits, flat = 0, intervals.ravel()
    for at in range(0, flat.size, _COUNTED):  # copies of the whole array would exceed its own memory
        _, bit_length = np.frexp((flat[at : at + _COUNTED] & _MASK).astype(np.float64))  # exact
        whole_bits += int((PRECISION - bit_length).sum(dtype=np.int64))
    lanes = max(1, whole_bits // (8 * BYTES_A_LANE))
    return 1 << min(MOST_LANES_LOG2, lanes.bit_length() - 1)


def diagonal(t: int, height: int, width: int) -> Integers:
    """(M,) rows y of the pixels of a step, increasing: 0 <= t - 2 y < W."""
    first = max(0, (t - width + _SLOPE) // _SLOPE)
    return np.arange(first, min(height - 1, t // _SLOPE) + 1)


def encode(intervals: Integers, lanes: int) -> bytes:
    """The payload of an image.

    Args:
        intervals: (H, W, C, D) shares of all digits of all samples, channels in coding order; see `intervals_of`.
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
    """The payload with these parts: the inverse of `parse`."""
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
        states: (L,) states after the last pixel.
        read: number of words read.
        words: number of words in the payload.
    Raises:
        BitstreamError: the states are not those with which an encoder starts, or not all words were read.
    """
    if read > words:
        raise BitstreamError("payload ends before its last pixel")
    if read < words:
        raise BitstreamError("payload goes on after its last pixel")
    if (states != LOWEST).any():
        raise BitstreamError("payload damaged: its states do not end where an encoder starts")


class Decoder:
    """The inverse of `encode`, one digit of one channel of a step at a time.

    A short payload cannot cause much work: every symbol takes its bits from the states, and a missing word is an
    error.
    """

    def __init__(self, payload: bytes) -> None:
        """
        Raises:
            BitstreamError: see `parse`.
        """
        self.states, self.words = parse(payload)
        self.read = 0

    def decode(self, freqs: NDArray[np.float32]) -> NDArray[np.int32]:
        """(M, K) frequencies of one digit of a step's pixels -> (M,) symbols.

        Raises:
            BitstreamError: the payload has ended.
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
