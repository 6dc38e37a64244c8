"""Repetitions of the full stage in tensor operations: `docs/format.md`, sections 13.3 and 13.4.

Whether a candidate is coded depends on the step's state and on how many before it were, all of which were no
repetitions; so the probabilities of all candidates are known before the first is coded.  All numbers are int64.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixzip.engine.backends.torch.counts import Counts, Tables, learned
from pixzip.engine.backends.torch.integers import about_log, first_bits, mingled
from pixzip.engine.backends.torch.runs import runs
from pixzip.engine.schedule import Schedule, Step
from pixzip.models.wavefront import mixing as X

#: Offsets of W, N, NW, NE, WW, NN and (-2, 2).
_NEAR = np.array([(0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, 2)])
#: An entry's parts: colour, check of the context, and how often the colour came without another.
_COLOUR, _CHECK_AT, _TIMES_AT, _MOST_TIMES = 0xFFFFFF, 24, 32, 255
_KNOWN = (1 << _TIMES_AT) - 1
#: Numbers of the candidates of tables, first and second entries, and of neighbours.
_FIRST, _SECOND, _NEIGHBOURS = [0, 1, 2, 8, 9], [5, 6, 7, 10, 11], [3, 4, 12]
_KINDS = X.CANDIDATES * X.TRUSTS
_SLOTS = X.REPEAT_CONTEXTS << X.REPEAT_BITS


class Offers(NamedTuple):
    """The K candidates of a step's pixels.

    Attributes:
        colours, kinds: (M, K).
        offered: (M, K) bool: no candidate before has the colour.
        asked: (M, K) bool: whether that is a decision, if none before was 1.
        chances: (M, K) probabilities of 2^16.
        inputs, slots: (M, K, REPEAT_INPUTS) and (M, K, REPEAT_CONTEXTS).
    """

    colours: Tensor
    kinds: Tensor
    offered: Tensor
    asked: Tensor
    chances: Tensor
    inputs: Tensor
    slots: Tensor


def state_bytes() -> int:
    """Bytes of the tables and counts of an image."""
    return 16 * (X.TABLES << X.TABLE_BITS) + 8 * _SLOTS


class Repeats:
    """What the full stage has learned of repetitions in a batch's N images.

    Attributes:
        entries: (N TABLES 2^TABLE_BITS, 2) the last colour after a context, and the one before; 0 for none.
        weights: (N CANDIDATES TRUSTS, REPEAT_INPUTS).
        gains: (N CANDIDATES TRUSTS,) what a kind of candidates would have saved, in 1/64 bit.
        counts: of N times as many slots as an image has.
        how: (P,) by which candidate a pixel was coded, from 1; 0 for none.
    """

    def __init__(self, schedule: Schedule, weights: NDArray[np.int16], tables: Tables) -> None:
        """
        Args:
            weights: (CANDIDATES, TRUSTS, REPEAT_INPUTS) of 2^-10.
        """
        device, number = tables.squash.device, len(schedule.sizes)
        self.tables, self.schedule = tables, schedule
        start = torch.from_numpy(weights).to(device, torch.int64).flatten(0, -2) << X.WEIGHT_SHIFT
        self.weights = start.repeat(number, 1)
        self.gains = torch.full((number * _KINDS,), X.FIRST_GAIN, device=device)
        self.counts = Counts(number * _SLOTS, tables)
        self.entries = torch.zeros(number * X.TABLES << X.TABLE_BITS, 2, dtype=torch.int64, device=device)
        self.how = torch.zeros(schedule.buffer_pixels, dtype=torch.int64, device=device)
        self.order = torch.tensor([*_FIRST, *_SECOND, *_NEIGHBOURS], device=device).argsort()
        self.earlier = torch.ones(X.CANDIDATES, X.CANDIDATES, dtype=torch.bool, device=device).tril(-1)

    def _look_around(self, step: Step, pixels: Tensor) -> None:
        """Read the neighbours' colours, and find the places of the contexts in the tables."""
        device = self.gains.device
        offsets = self.schedule.pitch[:, None] * _NEAR[:, 0] + _NEAR[:, 1]
        self.near = torch.from_numpy((step.address[:, None] + offsets[step.image]).T.copy()).to(device)
        self.address, self.image = (torch.from_numpy(a).to(device) for a in (step.address, step.image))
        self.seen = colour_of(pixels[self.near])
        west, north, north_west, north_east, west_west, north_north, far = self.seen
        two = mingled(west, north)
        four = mingled(two, mingled(north_west, north_east))
        all_ = mingled(mingled(four, west_west), mingled(north_north, far))
        one = torch.ones_like(west)
        self.hashes = torch.stack([all_, four, two, mingled(west, one), mingled(north, 2 * one)], 1)
        both = first_bits(self.hashes, X.TABLE_BITS + X.CHECK_BITS)
        table = self.image[:, None] * X.TABLES + torch.arange(X.TABLES, device=device)
        self.places = (table << X.TABLE_BITS) + (both >> X.CHECK_BITS)
        self.checks = both & (1 << X.CHECK_BITS) - 1

    def offer(self, step: Step, pixels: Tensor) -> Offers:
        """The candidates of a step's pixels, given the (P, C) samples of earlier steps."""
        self._look_around(step, pixels)
        entries = self.entries[self.places]  # MK2
        found = (entries >> _TIMES_AT) * ((entries >> _CHECK_AT & 255) == self.checks[..., None])
        near = self.seen[[0, 1, 3]].T
        colours = torch.cat([*(entries & _COLOUR).unbind(-1), near], 1)[:, self.order]
        times = torch.cat([*found.unbind(-1), torch.ones_like(near)], 1)[:, self.order]
        there = times > 0
        again = (colours[:, :, None] == colours[:, None]) & there[:, None] & self.earlier
        offered = there & ~again.any(2)
        trust = times.clamp(max=3) + (times >= 4) + (times >= 8) + (times >= 32)
        number = torch.arange(X.CANDIDATES, device=colours.device)
        kinds = X.TRUSTS * number + trust
        slots = self._slots(colours, kinds, number)
        inputs = torch.full((*kinds.shape, X.REPEAT_INPUTS), X.CONSTANT, device=kinds.device)
        inputs[..., : X.REPEAT_CONTEXTS - 1] = self.tables.counted[self.counts.at(slots)]
        kinds = kinds + _KINDS * self.image[:, None]
        useful = offered & (self.gains[kinds] >= 0)
        coded, chances, asked, last = torch.zeros_like(self.image), [], [], []
        for k in range(X.CANDIDATES):
            last.append(self._slot(X.REPEAT_CONTEXTS - 1, colours[:, k], 16 * k + coded))
            inputs[:, k, X.REPEAT_CONTEXTS - 1] = self.tables.counted[self.counts.at(last[k])]
            total = (self.weights[kinds[:, k]] * inputs[:, k]).sum(1)
            chances.append(self.tables.squashed(self.tables.mixed(total)))
            asked.append(useful[:, k] & (chances[k] > X.LEAST_REPEAT))
            coded = coded + asked[k]
        slots = torch.cat([slots, torch.stack(last, 1)[..., None]], -1)
        self.offers = Offers(colours, kinds, offered, torch.stack(asked, 1), torch.stack(chances, 1), inputs, slots)
        return self.offers

    def _slots(self, colours: Tensor, kinds: Tensor, number: Tensor) -> Tensor:
        """(M, K, REPEAT_CONTEXTS - 1) slots, all but those that depend on the decisions before."""
        west, north, north_west, north_east, west_west, north_north, _ = self.seen
        pairs = (
            (west, north),
            (west, north_west),
            (north, north_west),
            (north, north_east),
            (west, west_west),
            (north, north_north),
        )
        equal = torch.stack([(a == b).long() << i for i, (a, b) in enumerate(pairs)]).sum(0)
        same = torch.stack([(colours == self.seen[i, :, None]).long() << i for i in range(4)]).sum(0)
        how = self.how[self.near[[0, 1, 3]]]
        how = how[0] * 64 + how[1] * 8 + how[2]
        contexts = [
            (kinds * 64 + equal[:, None], same), (self.hashes[:, 2, None], number), (kinds, how[:, None]),
            (self.hashes[:, 1, None], number),
        ]  # fmt: skip
        return torch.stack([self._slot(i, a, b) for i, (a, b) in enumerate(contexts)], -1)

    def _slot(self, context: int, a: Tensor, b: Tensor) -> Tensor:
        """(M,) or (M, K) slots of a context."""
        own = (context << X.REPEAT_BITS) + first_bits(mingled(mingled(context, a), b), X.REPEAT_BITS)
        return own + _SLOTS * (self.image if own.dim() == 1 else self.image[:, None])

    def note(self, repeated: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Record which candidates pixels repeat, or -1.

        Returns:
            (M, K) bits, chances, and whether they were decisions.
        """
        number = torch.arange(X.CANDIDATES, device=repeated.device)
        self.looked = (repeated[:, None] < 0) | (number <= repeated[:, None])
        self.how[self.address] = torch.where(repeated < 0, 0, 1 + repeated.clamp(max=6))
        bits = (number == repeated[:, None]).long()
        return bits, self.offers.chances, self.offers.asked & self.looked

    def learn(self, nll: Tensor, pixels: Tensor) -> None:
        """Learn from a step's pixels, which took (M,) `nll` without repetitions."""
        o, truth = self.offers, colour_of(pixels[self.address])
        made = (o.offered & self.looked).flatten()
        hit = (o.colours == truth[:, None]).long()
        chance = torch.where(hit == 1, o.chances, 65536 - o.chances)
        saved = (about_log(chance) - 1024 + hit * nll[:, None]).flatten() * made
        errors = ((hit << 16) - o.chances).flatten() * made
        kinds = o.kinds.flatten()
        self.weights = learned(self.weights, kinds, o.inputs.flatten(0, 1), errors, X.REPEAT_RATE)
        self.gains = self.gains.index_add(0, kinds, saved).clamp(-X.MOST_GAIN, X.MOST_GAIN)
        bits, counted = (x.flatten()[:, None].expand(-1, X.REPEAT_CONTEXTS).flatten() for x in (hit, made))
        self.counts.add(o.slots.flatten(), bits, counted)
        self._enter(truth)

    def _enter(self, truth: Tensor) -> None:
        """Record the colours after the contexts, in order where pixels have a place in common."""
        known = (truth[:, None] | self.checks << _CHECK_AT).flatten()
        for where, again in runs(self.places.flatten(), known):
            place, own = self.places.flatten()[where], known[where]
            first, second = self.entries[place].unbind(1)
            is_first, is_second = (
                (entry >> _TIMES_AT > 0) & (entry & _KNOWN == own) for entry in (first, second)
            )  # fmt: skip
            before = torch.where(is_first, first >> _TIMES_AT, torch.where(is_second, second >> _TIMES_AT, 0))
            times = (before + again).clamp(max=_MOST_TIMES)
            self.entries[place, 0] = own | times << _TIMES_AT
            self.entries[place, 1] = torch.where(is_first, second, first)


def colour_of(samples: Tensor) -> Tensor:
    """(..., C) samples -> (...) colours as one number."""
    colours = torch.zeros(samples.shape[:-1], dtype=torch.int64, device=samples.device)
    for channel in range(samples.shape[-1]):
        colours = colours << 8 | samples[..., channel].long()
    return colours
