"""The GPU engine: batches of 8-bit samples run without the host, everything else step by step.

Payloads are byte for byte those of any other engine.
"""

import importlib.util
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray
from pixcodecs.coders.base import EDGE_BITS, TOTAL_BITS, Edges
from pixcodecs.coders.registry import CODERS
from pixcodecs.errors import BitstreamError, ModelMismatchError
from pixcodecs.forking import cached_property

from pixzip.engine.backends.cuda.batch import Form, Steps
from pixzip.engine.backends.cuda.memory import halved
from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.engine.base import Job, Progress
from pixzip.engine.batch import Samples
from pixzip.engine.batching import alike
from pixzip.engine.known_answer import known_answer_pattern
from pixzip.engine.stages.base import IDENTITY
from pixzip.engine.wavefront import WavefrontEngine
from pixzip.models.wavefront.weights import IntegerWeights


class DeviceEngine(TensorEngine):
    """One model on one GPU, or on a CPU in its place; the compiled loop of the CPU codes the full stage.

    That stage's decoder asks some seven questions of a sample, and the host says which is next.  `FullWavefront`, which
    computes the chances of all 255 of them and waits for the host in every channel, is a reference, not a fast way.

    Attributes:
        form: runs batches; None if no form gives the right bytes, in which case everything runs step by step.
    """

    def __init__(
        self, model: IntegerWeights, device: str = "cuda", make: Callable[[TensorEngine], Form] | None = None
    ) -> None:
        """
        Args:
            make: creates the form to use; None takes the first of `forms` that reproduces the known answer.
        Raises:
            ModelMismatchError: this machine, or the requested form, does not reproduce the model's known answer.
        """
        super().__init__(model, device)
        self.form: Form | None = None
        if make:
            self.form = make(self)
            if not self._is_exact(self.form):
                raise ModelMismatchError(
                    f"{type(self.form).__name__} computes other bytes than the model's known answer"
                )
            return
        failures = []
        for candidate in forms(self):
            try:
                form = candidate(self)
                if self._is_exact(form):
                    self.form = form
                    return
                failures.append("other bytes")
            except Exception as e:  # noqa: BLE001, PyTorch, Triton and C compilers raise many types
                failures.append(str(e).partition("\n")[0] or type(e).__name__)
        warnings.warn(
            f"the GPU is used step by step, which is slow: {'; '.join(failures)}", RuntimeWarning, stacklevel=2
        )

    def _is_exact(self, form: Form) -> bool:
        """Whether a form codes the known-answer pattern like the plain engine, which is already verified."""
        pattern = known_answer_pattern(self.model.channels)
        (edges,) = form.edges([pattern])
        for coder in CODERS.values():
            if coder.from_edges is None:
                continue
            (payload,) = super().encode([Job.encoding(pattern, coder=coder)])
            if coder.from_edges(edges, pattern) != payload:
                return False
            if coder.name in form.coders:
                for one in (
                    payload,
                    *(coder.variants(edges, pattern) if coder.variants else ()),
                ):  # one at a time: a batch may compile to another program
                    try:
                        (back,) = form.decode([Job.decoding(one, *pattern.shape[:2], coder=coder)])
                    except BitstreamError:
                        return False
                    if not np.array_equal(back, pattern):
                        return False
        return True

    def _form_for(self, jobs: Sequence[Job]) -> Form | None:
        """The form that codes these jobs without the host; None if they need the host."""
        hosted = any(job.precision.depth > 8 or job.stage != IDENTITY for job in jobs)
        return None if hosted else self.form

    @staticmethod
    def _payloads(form: Form, jobs: Sequence[Job], progress: Progress | None) -> list[bytes]:
        edges = form.edges([job.known for job in jobs], progress)

        def payload(job: Job, own: Edges) -> bytes:
            assert job.coder.from_edges is not None  # checked by `encode`
            return job.coder.from_edges(own, job.known)

        with ThreadPoolExecutor() as pool:  # compiled code releases the GIL
            return list(pool.map(payload, jobs, edges))

    @cached_property
    def compiled(self) -> WavefrontEngine:
        """The same model in the compiled loop."""
        return WavefrontEngine(self.model)

    def encode_full(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[bytes]:
        return self.compiled.encode(jobs, progress)

    def decode_full(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Samples]:
        return self.compiled.decode(jobs, progress)

    def nll_maps_full(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[NDArray[np.float64]]:
        return self.compiled.nll_maps(jobs, progress)

    def encode(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[bytes]:
        form = self._form_for(jobs)
        if form is None or any(job.coder.from_edges is None for job in jobs):
            return super().encode(jobs, progress)
        return halved(lambda part: self._payloads(form, part, progress), jobs)

    def decode(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Samples]:
        form = self._form_for(jobs)
        if form is None:
            return super().decode(jobs, progress)
        answers: dict[int, Samples] = {}
        for chosen in alike(jobs, lambda job: job.coder.name):
            coder = jobs[chosen[0]].coder.name

            def decoded(part: list[int], coder: str = coder) -> list[Samples]:
                some = [jobs[i] for i in part]
                if coder in form.coders:
                    return form.decode(some, progress)
                return super(DeviceEngine, self).decode(some, progress)

            answers |= zip(chosen, halved(decoded, chosen), strict=True)
        return [answers[i] for i in range(len(jobs))]

    def nll_maps(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[NDArray[np.float64]]:
        form = self._form_for(jobs)
        if form is None:
            return super().nll_maps(jobs, progress)
        edges = halved(lambda part: form.edges([job.known for job in part], progress), jobs)
        return [nll_bits(own).sum(-1) for own in edges]


def nll_bits(edges: Edges) -> NDArray[np.float64]:
    """(..., 2) edges of bins and values -> (...) bits: -log2 of each value's share of the total."""
    size = (edges[..., 1] & (1 << EDGE_BITS) - 1) - (edges[..., 1] >> EDGE_BITS)
    bits: NDArray[np.float64] = TOTAL_BITS - np.log2(size)
    return bits


def forms(engine: TensorEngine) -> Iterator[Callable[[TensorEngine], Form]]:
    """The forms that this machine offers, fastest first."""
    if importlib.util.find_spec("triton"):
        with suppress(ImportError):
            from pixzip.engine.backends.triton.form import Kernel  # imports Triton

            yield lambda e: Kernel(e.model, e.layers.products.device)
    yield lambda e: Steps(e.layers)
