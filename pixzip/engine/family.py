"""The engine of the PixelRNN family: fixed-point frequencies, equal on every machine."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from pixcodecs import forking, threads
from pixcodecs.coders import base as coders
from pixcodecs.container.blocks import Precision
from pixcodecs.errors import BitstreamError, ModelMismatchError, UnsupportedImageError

from pixzip.engine.base import Engine, Job, Progress, check_streamed
from pixzip.engine.batch import Samples
from pixzip.engine.batching import alike
from pixzip.engine.family_batches import FrontBatch, Network, WholeBatch
from pixzip.engine.known_answer import known_answer_pattern
from pixzip.engine.loop import run
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.engine.symbols import Decoding, DecodingFrom, Encoding, EncodingInto, Hash, Measure
from pixzip.models.family.weights import FixedWeights

if (_chosen := threads.chosen()) is not None:
    torch.set_num_threads(_chosen)  # PyTorch was not imported when it was chosen
forking.in_children(lambda: torch.set_num_threads(1))  # its threads are those of OpenMP, for which a child would wait


class FamilyEngine(Engine):
    """One family model on one device, ready to code.

    Attributes:
        network: layers and tables of the model.
    """

    model: FixedWeights

    def __init__(self, model: FixedWeights, device: str = "cpu") -> None:
        """
        Raises:
            ModelMismatchError: this machine does not reproduce the model's known answer.
        """
        self.model = model
        target = torch.device(device)
        self.network = Network(*model.network(target), model.levels, target)
        if model.known_answer and self.known_answer() != model.known_answer:
            raise ModelMismatchError(
                f"this machine computes other frequencies than model {model.model_id.hex()} should give "
                f"(on {device}): nothing was coded"
            )

    @classmethod
    def placed(cls, jobs: Sequence[Job] | None) -> AbstractContextManager[str]:
        """A GPU if there is one: it suits matrix products of whole images."""
        return nullcontext("cuda")

    def _pattern(self) -> Samples:
        pattern = known_answer_pattern(self.model.channels)
        return pattern // 128 if self.model.levels == 2 else pattern

    def known_answer(self) -> str:
        pattern = self._pattern()
        batch = WholeBatch(self.network, [pattern])
        coder = Hash(batch, [pattern])
        run(batch, coder)
        return coder.hash.hexdigest()

    def _known(self, jobs: Sequence[Job]) -> list[Samples]:
        """The samples of encoding jobs."""
        images = [job.known for job in jobs]
        for samples in images:
            if int(samples.max(initial=0)) >= self.model.levels:
                raise UnsupportedImageError(
                    f"image has a value of {samples.max()}, its model {self.model.levels} levels"
                )
        return images

    def _check(self, jobs: Sequence[Job], error: type[Exception]) -> None:
        """
        Raises:
            UnsupportedImageError: a job has samples of another depth, or a stage for other models.
            error: a job has an entropy coder that the model does not support.
        """
        for job in jobs:
            if job.precision != Precision():
                raise UnsupportedImageError("models of the PixelRNN family code samples of 8 bits")
            if job.stage in (LIGHT, FULL):
                raise UnsupportedImageError(
                    f"models of the PixelRNN family cannot adapt: they have no stage {job.stage.name}"
                )
            if job.coder.name not in self.model.coders:
                raise error(f"models of the PixelRNN family code by range only, not by {job.coder.name}")

    def encode(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[bytes]:
        self._check(jobs, UnsupportedImageError)
        payloads = []
        for i, job in enumerate(jobs):
            batch = WholeBatch(self.network, self._known([job]))
            encoding = Encoding(batch, [job])
            run(batch, encoding, job.stage)
            payloads += encoding.payloads()
            if progress:
                progress(i + 1, len(jobs))
        return payloads

    def decode(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Samples]:
        """Decode images of one size as one batch."""
        self._check(jobs, BitstreamError)
        found: dict[int, Samples] = {}
        for chosen in alike(jobs, lambda job: (job.size, job.stage)):
            some = [jobs[i] for i in chosen]
            decoding = Decoding(some, self.model.channels)
            batch = FrontBatch(self.network, len(some), *some[0].size)
            with torch.no_grad():
                run(batch, decoding, some[0].stage, progress)
            decoding.check_exhausted()
            found |= {i: batch.samples(k) for k, i in enumerate(chosen)}
        return [found[i] for i in range(len(jobs))]

    def nll_maps(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[NDArray[np.float64]]:
        self._check(jobs, UnsupportedImageError)
        maps = []
        for i, job in enumerate(jobs):
            images = self._known([job])
            batch = WholeBatch(self.network, images)
            coder = Measure(batch, images)
            run(batch, coder, job.stage)
            maps += coder.maps(1)
            if progress:
                progress(i + 1, len(jobs))
        return maps

    def encode_into(self, jobs: Sequence[Job], encoder: coders.Encoder, progress: Progress | None = None) -> None:
        """Encode images of one size side by side."""
        check_streamed(jobs)
        if not jobs:
            return
        images = self._known(jobs)
        batch = WholeBatch(self.network, images)
        run(batch, EncodingInto(batch, images, encoder), progress=progress)

    @torch.no_grad()
    def decode_from(
        self, sizes: Sequence[tuple[int, int]], decoder: coders.Decoder, progress: Progress | None = None
    ) -> list[Samples]:
        if not sizes:
            return []
        (size,) = set(sizes)
        batch = FrontBatch(self.network, len(sizes), *size)
        run(batch, DecodingFrom(decoder), progress=progress)
        return [batch.samples(i) for i in range(len(sizes))]


def with_known_answer(model: FixedWeights) -> FixedWeights:
    """The same weights with the known answer that every machine must reproduce, verified by decoding."""
    engine = FamilyEngine(replace(model, known_answer=""))
    sealed = replace(model, known_answer=engine.known_answer())
    pattern = engine._pattern()
    (payload,) = engine.encode([Job.encoding(pattern)])
    (back,) = engine.decode([Job.decoding(payload, *pattern.shape[:2])])
    if not np.array_equal(back, pattern):
        raise ModelMismatchError("the model decodes its own pattern to something else")
    return sealed
