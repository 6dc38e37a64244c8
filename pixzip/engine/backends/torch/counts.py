"""Counts of bits, and mixers, of the full stage in tensor operations; all numbers are integers, sums in any order."""

from typing import NamedTuple

import torch
from torch import Tensor

from pixzip.models.wavefront import mixing as X

_SIDE = X.MOST_COUNTS + 2


class Tables(NamedTuple):
    """The tables of `mixing.Tables`, int64 on a device; the last two are flat."""

    squash: Tensor
    stretch: Tensor
    counted: Tensor
    sure: Tensor

    @classmethod
    def of(cls, tables: X.Tables, device: torch.device) -> "Tables":
        return cls(*(torch.from_numpy(table).to(device, torch.int64).flatten() for table in tables))

    def mixed(self, total: Tensor) -> Tensor:
        """Stretched probabilities from the sums of weights and inputs."""
        return (total >> 16).clamp(-X.STRETCH_LIMIT, X.STRETCH_LIMIT)

    def squashed(self, stretched: Tensor) -> Tensor:
        return self.squash[stretched + X.STRETCH_LIMIT]


class Counts:
    """Slots of two counts each.

    Attributes:
        slots: (K, 2) int32 counts of zeros and ones.
    """

    def __init__(self, number: int, tables: Tables) -> None:
        self.tables = tables
        self.slots = torch.zeros(number, 2, dtype=torch.int32, device=tables.squash.device)

    def at(self, slots: Tensor) -> Tensor:
        """Where the tables have the counts of slots."""
        counts = self.slots[slots].long()
        return counts[..., 0] * _SIDE + counts[..., 1]

    def add(self, slots: Tensor, bits: Tensor, made: Tensor) -> None:
        """Count (B,) bits where they were made; then halve counts whose sums are too large."""
        self.slots.view(-1).index_add_(0, 2 * slots + bits, made.to(torch.int32))
        counts = self.slots[slots]
        while (over := counts.sum(1, keepdim=True) > X.MOST_COUNTS).any():
            counts = torch.where(over, counts >> 1, counts)
        self.slots[slots] = counts  # a slot that is here twice has the same counts twice


def learned(weights: Tensor, chosen: Tensor, inputs: Tensor, errors: Tensor, rate: int) -> Tensor:
    """The weights after a step; those of mixers without a decision stay.

    Args:
        weights: (S, I) of all mixers.
        chosen: (B,) the mixers of decisions.
        inputs, errors: (B, I) and (B,) of these; an error of 0 if there was none.
        rate: right shift of the sums.
    """
    news = torch.zeros_like(weights).index_add_(0, chosen, inputs * errors[:, None])
    return (weights + (news >> rate)).clamp(-X.MOST_WEIGHT, X.MOST_WEIGHT)
