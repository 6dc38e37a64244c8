"""What happens to the frequencies of a wavefront: symbols are looked up and coded, measured, hashed, or decoded."""

import hashlib
import importlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pixcodecs.coders import range as range_coder
from pixcodecs.coders import rans
from pixcodecs.coders.range import EntropyCoder
from pixcodecs.errors import BitstreamError

from pixzip.engine.backends.torch.frequencies import BINS
from pixzip.engine.backends.torch.wavefront import Wavefront
from pixzip.engine.order import Planes
from pixzip.engine.schedule import Step

Symbols = NDArray[np.int32]
Rows = NDArray[np.float32]


def _compiled() -> Any:
    try:
        return importlib.import_module("pixzip.engine.backends.numba.rans")
    except ImportError:  # numba does not exist for this interpreter
        return None


#: `pixcodecs.coders.rans`, compiled, or None.
_KERNELS = _compiled()


class Coder(ABC):
    """Turns frequencies into symbols, by looking them up or by decoding them."""

    @abstractmethod
    def code(self, step: Step, channel: int, digit: int, freqs: Rows) -> Symbols:
        """(M, 16) frequencies of a digit, counted from the highest -> (M,) symbols."""


class _Known(Coder):
    """Symbols come from images that are there."""

    def __init__(self, wave: Wavefront, images: Sequence[Planes]) -> None:
        self.shifts = range(4 * wave.digits - 4, -1, -4)
        self.values = np.zeros((wave.schedule.buffer_pixels, wave.layers.config.channels), wave.dtype)
        for i, planes in enumerate(images):
            self.values[wave.schedule.window(i)] = planes.transpose(1, 2, 0)

    def code(self, step: Step, channel: int, digit: int, freqs: Rows) -> Symbols:
        values = self.values[step.address, channel].astype(np.int32)
        symbols: Symbols = values >> self.shifts[digit] & BINS - 1
        self.use(step, channel, digit, symbols, freqs)
        return symbols

    @abstractmethod
    def use(self, step: Step, channel: int, digit: int, symbols: Symbols, freqs: Rows) -> None: ...


class Encoding(_Known):
    """Each image into a payload of its own."""

    @abstractmethod
    def payloads(self) -> list[bytes]:
        """One of each image, once all are coded."""


class RangeEncoding(Encoding):
    def __init__(self, wave: Wavefront, images: Sequence[Planes]) -> None:
        super().__init__(wave, images)
        self.encoders = [range_coder.Encoder() for _ in images]

    def use(self, step: Step, channel: int, digit: int, symbols: Symbols, freqs: Rows) -> None:
        for image, part in step.segments:
            self.encoders[image].encode(symbols[part], freqs[part])

    def payloads(self) -> list[bytes]:
        return [e.finish() for e in self.encoders]


class RansEncoding(Encoding):
    """Keeps the share of every symbol, 8 bytes each: the last one is coded first."""

    def __init__(self, wave: Wavefront, images: Sequence[Planes]) -> None:
        super().__init__(wave, images)
        self.shares = np.zeros((wave.schedule.buffer_pixels, wave.layers.config.channels, wave.digits), np.int64)
        self.windows = [wave.schedule.window(i) for i in range(len(images))]

    def use(self, step: Step, channel: int, digit: int, symbols: Symbols, freqs: Rows) -> None:
        self.shares[step.address, channel, digit] = shares_of(symbols, freqs)

    def payloads(self) -> list[bytes]:
        return [encode_rans(self.shares[window]) for window in self.windows]


ENCODINGS: dict[EntropyCoder, type[Encoding]] = {EntropyCoder.RANGE: RangeEncoding, EntropyCoder.RANS: RansEncoding}


class Measure(_Known):
    """-log2 of the symbols' frequencies, for every pixel."""

    def __init__(self, wave: Wavefront, images: Sequence[Planes]) -> None:
        super().__init__(wave, images)
        self.bits = np.zeros(wave.schedule.buffer_pixels)

    def use(self, step: Step, channel: int, digit: int, symbols: Symbols, freqs: Rows) -> None:
        self.bits[step.address] += range_coder.nll_bits(symbols, freqs)


class Hash(_Known):
    """SHA-256 of all frequencies."""

    def __init__(self, wave: Wavefront, images: Sequence[Planes]) -> None:
        super().__init__(wave, images)
        self.hash = hashlib.sha256()

    def use(self, step: Step, channel: int, digit: int, symbols: Symbols, freqs: Rows) -> None:
        self.hash.update(freqs.astype("<i4").tobytes())


class Decoding(Coder):
    """Each image from a payload of its own."""

    def __init__(self, payloads: Sequence[bytes], subpixels: Sequence[int], coders: Sequence[EntropyCoder]) -> None:
        """
        Raises:
            BitstreamError: a payload is damaged.
        """
        self.decoders = [
            RansDecoder(payload) if coder is EntropyCoder.RANS else range_coder.Decoder(payload, n)
            for payload, n, coder in zip(payloads, subpixels, coders, strict=True)
        ]

    def code(self, step: Step, channel: int, digit: int, freqs: Rows) -> Symbols:
        if len(step.segments) == 1:
            return self.decoders[step.segments[0][0]].decode(freqs)
        parts = [self.decoders[image].decode(freqs[part]) for image, part in step.segments]
        return np.concatenate([np.zeros(0, np.int32), *parts])

    def check_exhausted(self) -> None:
        """
        Raises:
            BitstreamError: a payload does not end with its image.
        """
        for decoder in self.decoders:
            decoder.check_exhausted()


class EncodingInto(_Known):
    """All images into one stream: in every step the pixels of the first, then those of the next."""

    def __init__(self, wave: Wavefront, images: Sequence[Planes], encoder: range_coder.Encoder) -> None:
        super().__init__(wave, images)
        self.encoder = encoder

    def use(self, step: Step, channel: int, digit: int, symbols: Symbols, freqs: Rows) -> None:
        self.encoder.encode(symbols, freqs)


class DecodingFrom(Coder):
    """The inverse of `EncodingInto`."""

    def __init__(self, decoder: range_coder.Decoder) -> None:
        self.decoder = decoder

    def code(self, step: Step, channel: int, digit: int, freqs: Rows) -> Symbols:
        return self.decoder.decode(freqs)


def shares_of(symbols: Symbols, freqs: Rows) -> NDArray[np.int64]:
    """`rans.intervals_of`, compiled where that is possible."""
    if _KERNELS is None:
        return rans.intervals_of(symbols, freqs)
    out = np.empty(len(symbols), np.int64)
    _KERNELS.intervals(symbols, freqs, out)
    return out


def encode_rans(shares: NDArray[np.int64], lanes: int | None = None) -> bytes:
    """`rans.encode` of (H, W, C, D) shares, compiled where that is possible.

    Args:
        lanes: None for as many as suit them.
    """
    lanes = lanes or rans.lanes_for(shares)
    if _KERNELS is None:
        return rans.encode(shares, lanes)
    h, w, channels, digits = shares.shape
    states, words = np.full(lanes, rans.LOWEST, np.int64), np.empty(shares.size, np.uint32)
    at = _KERNELS.encode(shares.reshape(h, w, channels * digits), states, words)
    return rans.pack(states, words[at:])


class RansDecoder(rans.Decoder):
    """`rans.Decoder`, compiled where that is possible."""

    def decode(self, freqs: Rows) -> Symbols:
        if _KERNELS is None:
            return super().decode(freqs)
        symbols = np.empty(len(freqs), np.int32)
        self.read = _KERNELS.decode(self.states, self.words, self.read, freqs, symbols)
        if self.read > len(self.words):
            raise BitstreamError("payload ends before its last pixel")
        return symbols
