"""Updates of one table by many items at once, in the order in which they would come one after another."""

from collections.abc import Iterator

import torch
from torch import Tensor


def runs(places: Tensor, values: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Groups of (B,) items that have no place in common, such that each place sees its items in order.

    Items of one place that follow each other there with equal values come as one, with their number.

    Args:
        places, values: int64.
    Yields:
        Positions of items, and how many each stands for.
    """
    order = torch.sort(places, stable=True).indices
    place, value = places[order], values[order]
    starts, other = torch.ones_like(place, dtype=torch.bool), torch.ones_like(place, dtype=torch.bool)
    starts[1:] = place[1:] != place[:-1]
    other[1:] = starts[1:] | (value[1:] != value[:-1])
    (first,) = other.nonzero(as_tuple=True)
    number = torch.nn.functional.pad(first, (0, 1), value=len(places)).diff()
    # a run's rank is the number of runs since the first one of its place
    count = torch.arange(len(first), device=places.device)
    rank = count - torch.where(starts[first], count, 0).cummax(0).values
    for r in range(int(rank.max()) + 1):
        (some,) = (rank == r).nonzero(as_tuple=True)
        yield order[first[some]], number[some]
