"""Colours seen, in tensor operations: see `models.wavefront.colours`.  All numbers are int64."""

from collections.abc import Sequence

import numpy as np
import torch
from pixcodecs.coders.base import TOTAL
from torch import Tensor

from pixzip.engine.backends.torch.integers import half_octave
from pixzip.models.wavefront import colours as C
from pixzip.models.wavefront.lattices import NONE, bitmaps

_SPARE = 16 * (TOTAL - 256)
#: Bytes of the colours of an image that remembers them.
BYTES = 1 << 24


def remembers(size: tuple[int, int]) -> bool:
    """Whether an image of (height, width) has enough pixels."""
    return size[0] * size[1] >= C.LEAST_PIXELS


def _kind(one: Tensor, other: Tensor) -> Tensor:
    """The classes of the odds of two frequencies; those of 0 have no meaning."""
    odds = half_octave(one.clamp(min=1)) - half_octave(other.clamp(min=1))
    return (odds + C.CLASSES // 2).clamp(0, C.CLASSES - 1)


class Colours:
    """The colours of a batch's N images, of which S remember them, and what they mean for the M pixels of a step.

    Attributes:
        at: (N,) an image's first dimension in `seen`, or -1.
        seen: (S, 2^16, 256) bool: whether the colour of these first two channels, and of the third, occurred.
        lattice_at: (N,) an image's first dimension in `lattices`, or -1.
        lattices: (L, 2^16, 256) bool: the same of colours on lattices.
        counts: (2, 2, S, CLASSES): how often a class gave a likely value, and how often it was used; then how often,
            of likely values, one that had occurred.
        used: (U,) pixels of the step whose frequencies are refined.
        kinds: (2, U) their classes.
    """

    def __init__(
        self, sizes: Sequence[tuple[int, int]], device: torch.device, lattices: Sequence[int], order: tuple[int, ...]
    ) -> None:  # fmt: skip
        """
        Args:
            sizes: (height, width) of the images.
            lattices: number of the lattice of each image.
            order: the image's channels in coding order.
        """
        large = torch.tensor([remembers(size) for size in sizes])
        count = int(large.sum())
        self.at = torch.where(large, large.cumsum(0) - 1, -1).to(device)
        self.seen = torch.zeros(count, 1 << 16, 256, dtype=torch.bool, device=device)
        self.counts = torch.zeros(2, 2, count, C.CLASSES, dtype=torch.int64, device=device)
        words, rows = bitmaps([n if on else NONE for n, on in zip(lattices, large, strict=True)], order)
        bits = np.unpackbits(words.astype("<u8").view(np.uint8), bitorder="little")
        self.lattices = torch.from_numpy(bits.view(np.bool_)).view(-1, 1 << 16, 256).to(device)
        self.lattice_at = torch.from_numpy(rows).to(device)

    def look(self, image: Tensor, known: Tensor) -> Tensor:
        """(U,) the pixels of a step whose known channels have likely values of the third, but not too many.

        Args:
            image: (M,) of each pixel.
            known: (M, 2) first two channels.
        """
        self._image = image
        row = self.at[image]
        (large,) = (row >= 0).nonzero(as_tuple=True)
        pair = 256 * known[large, 0] + known[large, 1]
        values = self.seen[row[large], pair]
        which = self.lattice_at[image[large]]
        if len(self.lattices):
            others = self.lattices[which.clamp(min=0), pair] & (which >= 0)[:, None] & ~values
        else:
            others = torch.zeros_like(values)
        number, most = values.sum(1) + others.sum(1), torch.where(which < 0, C.MOST_VALUES, C.MOST_WITH_LATTICE)
        chosen = (number > 0) & (number <= most)
        used: Tensor = large[chosen]
        self.used, self._row, self._values, self._others = used, row[used], values[chosen], others[chosen]
        return used

    def refined(self, below: Tensor) -> Tensor:
        """(U, 257) refined frequencies below each value, given those of the mixtures."""
        steps = below.diff()
        inside, among = (
            torch.nn.functional.pad(torch.where(values, steps, 0).cumsum(1), (1, 0))
            for values in (self._values, self._others)
        )
        seen, others = inside[:, -1], among[:, -1]
        likely = seen + others
        self.kinds = torch.stack([_kind(likely, TOTAL - likely), _kind(seen, others)])
        share = self._share(0, likely, torch.full_like(likely, TOTAL))
        part = self._share(1, seen, likely)
        both = (seen > 0) & (others > 0)
        self.kinds[1] = torch.where(both, self.kinds[1], -1)
        of_seen = torch.where(both, (share * part) >> 16, share)
        of_others = torch.where(both, (share * ((1 << 16) - part)) >> 16, share)
        inner, middle = of_seen * _SPARE // seen.clamp(min=1), of_others * _SPARE // others.clamp(min=1)
        outer = ((1 << 16) - share) * _SPARE // (TOTAL - likely)
        rest = outer[:, None] * (below - inside - among)
        whole: Tensor = (inner[:, None] * inside + middle[:, None] * among + rest) >> 20
        whole += torch.arange(257, device=whole.device)
        whole[:, 0], whole[:, -1] = 0, TOTAL
        return whole

    def _share(self, which: int, part: Tensor, whole: Tensor) -> Tensor:
        """The share, of 2^16, of what has the frequency `part` of `whole`, as the classes have learned it."""
        hits, uses = self.counts[which][:, self._row, self.kinds[which]]
        share: Tensor = ((hits << 16) + (part << 18) // whole) // (uses + C.PRIOR)
        return share.clamp(C.LEAST_SHARE, (1 << 16) - C.LEAST_SHARE)

    def remember(self, colours: Tensor) -> None:
        """Count the uses of the classes, and add the step's (M, 3) colours."""
        own = colours[self.used, 2:]
        occurred, others = (values.gather(1, own)[:, 0] for values in (self._values, self._others))
        likely = occurred | others
        second = likely & (self.kinds[1] >= 0)
        for which, of, hits in ((0, torch.ones_like(likely), likely), (1, second, occurred)):
            where = self._row[of], self.kinds[which][of]
            for counts, news in zip(self.counts[which], (hits[of].long(), of[of].long()), strict=True):
                counts.index_put_(where, news, accumulate=True)
        while (over := self.counts[:, 1:] > C.LIMIT).any():
            self.counts = torch.where(over, self.counts >> 1, self.counts)
        row = self.at[self._image]
        large = row >= 0
        colour = colours[large]
        self.seen[row[large], 256 * colour[:, 0] + colour[:, 1], colour[:, 2]] = True
