"""The engine of a GPU: batches of samples of 8 bits run without the host, all else step by step.

Payloads are the bytes that any other engine writes.
"""

import importlib.util
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray
from pixcodecs.coders import rans
from pixcodecs.coders.range import EntropyCoder
from pixcodecs.container.blocks import Precision
from pixcodecs.errors import BitstreamError, ModelMismatchError

from pixzip.engine.backends.cuda import host
from pixzip.engine.backends.cuda.batch import Form, Steps
from pixzip.engine.backends.cuda.memory import halving
from pixzip.engine.known_answer import known_answer_pattern
from pixzip.engine.order import Planes
from pixzip.engine.wavefront import Engine, Progress
from pixzip.models.wavefront.weights import IntegerWeights


class DeviceEngine(Engine):
    """One model on one GPU, or on a CPU that stands in for it.

    Attributes:
        form: what runs batches; None where no form gives the right bytes, and everything runs step by step.
    """

    def __init__(
        self, weights: IntegerWeights, device: str = "cuda", make: Callable[[Engine], Form] | None = None
    ) -> None:
        """
        Args:
            make: makes the form to use; None takes the first of `forms` that reproduces the known answer.
        Raises:
            ModelMismatchError: this machine, or the form asked for, does not reproduce the model's known answer.
        """
        super().__init__(weights, device, compiled=False)
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
            except Exception as e:  # noqa: BLE001, PyTorch and compilers, Triton's and its C compiler, have many
                failures.append(str(e).partition("\n")[0] or type(e).__name__)
        warnings.warn(
            f"the GPU is used step by step, which is slow: {'; '.join(failures)}", RuntimeWarning, stacklevel=2
        )

    def _is_exact(self, form: Form) -> bool:
        """Whether a form codes the known answer's pattern as the plain engine, which was held against the answer."""
        pattern = known_answer_pattern(self.weights.config.channels)
        values = pattern.transpose(1, 2, 0)
        (edges,) = form.edges([pattern])
        for coder in EntropyCoder:
            (payload,) = super().encode([pattern], coder=coder)
            if host.payload(edges, values, coder) != payload:
                return False
            payloads = [payload]
            if coder is EntropyCoder.RANS:  # a pattern so small has one lane, files may have all
                payloads.append(host.payload(edges, values, coder, 1 << rans.MOST_LANES_LOG2))
            if coder in form.coders:
                for one in payloads:  # each by itself: for more lanes a form may be another program
                    try:
                        (back,) = form.decode([one], [pattern.shape[1:]], coder)
                    except BitstreamError:
                        return False
                    if not np.array_equal(back, pattern):
                        return False
        return True

    @staticmethod
    def _payloads(form: Form, images: Sequence[Planes], coder: EntropyCoder, progress: Progress | None) -> list[bytes]:
        found = form.edges(images, progress)
        with ThreadPoolExecutor() as pool:  # compiled code that lets other threads run
            values = (planes.transpose(1, 2, 0) for planes in images)
            return list(pool.map(lambda edges, own: host.payload(edges, own, coder), found, values))

    def encode(
        self,
        images: Sequence[Planes],
        progress: Progress | None = None,
        precisions: Sequence[Precision] | None = None,
        coder: EntropyCoder = EntropyCoder.RANGE,
    ) -> list[bytes]:
        form = self.form
        if form is None or _is_deep(precisions):
            return super().encode(images, progress, precisions, coder)
        return halving(lambda part: self._payloads(form, part, coder, progress), images)

    def decode(
        self,
        payloads: Sequence[bytes],
        sizes: list[tuple[int, int]],
        progress: Progress | None = None,
        precisions: Sequence[Precision] | None = None,
        coders: Sequence[EntropyCoder] | None = None,
    ) -> list[Planes]:
        form = self.form
        if form is None or _is_deep(precisions):
            return super().decode(payloads, sizes, progress, precisions, coders)
        coders = coders or [EntropyCoder.RANGE] * len(payloads)
        answers: dict[int, Planes] = {}
        for coder in dict.fromkeys(coders):

            def decoded(part: list[int], coder: EntropyCoder = coder) -> list[Planes]:
                given = [payloads[i] for i in part], [sizes[i] for i in part]
                if coder in form.coders:
                    return form.decode(*given, coder, progress)
                return super(DeviceEngine, self).decode(*given, progress, coders=[coder] * len(part))

            chosen = [i for i, c in enumerate(coders) if c is coder]
            answers |= zip(chosen, halving(decoded, chosen), strict=True)
        return [answers[i] for i in range(len(payloads))]

    def nll_maps(
        self,
        images: Sequence[Planes],
        progress: Progress | None = None,
        precisions: Sequence[Precision] | None = None,
    ) -> list[NDArray[np.float64]]:
        form = self.form
        if form is None or _is_deep(precisions):
            return super().nll_maps(images, progress, precisions)
        return [host.nll_bits(edges).sum(-1) for edges in halving(lambda part: form.edges(part, progress), images)]


def _is_deep(precisions: Sequence[Precision] | None) -> bool:
    return any(precision.depth > 8 for precision in precisions or ())


def forms(engine: Engine) -> Iterator[Callable[[Engine], Form]]:
    """The forms of this machine, the fastest first."""
    if importlib.util.find_spec("triton"):
        with suppress(ImportError):
            from pixzip.engine.backends.triton.form import Kernel

            yield lambda e: Kernel(e.weights, e.layers.arithmetic.device)
    yield lambda e: Steps(e.layers)


__all__ = ["DeviceEngine", "forms"]
