"""The light stage in tensor operations: least squares on the network's residuals, see `models.wavefront.least_squares`.

Every operation on floats is an elementwise one of two tensors, or of a tensor and a constant to add or multiply, in the
order of `docs/format.md`, section 12: a sum over a dimension, a matrix product or a fused operation would round
otherwise.  PyTorch divides a number by a tensor, or on a GPU a tensor by a number, by way of a reciprocal, so both
operands of a division are tensors.

A channel with fewer taps than the last has zeros in place of the missing ones, which change no result, so that the
equations of all channels are solved at once.  A row has state only while it is in flight.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixzip.engine.schedule import Schedule, Step
from pixzip.models.wavefront import least_squares as LS
from pixzip.models.wavefront.taps import SLOPE

#: Rows of `Equations.near`.
_NEAR = np.array((*LS.OWN, *LS.ERRORS, *LS.KNOWN, *LS.LATER), np.int64)
_OWN, _ERRORS, _KNOWN, _ = np.split(np.arange(len(_NEAR)), np.cumsum([len(LS.OWN), len(LS.ERRORS), len(LS.KNOWN)]))
_FIRST_LATER = len(_NEAR) - len(LS.LATER)


def _slots(height: NDArray[np.int64], width: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of rows of images that have state at once: those of a step, and the one above them."""
    return np.minimum(height, -(-width // SLOPE)) + 1


def state_bytes(size: tuple[int, int], channels: int) -> int:
    """Bytes of the equations of an image of (height, width)."""
    height, width = (np.array([side]) for side in size)
    n = LS.count_taps(channels - 1, channels)
    floats = 2 * LS.count_sums(n) + LS.PERIOD * (n + 2) + n
    return 4 * channels * floats * int(_slots(height, width)[0])


def square_root(values: Tensor) -> Tensor:
    """The float32 nearest to the square root of each float32.

    PyTorch's own root is off by a unit in the last place on some CPUs.  A root in float64 never lies so close to the
    middle between two float32 that such an error would matter.
    """
    return torch.sqrt(values.to(torch.float64)).to(torch.float32)


def _without_tiny(values: Tensor) -> Tensor:
    return torch.where(values.abs() >= LS.TINY, values, 0.0)


class Equations:
    """The state of the least squares of a batch of N images; R rows have a slot each.

    All floats are float32, and the last dimension is that of slots or pixels.  N is the largest number of taps.

    Attributes:
        sums, totals: (S, C, R) by entry [i, j], by increasing i, then j; index N stands for the target.
        samples: (N + 2, C, PERIOD R) taps, target and weight of a row's last pixels, all rows' first pixels first.
        coefficients: (N, C, R).
        errors: (P, C) samples minus means, in grey levels; 0 outside images.
        deviation: (M,) of the mixtures that were moved last.
    """

    def __init__(
        self,
        schedule: Schedule,
        priors: Sequence[NDArray[np.int32]],
        units: NDArray[np.int64],
        inside: Tensor,
    ) -> None:
        """
        Args:
            priors: for each channel the totals above the first row.
            units: (N,) log2 of samples per grey level.
            inside: (P,) not 0 where an address is a pixel of an image.
        """
        device, channels = inside.device, len(priors)
        self.schedule, self.inside, self.device = schedule, inside > 0, device
        self.units = torch.from_numpy(units).to(device)
        self.near = schedule.pitch[:, None] * _NEAR[:, 0] + _NEAR[:, 1]
        self.count = _slots(schedule.height, schedule.width)
        self.first = np.cumsum(self.count) - self.count
        self.taps = [LS.count_taps(c, channels) for c in range(channels)]
        self.n, self.slots = max(self.taps), int(self.count.sum())
        n, slots = self.n, self.slots

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(*shape, dtype=torch.float32, device=device)

        entries = LS.count_sums(n)
        self.sums, self.totals = zeros(entries, channels, slots), zeros(entries, channels, slots)
        self.samples = zeros(n + 2, channels, LS.PERIOD * slots)
        self.coefficients = zeros(n, channels, slots)
        self.errors = zeros(schedule.buffer_pixels, channels)
        pairs = [(i, j) for i in range(n + 1) for j in range(min(i + 1, n))]
        self.i, self.j = torch.tensor(pairs, device=device).T
        for c, (taps, prior) in enumerate(zip(self.taps, priors, strict=True)):
            square, given = taps * (taps + 1) // 2, torch.from_numpy(prior.astype(np.float32)).to(device)
            first = torch.from_numpy(self.first).to(device)
            self.totals[:square, c, first] = given[:square, None]
            self.totals[entries - n : entries - n + taps, c, first] = given[square:, None]

    def _to(self, indices: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(indices)).to(self.device)

    def begin(self, step: Step) -> None:
        """Solve the equations of the rows whose turn it is."""
        s, image = self.schedule, step.image
        y = (step.address - s.base[image] - step.t) // (s.pitch[image] - SLOPE)
        x = step.t - SLOPE * y
        slot = self.first[image] + (y + 1) % self.count[image]
        above = self.first[image] + y % self.count[image]
        if (starts := x == 0).any():
            fresh = self._to(slot[starts])
            for state in (self.sums, self.totals):
                state.index_fill_(-1, fresh, 0.0)
            for k in range(LS.PERIOD):
                self.samples.index_fill_(-1, fresh + k * self.slots, 0.0)
        if (turn := (x + y) % LS.PERIOD == 0).any():
            self._solve(self._to(slot[turn]), self._to(above[turn]))
        if (takes := (x == 0) & (y % LS.PERIOD != 0)).any():  # such a row is not the first, and is not solved now
            taken = self.coefficients.index_select(-1, self._to(above[takes]))
            self.coefficients.index_copy_(-1, self._to(slot[takes]), taken)
        self.image, self.address, self.slot = (self._to(a) for a in (image, step.address, slot))
        self.place = self._to((x + y) % LS.PERIOD * self.slots + slot)
        self.there = self._to((step.address[:, None] + self.near[image]).T)  # KM
        self.exists = self.inside[self.there]
        self.unit = self.units[self.image]
        samples = (1 << self.unit).to(torch.float32)
        self.grain = torch.div(torch.ones_like(samples), samples)
        self.fine = self.grain * 0.0625
        self.means = [self.unit] * len(self.taps)  # replaced by `move`

    def _solve(self, slot: Tensor, above: Tensor) -> None:
        n = self.n
        sums = self.sums.index_select(-1, slot) * LS.DECAY**LS.PERIOD
        for k in range(LS.PERIOD):
            z = self.samples.index_select(-1, slot + k * self.slots)
            weight = z[n + 1] * LS.DECAY ** (LS.PERIOD - 1 - k)
            sums = sums + (weight * z)[self.i] * z[self.j]
        sums = _without_tiny(sums)
        totals = _without_tiny(sums + self.totals.index_select(-1, above) * LS.DECAY)
        self.sums.index_copy_(-1, slot, sums)
        self.totals.index_copy_(-1, slot, totals)
        x = totals.new_zeros(n + 1, n, *totals.shape[1:])  # what is written above the diagonal is not read
        x[self.i, self.j] = totals
        one = torch.ones_like(totals[0])
        for k in range(n):
            inverse = torch.div(one, (x[k, k] + LS.RIDGE).clamp(min=LS.RIDGE / 2))
            column = x[k + 1 :, k]
            scaled = column * inverse
            x[k + 1 :, k + 1 :] -= column[:, None] * scaled[: n - 1 - k]
            x[k + 1 :, k] = scaled
        found = x[n]
        for k in range(n - 1, 0, -1):
            found[:k] -= found[k] * x[k, :k]
        self.coefficients.index_copy_(-1, slot, found)

    def move(self, channel: int, weights: Tensor, means: Tensor, slopes: Tensor, pixels: Tensor) -> Tensor:
        """(M,) int64 by which the equations move the means of a channel's mixtures, in 1/16 sample.

        Args:
            weights, means, slopes: (M, K) of the mixtures; slopes are reciprocal scales.
            pixels: (P, C) samples of earlier steps, and of earlier channels of this one.
        """
        mean = ((weights.long() * means.long()).sum(1) + 512) >> 10
        self.means[channel] = mean
        variance = torch.zeros_like(self.fine)
        spread = torch.full_like(self.fine, LS.SPREAD)
        for k in range(weights.shape[1]):
            distance = (means[:, k].long() - mean).to(torch.float32) * self.fine
            scale = torch.div(spread, slopes[:, k].to(torch.float32))
            variance = variance + weights[:, k].to(torch.float32) * (scale * scale + distance * distance)
        self.deviation = deviation = square_root(variance * (1 / 1024))
        z = self._taps(channel, mean, pixels)
        self.samples[: len(z), channel].index_copy_(-1, self.place, z)
        width = deviation + 0.5
        weight = torch.div(torch.ones_like(width), width * width)
        self.samples[self.n + 1, channel].index_copy_(-1, self.place, weight)
        predicted = torch.zeros_like(variance)
        for product in self.coefficients[: len(z), channel].index_select(-1, self.slot) * z:
            predicted = predicted + product
        most = deviation * LS.MOST_SHIFT
        predicted = torch.maximum(-most, torch.minimum(most, predicted))
        return torch.floor(predicted * (16 << self.unit).to(torch.float32) + 0.5).long()

    def _taps(self, channel: int, mean: Tensor, pixels: Tensor) -> Tensor:
        """(n, M) taps of a channel."""
        there, exists = self.there, self.exists
        own = (16 * pixels[there[_OWN], channel].long() - mean).to(torch.float32) * self.fine
        taps = [torch.where(exists[_OWN], own, 0.0), self.errors[there[_ERRORS], channel]]
        for other in range(len(self.taps)):
            if other < channel:
                here = pixels[self.address, other].long()
                known = (pixels[there[_KNOWN], other].long() - here).to(torch.float32) * self.grain
                taps += [self.errors[self.address, other][None], torch.where(exists[_KNOWN], known, 0.0)]
            elif other > channel:
                taps.append(self.errors[there[_FIRST_LATER:], other])
        return torch.cat(taps)

    def learn(self, channel: int, values: Tensor) -> None:
        """Record the (M,) int64 samples of a channel."""
        error = (16 * values - self.means[channel]).to(torch.float32) * self.fine
        self.errors[self.address, channel] = error
        self.samples[self.n, channel].index_copy_(-1, self.place, error)
