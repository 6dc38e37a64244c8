"""The range coder, by constriction.

A queue (first in, first out), as an autoregressive model wants: the decoder needs the first symbol
first.  Rows are float32 holding integers, because the library's arithmetic depends on the dtype; how it
turns them into intervals is written down in `docs/format.md`, so that files outlive the library.
"""

import constriction
import numpy as np
from numpy.typing import NDArray

from pixcodecs.coders import base
from pixcodecs.coders.base import Rows, Symbols, nll_bits
from pixcodecs.errors import BitstreamError

#: Bits a sub-pixel below which a decoder counts what symbols cost: a payload that says too little must not keep
#: it busy.  Above it, the payload itself pays for the work.
SHORT_BITS = 0.5

_FAMILY = constriction.stream.model.Categorical(perfect=False)


class Encoder(base.Encoder):
    """Symbols -> little-endian 32-bit words."""

    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()

    def encode(self, symbols: Symbols, freqs: Rows) -> None:
        self._coder.encode(np.ascontiguousarray(symbols), _FAMILY, np.ascontiguousarray(freqs))

    def finish(self) -> bytes:
        words: NDArray[np.uint32] = self._coder.get_compressed()
        return words.astype("<u4").tobytes()


class Decoder(base.Decoder):
    """Words -> symbols."""

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

    def decode(self, freqs: Rows) -> Symbols:
        try:
            symbols: Symbols = self._coder.decode(_FAMILY, np.ascontiguousarray(freqs))
        except AssertionError as e:  # how constriction reports data that no encoder makes
            raise BitstreamError(f"payload damaged: {e}") from None
        if self._left is not None:
            self._left -= float(nll_bits(symbols, freqs).sum())
            if self._left < 0:
                raise BitstreamError("payload ends before its last pixel")
        return symbols

    def check_exhausted(self) -> None:
        if not self._coder.maybe_exhausted():
            raise BitstreamError("payload goes on after its last pixel")
