"""The engine of wavefront models in tensor operations, wherever PyTorch runs: the plain form of the arithmetic."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from pixcodecs.container.blocks import Precision
from pixcodecs.errors import ModelMismatchError

from pixzip.engine.backends.base import Wavefront
from pixzip.engine.backends.torch import adapt, colours, gemm
from pixzip.engine.backends.torch.layers import Layers
from pixzip.engine.backends.torch.wavefront import TensorWavefront
from pixzip.engine.base import Job
from pixzip.engine.stages.base import IDENTITY, Stage
from pixzip.engine.stages.light import LIGHT
from pixzip.engine.wavefront import SteppedEngine, WavefrontEngine
from pixzip.models.wavefront.weights import IntegerWeights


class TensorEngine(SteppedEngine):
    """One wavefront model on one device, step by step."""

    def __init__(self, model: IntegerWeights, device: str = "cpu", backend: str | None = None) -> None:
        """
        Args:
            device: "cpu" or "cuda".
            backend: a name in `gemm.BACKENDS`; None takes the fastest exact one.
        Raises:
            ModelMismatchError: this machine does not reproduce the model's known answer.
        """
        self.model = model
        shapes = Layers.shapes(model)
        target = torch.device(device)
        if backend is None:
            products = gemm.choose(target, shapes)
        else:
            products = gemm.BACKENDS[backend](target)
            if gemm.self_test(products, shapes) is None:
                raise ModelMismatchError(f"backend {backend} is not exact on this machine")
        self.layers = Layers(model, products)
        self.check(f"backend {products.name} on {device}")

    def batch(
        self, sizes: list[tuple[int, int]], precisions: Sequence[Precision] | None = None, stage: Stage = IDENTITY
    ) -> Wavefront:
        return TensorWavefront(self.layers, sizes, precisions, stage)

    def state_bytes(self, job: Job) -> int:
        if job.stage != LIGHT:
            return 0
        remembers = self.model.channels == 3 and job.precision.depth == 8 and colours.remembers(job.size)
        return adapt.state_bytes(job.size, self.model.channels) + (colours.BYTES if remembers else 0)


def with_known_answer(model: IntegerWeights) -> IntegerWeights:
    """The same weights with the answers that every machine must reproduce.

    The known answer is computed by float32 tensor operations, the plainest form, and verified by this machine's
    fastest.  That one computes the answer under the light stage.
    """
    plain = TensorEngine(replace(model, known_answer="", adapted_answer=""), backend="float32")
    sealed = replace(model, known_answer=plain.known_answer(), adapted_answer="")
    return replace(sealed, adapted_answer=WavefrontEngine(sealed).adapted_answer())
