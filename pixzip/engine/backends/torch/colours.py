"""Colours seen, in tensor operations: see `models.wavefront.colours`.  All numbers are int64."""

from collections.abc import Sequence

import torch
from pixcodecs.coders.base import TOTAL
from torch import Tensor

from pixzip.engine.backends.torch.integers import half_octave
from pixzip.models.wavefront import colours as C

_SPARE = 16 * (TOTAL - 256)
#: Bytes of the colours of an image that remembers them.
BYTES = 1 << 24


def remembers(size: tuple[int, int]) -> bool:
    """Whether an image of (height, width) has enough pixels."""
    return size[0] * size[1] >= C.LEAST_PIXELS


class Colours:
    """The colours of a batch's N images, of which S remember them, and what they mean for the M pixels of a step.

    Attributes:
        at: (N,) an image's first dimension in the next two, or -1.
        seen: (S, 2^16, 256) bool: whether the colour of these first two channels, and of the third, occurred.
        counts: (2, S, CLASSES): how often a class gave a value that had occurred, and how often it was used.
        used: (U,) pixels of the step whose frequencies are refined.
        kind: (U,) their classes.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], device: torch.device) -> None:
        """
        Args:
            sizes: (height, width) of the images.
        """
        large = torch.tensor([remembers(size) for size in sizes])
        count = int(large.sum())
        self.at = torch.where(large, large.cumsum(0) - 1, -1).to(device)
        self.seen = torch.zeros(count, 1 << 16, 256, dtype=torch.bool, device=device)
        self.counts = torch.zeros(2, count, C.CLASSES, dtype=torch.int64, device=device)

    def look(self, image: Tensor, known: Tensor) -> Tensor:
        """(U,) the pixels of a step whose known channels occurred with 1 to MOST_VALUES values of the third.

        Args:
            image: (M,) of each pixel.
            known: (M, 2) first two channels.
        """
        self._image = image
        row = self.at[image]
        (large,) = (row >= 0).nonzero(as_tuple=True)
        values = self.seen[row[large], 256 * known[large, 0] + known[large, 1]]
        number = values.sum(1)
        chosen = (number > 0) & (number <= C.MOST_VALUES)
        used: Tensor = large[chosen]
        self.used, self._row, self._values = used, row[used], values[chosen]
        return used

    def refined(self, below: Tensor) -> Tensor:
        """(U, 257) refined frequencies below each value, given those of the mixtures."""
        inside = torch.where(self._values, below.diff(), 0).cumsum(1)
        inside = torch.nn.functional.pad(inside, (1, 0))
        seen = inside[:, -1]
        others = TOTAL - seen
        self.kind = (half_octave(seen) - half_octave(others) + C.CLASSES // 2).clamp(0, C.CLASSES - 1)
        hits, uses = self.counts[:, self._row, self.kind]
        share = ((hits << 16) + seen // 4) // (uses + C.PRIOR)
        share = share.clamp(C.LEAST_SHARE, (1 << 16) - C.LEAST_SHARE)
        inner, outer = share * _SPARE // seen, ((1 << 16) - share) * _SPARE // others
        whole: Tensor = (inner[:, None] * inside + outer[:, None] * (below - inside)) >> 20
        whole += torch.arange(257, device=whole.device)
        whole[:, 0], whole[:, -1] = 0, TOTAL
        return whole

    def remember(self, colours: Tensor) -> None:
        """Count the uses of the classes, and add the step's (M, 3) colours."""
        where = self._row, self.kind
        occurred = self._values.gather(1, colours[self.used, 2:])[:, 0]
        for counts, news in zip(self.counts, (occurred.long(), torch.ones_like(self.kind)), strict=True):
            counts.index_put_(where, news, accumulate=True)
        while (over := self.counts[1] > C.LIMIT).any():
            self.counts = torch.where(over, self.counts >> 1, self.counts)
        row = self.at[self._image]
        large = row >= 0
        colour = colours[large]
        self.seen[row[large], 256 * colour[:, 0] + colour[:, 1], colour[:, 2]] = True
