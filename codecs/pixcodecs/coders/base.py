"""The interface of entropy coders, for engines that code symbols and for containers that name coders.

A coder turns symbols and rows of integer frequencies into a payload, and gives the symbols back for the same rows in
the same order.  Rows are integer-valued float32, because constriction's arithmetic depends on the dtype.  A coder is
one file here, or one per backend, and one line in `registry.CODERS`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: The frequencies of a sub-pixel's values sum to 2^TOTAL_BITS.
TOTAL_BITS = 20
TOTAL = 1 << TOTAL_BITS
#: Bits of a cumulative frequency, 0 to TOTAL inclusive.
EDGE_BITS = TOTAL_BITS + 1

Symbols = NDArray[np.int32]
Rows = NDArray[np.float32]
#: A symbol's two cumulative frequencies in one integer: ``below << EDGE_BITS | below the next``.
Edges = NDArray[np.int64]


class Shape(NamedTuple):
    """The shape of a coded image, and the number of digits per sample."""

    height: int
    width: int
    channels: int
    digits: int

    @property
    def subpixels(self) -> int:
        return self.height * self.width * self.channels


class Encoder(ABC):
    """Collects the symbols of one image; `finish` returns the payload."""

    @abstractmethod
    def encode(self, symbols: Symbols, freqs: Rows) -> None:
        """Append the symbols of one digit of one channel, for the pixels of one step.

        Args:
            symbols: (M,) int32 in [0, K), M >= 1.
            freqs: (M, K) float32 integers >= 1; each row sums to at most `TOTAL`.
        """

    @abstractmethod
    def finish(self) -> bytes:
        """The payload."""


class Decoder(ABC):
    """The inverse of an `Encoder`: the same rows in the same order give the symbols back."""

    @abstractmethod
    def decode(self, freqs: Rows) -> Symbols:
        """(M, K) rows as for `Encoder.encode` -> (M,) int32 symbols.

        Raises:
            BitstreamError: no encoder writes such a payload, or the payload has ended.
        """

    @abstractmethod
    def check_exhausted(self) -> None:
        """
        Raises:
            BitstreamError: the payload does not end with its last symbol.
        """


@dataclass(frozen=True)
class EntropyCoder:
    """One method of entropy coding.

    Attributes:
        name: name on the command line and in Python.
        kind, high_depth_kind: permanent wire ids of its blocks, for samples of 8 bits and of 9 to 16 bits.
        encoder: shape of the payload -> an encoder.
        decoder: payload and its shape -> a decoder; raises BitstreamError if no encoder writes such a payload.
        from_edges: (H, W, C, 2) edges of 8-bit samples' bins and of the samples, and (H, W, C) uint8 samples in
            coding order -> the payload that `encoder` gives; None if only `encoder` can make it.
        variants: like `from_edges`, but further valid payloads, with which a decoder must be tested before use.
        most_pixels: most pixels encoded together, if the encoder stores data of each; None for any number.
    """

    name: str
    kind: int
    high_depth_kind: int
    encoder: Callable[[Shape], Encoder]
    decoder: Callable[[bytes, Shape], Decoder]
    from_edges: Callable[[Edges, NDArray[np.uint8]], bytes] | None = None
    variants: Callable[[Edges, NDArray[np.uint8]], Sequence[bytes]] | None = None
    most_pixels: int | None = None


def nll_bits(symbols: Symbols, freqs: Rows) -> NDArray[np.float64]:
    """(M,) costs in bits of (M,) symbols under their (M, K) rows: -log2 of their shares."""
    chosen = np.take_along_axis(freqs, symbols[:, None], 1)[:, 0].astype(np.float64)
    bits: NDArray[np.float64] = np.log2(freqs.sum(1, dtype=np.float64)) - np.log2(chosen)
    return bits
