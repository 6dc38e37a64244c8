"""Groups of tensors that a weights file of a wavefront model may have or not: all of a group or none.

A further group is a further entry of `GROUPS`.  Such tensors are part of the digest, so a model with them is another
model.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pixcodecs.errors import ModelMismatchError

from pixzip.models.wavefront import mixing
from pixzip.models.wavefront.config import Config
from pixzip.models.wavefront.least_squares import PRIOR_LIMIT, PRIOR_SHARE, RIDGE, count_sums, count_taps

Tensors = Mapping[str, NDArray[Any]]
#: Name -> (dtype, shape).
Expected = dict[str, tuple[str, tuple[int, ...]]]


class Group(NamedTuple):
    """One group.

    Attributes:
        expected: its tensors in a model of some sizes.
        check: raises `ModelMismatchError` if their values, in tensors of these dtypes and shapes, cannot be computed
            with.
    """

    expected: Callable[[Config], Expected]
    check: Callable[[Config, Tensors], None]


def _priors(config: Config) -> Expected:
    counts = [count_sums(count_taps(c, config.channels)) for c in range(config.channels)]
    return {f"prior.{c}": ("int32", (count,)) for c, count in enumerate(counts)}


def _check_priors(config: Config, tensors: Tensors) -> None:
    """Refuse sums that are not, but for their rounding, those of squares: an elimination of others can overflow.

    With half of the ridge on its diagonal a matrix must have no eigenvalue below a share of its largest entry.  So no
    pivot of a system lies below the least one, whatever an image adds, and a large prior is well conditioned.

    Raises:
        ModelMismatchError: a sum is too large, or an eigenvalue too small.
    """
    for c in range(config.channels):
        name, taps = f"prior.{c}", count_taps(c, config.channels)
        sums = tensors[name].astype(np.int64)
        if np.abs(sums).max() > PRIOR_LIMIT:
            raise ModelMismatchError(f"{name} leaves -{PRIOR_LIMIT}..{PRIOR_LIMIT}")
        lower = np.zeros((taps, taps))
        lower[np.tril_indices(taps)] = sums[: taps * (taps + 1) // 2]
        least = np.linalg.eigvalsh(lower).min()  # of the symmetric matrix with this lower triangle
        lowest = PRIOR_SHARE * float(np.abs(lower).max()) - RIDGE / 2
        if not least >= lowest:
            raise ModelMismatchError(f"{name} has an eigenvalue of {least:.6g}, expected {lowest:.6g} or more")


def _mixing(config: Config) -> Expected:
    sets = 2 * config.channels, mixing.NODES, mixing.KINDS, mixing.INPUTS
    return {
        "mix.squash": ("int32", (2 * mixing.STRETCH_LIMIT + 1,)),
        "mix.weights": ("int16", sets),
        "repeat.weights": ("int16", (mixing.CANDIDATES, mixing.TRUSTS, mixing.REPEAT_INPUTS)),
    }


def _check_mixing(config: Config, tensors: Tensors) -> None:
    """
    Raises:
        ModelMismatchError: the logistic function leaves its range, or falls; or a weight is larger than any that is
            learned.
    """
    squash = tensors["mix.squash"].astype(np.int64)
    top = 1 << mixing.PROBABILITY_BITS
    if squash[0] < 1 or squash[-1] >= top or (np.diff(squash) < 0).any():
        raise ModelMismatchError(f"mix.squash does not rise within 1..{top - 1}")
    for name in ("mix.weights", "repeat.weights"):
        largest = int(np.abs(tensors[name].astype(np.int64)).max())
        if largest > mixing.MOST_STORED:
            most = mixing.MOST_STORED
            raise ModelMismatchError(f"{name} has a weight of magnitude {largest}, expected at most {most}")


#: The groups by name.
GROUPS: dict[str, Group] = {"prior": Group(_priors, _check_priors), "mixing": Group(_mixing, _check_mixing)}


def present(config: Config, tensors: Tensors) -> dict[str, Expected]:
    """The tensors of each group of which there is at least one: name of the group -> its tensors."""
    groups = {name: group.expected(config) for name, group in GROUPS.items()}
    return {name: expected for name, expected in groups.items() if expected.keys() & tensors.keys()}
