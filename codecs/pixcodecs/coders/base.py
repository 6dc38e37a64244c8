"""Entropy coders: what each of them has to be, for engines that code symbols and for containers that name it.

A coder turns symbols and rows of integer frequencies into a payload, and gives the symbols back for the same rows in
the same order.  Rows are float32 that hold integers, for constriction's arithmetic depends on the dtype.  A coder is
one file here, or one a backend, and one line in `registry.CODERS`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Frequencies of a whole sub-pixel sum to 2^TOTAL_BITS.
TOTAL_BITS = 20
TOTAL = 1 << TOTAL_BITS
#: Bits of a cumulative frequency: 0 to TOTAL, both included.
EDGE_BITS = TOTAL_BITS + 1

Symbols = NDArray[np.int32]
Rows = NDArray[np.float32]
#: Two cumulative frequencies in one integer, that below a symbol first: ``below << EDGE_BITS | below the next``.
Edges = NDArray[np.int64]


class Shape(NamedTuple):
    """What a payload holds: an image, each of whose samples takes some digits."""

    height: int
    width: int
    channels: int
    digits: int

    @property
    def subpixels(self) -> int:
        return self.height * self.width * self.channels


class Encoder(ABC):
    """Collects the symbols of one image; `finish` gives the payload."""

    @abstractmethod
    def encode(self, symbols: Symbols, freqs: Rows) -> None:
        """Append the symbols of the pixels that one step codes, for one digit of one channel.

        Args:
            symbols: (M,) int32 in [0, K), M >= 1.
            freqs: (M, K) float32 integers >= 1, each row's sum at most `TOTAL`.
        """

    @abstractmethod
    def finish(self) -> bytes:
        """The payload."""


class Decoder(ABC):
    """The inverse of an `Encoder`: the same rows in the same order give the symbols back."""

    @abstractmethod
    def decode(self, freqs: Rows) -> Symbols:
        """(M, K) rows, as `Encoder.encode` takes them -> (M,) int32 symbols.

        Raises:
            BitstreamError: no encoder writes such a payload, or it has come to its end.
        """

    @abstractmethod
    def check_exhausted(self) -> None:
        """
        Raises:
            BitstreamError: the payload does not end with its last symbol.
        """


@dataclass(frozen=True)
class EntropyCoder:
    """One way of turning frequencies into payloads.

    Attributes:
        name: for the command line and Python.
        kind, high_depth_kind: wire ids of its blocks, of samples of 8 bits and of 9 to 16: for ever.
        encoder: what a payload shall hold -> an encoder.
        decoder: a payload and what it holds -> a decoder; raises BitstreamError if no encoder writes such a payload.
        from_edges: (H, W, C, 2) edges of 8-bit samples' bins and of the samples themselves, and (H, W, C) uint8 samples
            in coding order -> the payload that coding symbol by symbol gives; None where only an `Encoder` makes it.
        variants: more payloads of the same, which a decoder must be tried with before it is trusted.
        most_pixels: that it encodes together, where it keeps something of each; None for any number.
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
    """What (M,) symbols cost under their (M, K) rows: (M,) -log2 of their shares."""
    chosen = np.take_along_axis(freqs, symbols[:, None], 1)[:, 0].astype(np.float64)
    bits: NDArray[np.float64] = np.log2(freqs.sum(1, dtype=np.float64)) - np.log2(chosen)
    return bits
