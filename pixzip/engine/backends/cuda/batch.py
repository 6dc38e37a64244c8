"""A batch on a device: all steps of some images, without the host, in one of two forms."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pixcodecs.coders.range import EntropyCoder

from pixzip.engine.backends.cuda import graph
from pixzip.engine.backends.cuda.lanes import Lanes
from pixzip.engine.backends.cuda.slots import Slots
from pixzip.engine.backends.cuda.step import FromImages, FromPayloads, MaskedStep
from pixzip.engine.backends.torch.layers import Layers
from pixzip.engine.order import Planes

Progress = Callable[[int, int], None]


class Form(ABC):
    """One model on one device, for samples of 8 bits.

    Attributes:
        coders: whose payloads it decodes.
    """

    coders: ClassVar[frozenset[EntropyCoder]]

    @abstractmethod
    def edges(self, images: Sequence[Planes], progress: Progress | None = None) -> list[NDArray[np.int64]]:
        """(C, H, W) uint8 images in coding order -> (H, W, C, 2) what an entropy coder must know, see `FromImages`."""

    @abstractmethod
    def decode(
        self,
        payloads: Sequence[bytes],
        sizes: list[tuple[int, int]],
        coder: EntropyCoder,
        progress: Progress | None = None,
    ) -> list[Planes]:
        """Payloads of one coder and their (height, width) -> (C, H, W) images in coding order.

        Raises:
            BitstreamError: a payload does not end with its image.
        """


class Steps(Form):
    """Tensor operations, captured as a graph on a GPU."""

    coders = frozenset({EntropyCoder.RANS})

    def __init__(self, layers: Layers) -> None:
        self.layers, self.device = layers, layers.arithmetic.device

    def edges(self, images: Sequence[Planes], progress: Progress | None = None) -> list[NDArray[np.int64]]:
        slots = Slots([planes.shape[1:] for planes in images], self.device)
        known = FromImages(slots, images, self.device)
        graph.run(MaskedStep(self.layers, slots, known), progress)
        found = known.edges.cpu().numpy()
        return [found[slots.schedule.window(i)] for i in range(len(images))]

    def decode(
        self,
        payloads: Sequence[bytes],
        sizes: list[tuple[int, int]],
        coder: EntropyCoder,
        progress: Progress | None = None,
    ) -> list[Planes]:
        if coder not in self.coders:
            raise ValueError(f"payloads are of the coder {coder.value}, expected rans")
        slots = Slots(sizes, self.device)
        lanes = Lanes(payloads, slots, self.device)
        step = MaskedStep(self.layers, slots, FromPayloads(lanes))
        graph.run(step, progress)
        lanes.check_exhausted()
        return [step.pixels(i) for i in range(len(sizes))]
