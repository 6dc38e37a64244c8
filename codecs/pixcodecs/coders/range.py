"""Entropy coding of rows of integer frequencies, by constriction's range coder.

A queue (first in, first out), as an autoregressive model wants: the decoder needs the first symbol
first.  Rows are float32 holding integers, because the library's arithmetic depends on the dtype; how it
turns them into intervals is written down in `docs/format.md`, so that files outlive the library.
"""

from enum import Enum

import constriction
import numpy as np
from numpy.typing import NDArray

from pixcodecs.errors import BitstreamError


class EntropyCoder(Enum):
    """What turns frequencies into payloads: each has block kinds of its own."""

    #: This module's: smallest.
    RANGE = "range"
    #: `rans`: some 0.05 % larger, decoded by many threads of a GPU side by side.
    RANS = "rans"


#: Frequencies of a whole sub-pixel sum to this.
TOTAL = 1 << 20
#: Bits a sub-pixel below which a decoder counts what symbols cost: a payload that says too little must not keep
#: it busy.  Above it, the payload itself pays for the work.
SHORT_BITS = 0.5

_FAMILY = constriction.stream.model.Categorical(perfect=False)


def nll_bits(symbols: NDArray[np.int32], freqs: NDArray[np.float32]) -> NDArray[np.float64]:
    """What (N,) symbols cost under their (N, K) rows: (N,) -log2 of their shares."""
    chosen = np.take_along_axis(freqs, symbols[:, None], 1)[:, 0].astype(np.float64)
    bits: NDArray[np.float64] = np.log2(freqs.sum(1, dtype=np.float64)) - np.log2(chosen)
    return bits


class Encoder:
    """Collects symbols; `finish` gives the payload."""

    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()

    def encode(self, symbols: NDArray[np.int32], freqs: NDArray[np.float32]) -> None:
        """Append symbols, each under its own row.

        Args:
            symbols: (N,) int32 in [0, K).
            freqs: (N, K) float32 integers >= 1, each row's sum < 2^24.
        """
        self._coder.encode(symbols, _FAMILY, freqs)

    def finish(self) -> bytes:
        """The payload: little-endian 32-bit words."""
        words: NDArray[np.uint32] = self._coder.get_compressed()
        return words.astype("<u4").tobytes()


class Decoder:
    """The inverse of `Encoder`: the same rows in the same order give the symbols back."""

    def __init__(self, payload: bytes, subpixels: int = 0) -> None:
        """
        Args:
            subpixels: how many the payload should hold: one that is suspiciously short for them is an error as soon
                as more bits are decoded than it has.
        Raises:
            BitstreamError: the payload is not made of 32-bit words.
        """
        if len(payload) % 4:
            raise BitstreamError(f"payload has {len(payload)} bytes, expected a multiple of 4")
        self._coder = constriction.stream.queue.RangeDecoder(np.frombuffer(payload, "<u4").astype(np.uint32))
        #: Bits left to a short payload.  The coder's rounding makes a symbol at most a sixteenth likelier than its
        #: frequency says: 0.09 of at least 4 bits where that counts.
        self._left = 8.25 * len(payload) + 128 if 8 * len(payload) < SHORT_BITS * subpixels else None

    def decode(self, freqs: NDArray[np.float32]) -> NDArray[np.int32]:
        """(N, K) rows -> (N,) int32 symbols; see `Encoder.encode`.

        Raises:
            BitstreamError: no encoder writes such a payload, or it has come to its end.
        """
        try:
            symbols: NDArray[np.int32] = self._coder.decode(_FAMILY, freqs)
        except AssertionError as e:  # how constriction reports data that no encoder makes
            raise BitstreamError(f"payload damaged: {e}") from None
        if self._left is not None:
            self._left -= float(nll_bits(symbols, freqs).sum())
            if self._left < 0:
                raise BitstreamError("payload ends before its last pixel")
        return symbols

    def check_exhausted(self) -> None:
        """
        Raises:
            BitstreamError: words are left over.
        """
        if not self._coder.maybe_exhausted():
            raise BitstreamError("payload goes on after its last pixel")
