"""Execution of a run: devices, compilation and precision.

It is not part of a run's definition and may change when a run is resumed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from pixzip.train.parallel import Processes
from pixzip.train.utilisation import device_peak

#: Type of products: float32, bfloat16, or "auto" for bfloat16 if the hardware multiplies it.
Precision = Literal["auto", "float32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the hardware multiplies bfloat16 without emulation."""
    if device.type == "cuda":
        return True
    return torch.backends.cpu.get_cpu_capability().startswith("AVX512") and torch.cpu._is_avx512_bf16_supported()


class Objective(nn.Module):
    """A loss as a module, for compilation and for DistributedDataParallel."""

    def __init__(
        self, model: nn.Module, bits: Callable[[Tensor], Tensor], product_type: torch.dtype = torch.float32
    ) -> None:
        """
        Args:
            bits: mean bits per sub-pixel of a batch under `model`.
            product_type: type of products under autocast; float32 for no autocast.
        """
        super().__init__()
        self.model, self.product_type, self._bits = model, product_type, bits

    def forward(self, images: Tensor) -> Tensor:
        rounded = self.product_type is not torch.float32
        with torch.autocast(images.device.type, self.product_type, enabled=rounded):
            return self._bits(images)


@dataclass(frozen=True)
class Execution:
    """See the module's docstring.

    Attributes:
        compiled: whether `torch.compile` fuses the operations between matrix products.
        peak_tflops: dense bf16 TFLOP/s of a device, if the published figure is unknown or does not apply.
        precision: type of products; "auto" is bfloat16 if the hardware multiplies it and the model learns equally well.
    """

    processes: Processes = field(default_factory=Processes)
    compiled: bool = False
    peak_tflops: float | None = None
    precision: Precision = "auto"

    def prepare(self, model: nn.Module, bits: Callable[[Tensor], Tensor], *, takes_bfloat16: bool = False) -> nn.Module:
        """The objective in this precision, compiled and distributed as configured.

        Args:
            takes_bfloat16: whether the model learns equally well with products in bfloat16.
        Raises:
            ValueError: the precision is bfloat16, which the model does not support.
        """
        objective = Objective(model, bits, self._product_type(next(model.parameters()).device, takes_bfloat16))
        if self.compiled:
            objective.compile()
        return self.processes.share(objective)

    def _product_type(self, device: torch.device, takes_bfloat16: bool) -> torch.dtype:
        if self.precision == "bfloat16" and not takes_bfloat16:
            raise ValueError("precision is bfloat16, a model of this kind trains in float32")
        wanted = multiplies_bfloat16(device) if self.precision == "auto" else self.precision == "bfloat16"
        return torch.bfloat16 if wanted and takes_bfloat16 else torch.float32

    def peak(self) -> float | None:
        """Peak TFLOP/s of all devices together; None if unknown."""
        one = self.peak_tflops or device_peak(torch.device(self.processes.device))
        return None if one is None else one * self.processes.count
