"""Uses of decisions, which are bits and their probabilities: they are encoded or measured, or decoded from payloads."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pixcodecs.coders import bits_numba, range_numba
from pixcodecs.errors import BitstreamError

from pixzip.engine.backends.numba.digits import ENDED
from pixzip.engine.backends.numba.questions import read_repetitions, read_samples
from pixzip.engine.base import Job
from pixzip.engine.batch import Batch, Samples, Step
from pixzip.models.wavefront.questions import questions

Int64 = NDArray[np.int64]
Mask = NDArray[np.bool_]


class DecisionCoder(ABC):
    """Finds what the pixels of a step are, and uses the decisions that lead there.

    Attributes:
        knows: whether `samples` needs no probabilities.
    """

    knows: bool

    @abstractmethod
    def repetitions(self, step: Step, colours: Int64, chances: Int64, asked: Mask) -> Int64:
        """(M,) the candidates that the pixels repeat, or -1.

        Args:
            colours: (M, K) candidates, as numbers whose bytes are samples.
            chances: (M, K) probabilities of 2^16 that pixels have them.
            asked: (M, K) whether that is a decision, if none before was 1.
        """

    @abstractmethod
    def samples(self, step: Step, channel: int, first: Int64, chances: Int64, given: Int64) -> Int64:
        """(M,) samples of a channel.

        Args:
            first: (M,) first questions, see `questions`.
            chances: (M, 255) probabilities of 2^16 that samples are at least 1 to 255; (M, 0) if the coder `knows`.
            given: (M,) samples of repetitions, else -1.
        """

    @abstractmethod
    def use(self, step: Step, bits: Int64, chances: Int64, made: Mask) -> None:
        """Use (M, Q) bits with their probabilities, where a decision was made, pixel by pixel."""


class Known(DecisionCoder):
    """A coder of known images."""

    knows = True

    def __init__(self, batch: Batch, images: Sequence[Samples]) -> None:
        """
        Args:
            images: the batch's images, (H, W, C) uint8 in coding order.
        """
        self.values = np.zeros((batch.buffer_pixels, batch.channels), np.int64)
        for i, samples in enumerate(images):
            batch.view(self.values, i)[...] = samples
        self.colours = np.zeros(batch.buffer_pixels, np.int64)
        for channel in range(batch.channels):
            self.colours = self.colours << 8 | self.values[:, channel]

    def repetitions(self, step: Step, colours: Int64, chances: Int64, asked: Mask) -> Int64:
        hit = asked & (colours == self.colours[step.address, None])
        return np.where(hit.any(1), hit.argmax(1), -1)

    def samples(self, step: Step, channel: int, first: Int64, chances: Int64, given: Int64) -> Int64:
        found: Int64 = self.values[step.address, channel]
        return found


class EncodingDecisions(Known):
    """Encodes each image into its own payload."""

    def __init__(self, batch: Batch, images: Sequence[Samples]) -> None:
        super().__init__(batch, images)
        self.bits: list[list[Int64]] = [[] for _ in images]
        self.chances: list[list[Int64]] = [[] for _ in images]

    def use(self, step: Step, bits: Int64, chances: Int64, made: Mask) -> None:
        for image, part in step.segments:
            self.bits[image].append(bits[part][made[part]])
            self.chances[image].append(chances[part][made[part]])

    def payloads(self) -> list[bytes]:
        """The payload of each image, after all steps."""
        both = zip(self.bits, self.chances, strict=True)
        return [bits_numba.encode(np.concatenate(bits), np.concatenate(chances)) for bits, chances in both]


class MeasureDecisions(Known):
    """Measures -log2 of the decisions' probabilities for every pixel."""

    def __init__(self, batch: Batch, images: Sequence[Samples]) -> None:
        super().__init__(batch, images)
        self.batch, self.bits = batch, np.zeros(batch.buffer_pixels)

    def use(self, step: Step, bits: Int64, chances: Int64, made: Mask) -> None:
        costs = 16 - np.log2(np.where(bits == 1, chances, 65536 - chances))
        self.bits[step.address] += (costs * made).sum(1)

    def maps(self, count: int) -> list[NDArray[np.float64]]:
        """(H, W) bits of each image of the batch."""
        return [self.batch.view(self.bits, i).copy() for i in range(count)]


class DecodingDecisions(DecisionCoder):
    """Decodes each image from its own payload."""

    knows = False

    def __init__(self, jobs: Sequence[Job]) -> None:
        """
        Raises:
            BitstreamError: the length of a payload is no multiple of 4 bytes.
        """
        self.words = [range_numba.parse(job.coded) for job in jobs]
        self.states = np.zeros((len(jobs), 4), np.uint64)
        self.spans = np.array([[0, len(words)] for words in self.words])
        for state, words in zip(self.states, self.words, strict=True):
            range_numba.start(state, words, 0, len(words))
        self.after = questions().after.astype(np.int64)

    def repetitions(self, step: Step, colours: Int64, chances: Int64, asked: Mask) -> Int64:
        found = np.empty(len(chances), np.int64)
        for i, part in step.segments:
            own = self.states[i], self.words[i], self.spans[i]
            self._check(read_repetitions(chances[part], asked[part], *own, found[part]))
        return found

    def samples(self, step: Step, channel: int, first: Int64, chances: Int64, given: Int64) -> Int64:
        found = np.empty(len(chances), np.int64)
        for i, part in step.segments:
            own = self.states[i], self.words[i], self.spans[i]
            self._check(read_samples(first[part], chances[part], given[part], self.after, *own, found[part]))
        return found

    def use(self, step: Step, bits: Int64, chances: Int64, made: Mask) -> None:
        """Nothing: they are read already."""

    @staticmethod
    def _check(status: int) -> None:
        if status == ENDED:
            raise BitstreamError("payload ends before its last pixel")
        if status:
            raise BitstreamError("payload damaged: no encoder writes its words")

    def check_exhausted(self) -> None:
        """
        Raises:
            BitstreamError: a payload does not end with its image.
        """
        for state, words in zip(self.states, self.words, strict=True):
            if not range_numba.is_exhausted(state, len(words)):
                raise BitstreamError("payload goes on after its last pixel")
