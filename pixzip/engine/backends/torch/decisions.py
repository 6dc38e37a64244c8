"""Samples of the full stage in tensor operations: `docs/format.md`, section 13.2.

Within a step nothing is learned, so the probabilities of all questions of all pixels can be computed at once, and a
question's answer changes which of them are asked, but not what they are.  All numbers are int64.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pixcodecs.coders.base import TOTAL
from torch import Tensor

from pixzip.engine.backends.torch.counts import Counts, Tables, learned
from pixzip.engine.backends.torch.frequencies import Frequencies, Mixture
from pixzip.engine.backends.torch.integers import about_log, first_bits, floor_log2, half_octave, mingled
from pixzip.engine.schedule import Schedule, Step
from pixzip.models.wavefront import mixing as X
from pixzip.models.wavefront import tables as T
from pixzip.models.wavefront.questions import questions

#: Offsets of W, N, NW, NE, WW, NN.
_NEAR = np.array([(0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0)])
_LEVELS = 8, 24, 64, 160
_SLOTS = (X.CONTEXTS << X.LINE_BITS) * X.LINE
_MIXERS = X.NODES * X.KINDS
#: Pixels whose 255 questions are computed at once.
_ALL_AT_ONCE = 1 << 8


class Asked(NamedTuple):
    """(M, Q) questions of a channel's samples.

    Attributes:
        chances: (M, Q) probabilities of 2^16 that samples are at least t.
        mixed: (2, M, Q) stretched probabilities of the mixers.
        mixers: (2, M, Q) their numbers.
        inputs: (M, Q, INPUTS).
        slots: (M, Q, CONTEXTS).
    """

    chances: Tensor
    mixed: Tensor
    mixers: Tensor
    inputs: Tensor
    slots: Tensor


class _Decided(NamedTuple):
    """What a step's questions teach; rows are pixels and questions, an error is 0 if a question was not asked."""

    mixers: Tensor
    inputs: Tensor
    errors: Tensor
    slots: Tensor
    bits: Tensor
    made: Tensor


def state_bytes(channels: int) -> int:
    """Bytes of the counts and weights of an image."""
    return 8 * _SLOTS + 2 * 8 * 2 * channels * _MIXERS * X.INPUTS


class Decisions:
    """What the full stage has learned of samples of a batch's N images.

    Attributes:
        weights: (N S, INPUTS) weights of an image's S mixers.
        counts: of N times as many slots as an image has.
        residuals: (P, C) 16 times samples, minus means of moved mixtures; 0 outside images.
        nll: (M,) what a pixel takes so far, in 1/64 bit.
        first: (M,) a channel's first questions.
    """

    def __init__(
        self, schedule: Schedule, weights: NDArray[np.int16], tables: Tables, frequencies: Frequencies,
        logistic: NDArray[np.int16],
    ) -> None:  # fmt: skip
        """
        Args:
            weights: (2 C, NODES, KINDS, INPUTS) of 2^-10.
            logistic: the model's table.
        """
        device = tables.squash.device
        self.tables, self.reciprocal, self.channels = tables, frequencies.reciprocal, len(weights) // 2
        self.logistic = torch.from_numpy(logistic).to(device, torch.int64)
        self.schedule, number = schedule, len(schedule.sizes)
        start = torch.from_numpy(weights).to(device, torch.int64).flatten(0, -2) << X.WEIGHT_SHIFT
        self.weights, self.mixers = start.repeat(number, 1), len(start)
        self.counts = Counts(number * _SLOTS, tables)
        self.residuals = torch.zeros(schedule.buffer_pixels, self.channels, dtype=torch.int64, device=device)
        found = questions()
        self.path = torch.from_numpy(found.path).to(device)
        #: (256 256, 3) low, high and node.
        places = np.stack([found.low, found.high, found.node], -1)
        self.places = torch.from_numpy(places).to(device, torch.int64).flatten(0, 1)
        self.all = torch.arange(1, 256, device=device)
        self.values = torch.arange(257, device=device)

    def begin(self, step: Step) -> None:
        """Begin a step, whose pixels are not known yet."""
        device = self.values.device
        offsets = self.schedule.pitch[:, None] * _NEAR[:, 0] + _NEAR[:, 1]
        self.near = torch.from_numpy((step.address[:, None] + offsets[step.image]).T.copy()).to(device)
        self.address, self.image = (torch.from_numpy(a).to(device) for a in (step.address, step.image))
        self.nll = torch.zeros_like(self.image)
        self._decided: list[_Decided] = []

    def look(self, channel: int, raw: Mixture, moved: Mixture, below: Tensor, below_raw: Tensor, deviation: Tensor,
             pixels: Tensor) -> None:  # fmt: skip
        """Compute what the questions of a channel have in common.

        Args:
            raw, moved: the mixtures before and after least squares.
            below, below_raw: (M, 257) frequencies below values, of the moved mixtures and colours seen; of the others.
            deviation: (M,) float32.
            pixels: (P, C) samples of earlier steps, and of earlier channels of this one.
        """
        self.channel = channel
        self.middle = middle = ((moved.weights.long() * moved.means.long()).sum(1) + 512) >> 10
        west, north, north_west, north_east, *far = self.residuals[self.near, channel]
        nought = torch.zeros_like(middle)
        last, before = (self.residuals[self.address, channel - i] if channel >= i else nought for i in (1, 2))
        error = (
            2 * west.abs() + 2 * north.abs() + north_west.abs() + north_east.abs() + sum(r.abs() for r in far)
        ) >> 3
        if channel:
            error = (11 * error + 5 * last.abs()) >> 4
        value = ((middle + 8) >> 4).clamp(0, 255)
        part = ((middle - 16 * value + 8) >> 1) & 7
        self.first = value.clamp(min=1)
        kinds = half_octave((deviation * 16).long() + 1) - 3, half_octave(error + 1) - 1
        self.kinds = torch.stack(kinds).clamp(0, X.KINDS - 1)
        one, two = (
            pixels[self.address, i].long() if channel > i else pixels[self.near[0], max(0, left)].long()
            for i, left in ((0, self.channels - 2), (1, self.channels - 1))
        )
        near = [(r >> 2).clamp(-128, 127) + 128 for r in (last, before)]
        contexts = [
            (self.kinds[0], part), (self.kinds[1], part), (_level(west) * 9 + _level(north), _level(north_east)),
            (_level(last) * 9 + _level(before), self.kinds[0]), (value, part), (value, one * 256 + two),
            (near[0], near[1]),
        ]  # fmt: skip
        lines = [
            (k << X.LINE_BITS) + first_bits(mingled(mingled(4 * k + channel, a), b), X.LINE_BITS)
            for k, (a, b) in enumerate(contexts)
        ]
        self.lines = X.LINE * torch.stack(lines, 1) + _SLOTS * self.image[:, None]
        scale = ((11 * error) >> 4) + 2
        bits = floor_log2(scale)
        number = T.SCALE_ZERO + 8 * (bits - 4) + (((scale << 3) >> bits) & 7)
        slope = self.reciprocal[number.clamp(max=T.N_SCALES - 1)]
        z = ((16 * self.values - 8 - middle[:, None]) * slope[:, None]) >> T.RECIPROCAL_BITS
        own = 64 * self.logistic[z.clamp(-T.LOGISTIC_LIMIT, T.LOGISTIC_LIMIT) + T.LOGISTIC_LIMIT] + self.values
        own[:, 0], own[:, -1] = 0, TOTAL
        self.below = torch.stack([below, below_raw, own])

    def asked(self, t: Tensor, rows: slice = slice(None)) -> Asked:
        """Questions (M, Q) of the pixels `rows`; 0 stands for none."""
        low, high, node = self.places[256 * self.first[rows, None] + t].unbind(-1)
        lower, between, upper = (self.below[:, rows].gather(2, at.expand(3, *at.shape)) for at in (low, t, high))
        shares = (((upper - between) << 16) // (upper - lower)).clamp(16, 65520)
        slots = self.lines[rows, None] + node[..., None]
        counts = self.counts.at(slots)
        of_slots = torch.stack([self.tables.counted[counts], self.tables.sure[counts]], -1)
        inputs = torch.cat(
            [
                self.tables.stretch[shares].permute(1, 2, 0),
                torch.full_like(t, X.CONSTANT)[..., None],
                of_slots.flatten(-2),
            ],
            -1,
        )
        kinds, image = self.kinds[:, rows, None], self.image[rows, None]
        one = image * self.mixers + (self.channel * X.NODES + node) * X.KINDS
        mixers = torch.stack([one, one + self.channels * _MIXERS]) + kinds
        mixed = self.tables.mixed((self.weights[mixers] * inputs).sum(-1))
        return Asked(self.tables.squashed((mixed[0] + mixed[1]) >> 1), mixed, mixers, inputs, slots)

    def all_chances(self) -> Tensor:
        """(M, 255) probabilities that samples are at least 1 to 255."""
        parts = [slice(i, i + _ALL_AT_ONCE) for i in range(0, len(self.first), _ALL_AT_ONCE)]
        return torch.cat([self.asked(self.all.expand(len(self.first[rows]), -1), rows).chances for rows in parts])

    def decide(self, values: Tensor, repeated: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(M, Q) bits, chances and whether they were decisions, that lead to (M,) samples; to none if `repeated`."""
        t = self.path[self.first, values].long()
        asked, bits = self.asked(t), (values[:, None] >= t).long()
        made = (t > 0) & ~repeated[:, None]
        taken = about_log(torch.where(bits == 1, asked.chances, 65536 - asked.chances))
        at = torch.stack([values, values + 1], 1)
        share = self.below[0].gather(1, at).diff()[:, 0]
        self.nll += torch.where(repeated, 1280 - about_log(share), ((1024 - taken) * made).sum(1))
        errors = ((bits << 16) - self.tables.squashed(asked.mixed)) * made
        self._decided.append(_Decided(
            asked.mixers.flatten(), torch.stack([asked.inputs] * 2).flatten(0, -2), errors.flatten(),
            asked.slots.flatten(), bits[..., None].expand_as(asked.slots).flatten(),
            made[..., None].expand_as(asked.slots).flatten(),
        ))  # fmt: skip
        self.residuals[self.address, self.channel] = 16 * values - self.middle
        return bits, asked.chances, made

    def learn(self) -> None:
        """Learn from the questions of a step."""
        all_ = _Decided(*(torch.cat(parts) for parts in zip(*self._decided, strict=True)))
        self.weights = learned(self.weights, all_.mixers, all_.inputs, all_.errors, X.RATE)
        self.counts.add(all_.slots, all_.bits, all_.made)


def _level(residual: Tensor) -> Tensor:
    """Residuals in nine levels."""
    size = residual.abs()
    level = sum((size >= edge).long() for edge in _LEVELS)
    return 4 + torch.where(residual >= 0, level, -level)
