"""Uses of a batch's frequencies: known symbols are encoded, measured or hashed, unknown ones decoded."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pixcodecs.coders import base as coders
from pixcodecs.coders.base import Rows, Symbols

from pixzip.engine.base import Job
from pixzip.engine.batch import Batch, Samples, Step


class SymbolCoder(ABC):
    """Gives the symbols for frequencies, by look-up or by decoding."""

    @abstractmethod
    def code(self, step: Step, channel: int, digit: int, freqs: Rows) -> Symbols:
        """(M, K) frequencies of digit number `digit`, counted from the highest -> (M,) symbols."""


class Known(SymbolCoder):
    """A coder whose symbols come from known images."""

    def __init__(self, batch: Batch, images: Sequence[Samples]) -> None:
        """
        Args:
            images: the batch's images, (H, W, C) in coding order.
        """
        self.batch = batch
        self.values = np.zeros((batch.buffer_pixels, batch.channels), batch.dtype)
        for i, samples in enumerate(images):
            batch.view(self.values, i)[...] = samples

    def code(self, step: Step, channel: int, digit: int, freqs: Rows) -> Symbols:
        symbols = self.batch.symbols(self.values[step.address, channel].astype(np.int32), digit)
        self.use(step, symbols, freqs)
        return symbols

    @abstractmethod
    def use(self, step: Step, symbols: Symbols, freqs: Rows) -> None:
        """Use symbols and their frequencies."""


class Encoding(Known):
    """Encodes each image into its own payload."""

    def __init__(self, batch: Batch, jobs: Sequence[Job]) -> None:
        super().__init__(batch, [job.known for job in jobs])
        self.encoders = [job.coder.encoder(job.shape(batch.channels)) for job in jobs]

    def use(self, step: Step, symbols: Symbols, freqs: Rows) -> None:
        for image, part in step.segments:
            self.encoders[image].encode(symbols[part], freqs[part])

    def payloads(self) -> list[bytes]:
        """The payload of each image, after all steps."""
        return [encoder.finish() for encoder in self.encoders]


class EncodingInto(Known):
    """Encodes all images into one stream; in every step, image after image."""

    def __init__(self, batch: Batch, images: Sequence[Samples], encoder: coders.Encoder) -> None:
        super().__init__(batch, images)
        self.encoder = encoder

    def use(self, step: Step, symbols: Symbols, freqs: Rows) -> None:
        self.encoder.encode(symbols, freqs)


class Measure(Known):
    """Measures -log2 of the symbols' probabilities for every pixel."""

    def __init__(self, batch: Batch, images: Sequence[Samples]) -> None:
        super().__init__(batch, images)
        self.bits = np.zeros(batch.buffer_pixels)

    def use(self, step: Step, symbols: Symbols, freqs: Rows) -> None:
        self.bits[step.address] += coders.nll_bits(symbols, freqs)

    def maps(self, count: int) -> list[NDArray[np.float64]]:
        """(H, W) bits of each image of the batch."""
        return [self.batch.view(self.bits, i).copy() for i in range(count)]


class Hash(Known):
    """Computes the SHA-256 of all frequencies."""

    def __init__(self, batch: Batch, images: Sequence[Samples]) -> None:
        super().__init__(batch, images)
        self.hash = hashlib.sha256()

    def use(self, step: Step, symbols: Symbols, freqs: Rows) -> None:
        self.hash.update(freqs.astype("<i4").tobytes())


class Decoding(SymbolCoder):
    """Decodes each image from its own payload."""

    def __init__(self, jobs: Sequence[Job], channels: int) -> None:
        """
        Raises:
            BitstreamError: a payload is damaged.
        """
        self.decoders = [job.coder.decoder(job.coded, job.shape(channels)) for job in jobs]

    def code(self, step: Step, channel: int, digit: int, freqs: Rows) -> Symbols:
        if len(step.segments) == 1:
            return self.decoders[step.segments[0][0]].decode(freqs)
        symbols = np.empty(len(freqs), np.int32)
        for image, part in step.segments:
            symbols[part] = self.decoders[image].decode(freqs[part])
        return symbols

    def check_exhausted(self) -> None:
        """
        Raises:
            BitstreamError: a payload does not end with its image.
        """
        for decoder in self.decoders:
            decoder.check_exhausted()


class DecodingFrom(SymbolCoder):
    """The inverse of `EncodingInto`."""

    def __init__(self, decoder: coders.Decoder) -> None:
        self.decoder = decoder

    def code(self, step: Step, channel: int, digit: int, freqs: Rows) -> Symbols:
        return self.decoder.decode(freqs)
