"""The range coder of constriction.

It is a queue (first in, first out), as an autoregressive model requires: the decoder needs the first symbol
first.  Rows are integer-valued float32, because the library's arithmetic depends on the dtype.  `docs/format.md`
specifies how it computes intervals, so that files outlive the library.
"""

import constriction
import numpy as np
from numpy.typing import NDArray

from pixcodecs.coders import base
from pixcodecs.coders.base import Rows, Symbols, nll_bits
from pixcodecs.errors import BitstreamError

#: Payloads with fewer bits per sub-pixel are short: the decoder then adds up the cost of symbols, so that such a
#: payload cannot cause much work.  The work for longer payloads is proportional to their size.
SHORT_BITS = 0.5

_FAMILY = constriction.stream.model.Categorical(perfect=False)


class Encoder(base.Encoder):
    """Encodes symbols to little-endian 32-bit words."""

    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()

    def encode(self, symbols: Symbols, freqs: Rows) -> None:
        self._coder.encode(np.ascontiguousarray(symbols), _FAMILY, np.ascontiguousarray(freqs))

    def finish(self) -> bytes:
        words: NDArray[np.uint32] = self._coder.get_compressed()
        return words.astype("<u4").tobytes()


class Decoder(base.Decoder):
    """Decodes words to symbols."""

    def __init__(self, payload: bytes, subpixels: int = 0) -> None:
        """
        Args:
            subpixels: number of sub-pixels in the payload; if it is short for them, decoding more bits than it has
                is an error.
        Raises:
            BitstreamError: the length of the payload is no multiple of 4 bytes.
        """
        if len(payload) % 4:
            raise BitstreamError(f"payload has {len(payload)} bytes, expected a multiple of 4")
        self._coder = constriction.stream.queue.RangeDecoder(np.frombuffer(payload, "<u4").astype(np.uint32))
        #: Bits left of a short payload.  The coder's rounding makes a symbol at most 1/16 likelier than its
        #: frequency: 0.09 of at least 4 bits where it matters.
        self._left = 8.25 * len(payload) + 128 if 8 * len(payload) < SHORT_BITS * subpixels else None

    def decode(self, freqs: Rows) -> Symbols:
        try:
            symbols: Symbols = self._coder.decode(_FAMILY, np.ascontiguousarray(freqs))
        except AssertionError as e:  # constriction's error for data that no encoder makes
            raise BitstreamError(f"payload damaged: {e}") from None
        if self._left is not None:
            self._left -= float(nll_bits(symbols, freqs).sum())
            if self._left < 0:
                raise BitstreamError("payload ends before its last pixel")
        return symbols

    def check_exhausted(self) -> None:
        if not self._coder.maybe_exhausted():
            raise BitstreamError("payload goes on after its last pixel")
