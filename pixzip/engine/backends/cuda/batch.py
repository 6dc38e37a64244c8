"""Run all steps of a batch on a device without the host, in one of two forms."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pixcodecs.coders.base import Edges
from pixcodecs.coders.registry import RANS

from pixzip.engine.backends.cuda import graph
from pixzip.engine.backends.cuda.lanes import Lanes
from pixzip.engine.backends.cuda.slots import Slots
from pixzip.engine.backends.cuda.step import FromImages, FromPayloads, MaskedStep
from pixzip.engine.backends.torch.layers import Layers
from pixzip.engine.base import Job, Progress
from pixzip.engine.batch import Samples


class Form(ABC):
    """One model on one device, for 8-bit samples.

    Attributes:
        coders: names of the entropy coders whose payloads the form decodes.
    """

    coders: ClassVar[frozenset[str]]

    @abstractmethod
    def edges(self, images: Sequence[Samples], progress: Progress | None = None) -> list[Edges]:
        """(H, W, C) uint8 images in coding order -> (H, W, C, 2) edges for an entropy coder, see `FromImages`."""

    @abstractmethod
    def decode(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Samples]:
        """Jobs with payloads of one of its coders -> (H, W, C) images in coding order.

        Raises:
            BitstreamError: a payload does not end with its image.
        """


class Steps(Form):
    """Tensor operations, captured as a graph on a GPU."""

    coders = frozenset({RANS.name})

    def __init__(self, layers: Layers) -> None:
        self.layers, self.device = layers, layers.products.device

    def edges(self, images: Sequence[Samples], progress: Progress | None = None) -> list[Edges]:
        slots = Slots([samples.shape[:2] for samples in images], self.device)
        known = FromImages(slots, images, self.device)
        graph.run(MaskedStep(self.layers, slots, known), progress)
        found = known.edges.cpu().numpy()
        return [np.ascontiguousarray(slots.schedule.view(found, i)) for i in range(len(images))]

    def decode(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Samples]:
        (coder,) = {job.coder.name for job in jobs}
        if coder not in self.coders:
            raise ValueError(f"payloads are of the coder {coder}, expected rans")
        slots = Slots([job.size for job in jobs], self.device)
        lanes = Lanes([job.coded for job in jobs], slots, self.device)
        step = MaskedStep(self.layers, slots, FromPayloads(lanes))
        graph.run(step, progress)
        lanes.check_exhausted()
        return [step.samples(i) for i in range(len(jobs))]
