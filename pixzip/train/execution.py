"""How a run is carried out: on what, compiled or not.  It is no part of what the run is, and may change under way."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from pixzip.train.parallel import Processes
from pixzip.train.utilisation import device_peak


class Objective(nn.Module):
    """A loss as a module, which is what is compiled and what DistributedDataParallel takes."""

    def __init__(self, model: nn.Module, bits: Callable[[Tensor], Tensor]) -> None:
        """
        Args:
            bits: the mean bits a sub-pixel of a batch, by `model`.
        """
        super().__init__()
        self.model, self._bits = model, bits

    def forward(self, images: Tensor) -> Tensor:
        return self._bits(images)


@dataclass(frozen=True)
class Execution:
    """See the module's docstring.

    Attributes:
        compiled: whether `torch.compile` fuses what lies between matrix products.
        peak_tflops: dense bf16 TFLOP/s of a device, where the published one is not known or does not hold.
    """

    processes: Processes = field(default_factory=Processes)
    compiled: bool = False
    peak_tflops: float | None = None

    def prepare(self, model: nn.Module, bits: Callable[[Tensor], Tensor]) -> nn.Module:
        """The objective, compiled and shared as it shall be."""
        objective = Objective(model, bits)
        if self.compiled:
            objective.compile()
        return self.processes.share(objective)

    def peak(self) -> float | None:
        """TFLOP/s of all devices together, None where they are not known."""
        one = self.peak_tflops or device_peak(torch.device(self.processes.device))
        return None if one is None else one * self.processes.count
