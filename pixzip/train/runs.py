"""The definition of a run: its settings, and its steps."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class RunConfig:
    """Settings of every run."""

    megapixels: float = 300.0
    batch: int = 4
    #: Images a step in the last part of the run, whose gradients are less noisy; 0: as many as before.
    late_batch: int = 0
    #: Share of the run after which `late_batch` holds.
    late_from: float = 0.8
    warmup_steps: int = 100
    #: Decay of the averaged weights, which are exported.
    ema: float = 0.998
    #: Largest norm of gradients; larger ones are clipped.
    clip: float = 1.0
    seed: int = 0
    #: Number of measurements of the averaged weights.
    evals: int = 20
    checkpoint_s: float = 120.0
    #: Time after which a run ends before it has seen all its megapixels, with rates that fall until then; 0: no such.
    seconds: float = 0.0


@dataclass(frozen=True)
class Steps:
    """The steps of a run whose batches may grow once.

    Attributes:
        early, late: megapixels of a step before and after the growth.
        first_late: the first step of the larger batch.
        total: number of steps.
    """

    early: float
    late: float
    first_late: int
    total: int

    @classmethod
    def of(cls, config: RunConfig, image_megapixels: float) -> "Steps":
        """The steps that see `config.megapixels` in images of a size."""
        early, late = config.batch * image_megapixels, (config.late_batch or config.batch) * image_megapixels
        first_late = math.ceil((config.late_from if config.late_batch else 1.0) * config.megapixels / early)
        rest = max(0.0, config.megapixels - first_late * early)
        return cls(early, late, first_late, first_late + math.ceil(rest / late - 1e-9))

    def megapixels(self, step: int) -> float:
        """What `step` steps have seen."""
        return min(step, self.first_late) * self.early + max(0, step - self.first_late) * self.late
