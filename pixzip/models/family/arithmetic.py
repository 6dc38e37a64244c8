"""Two arithmetics for one network: floats for training, and fixed point with equal results on every machine.

A family model is written once, over an `Arithmetic`.  `FLOAT` is PyTorch's.  `FixedPoint` makes the same
network exact: every activation is an integer times 2^-12, every weight an integer times 2^-s, and their matrix
product in float64 is exact in any order of summation while no partial sum needs more than 53 bits.  All other
functions are look-up tables in the weights file.  So the frequencies of a model are the same on any machine,
although all tensors are floats.

Unlike the int8 arithmetic of the wavefront models [1], this one needs no special training: twelve fractional
bits cost a few parts in 10^5 of the rate, and float64 products cost half the speed.

[1] `pixzip.models.wavefront`, and `docs/format.md`, sections 4 to 8.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pixcodecs.errors import ModelMismatchError
from torch import Tensor
from torch.nn import functional as F

#: Fractional bits of an activation.
ACTIVATION_FRACTION = 12
#: Activations are clamped to +-LIMIT.
LIMIT = 1 << 10
#: Bound on exact sums, in units of the product's last bit.
EXACT_FLOAT64 = 1 << 52

#: Tables of functions cover [-TABLE_LIMIT, TABLE_LIMIT], with TABLE_STEPS entries per unit.
TABLE_LIMIT = 16
TABLE_STEPS = 1 << 9
#: The table of exp(-x) covers [0, EXP_LIMIT], with EXP_STEPS entries per unit, in units of 2^-EXP_BITS.
EXP_LIMIT = 16
EXP_STEPS = 1 << 9
EXP_BITS = 22

#: Entries per unit of the interpolated logistic distribution function, and bits of its values.
LOGISTIC_STEPS = 1 << 6
LOGISTIC_BITS = 24
#: Range of log(scale in grey levels) of a mixture's component, and bits of a scale's reciprocal.
LOG_SCALE_MIN, LOG_SCALE_MAX = -2, 6
SCALE_BITS = 24


class Arithmetic:
    """Floats, for training."""

    def rounded(self, x: Tensor) -> Tensor:
        """A sum of products, rounded in fixed point."""
        return x

    def clamped(self, x: Tensor) -> Tensor:
        """The input of a product, clamped in fixed point."""
        return x

    def tanh(self, x: Tensor) -> Tensor:
        return torch.tanh(x)

    def sigmoid(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x)

    def elu(self, x: Tensor) -> Tensor:
        return F.elu(x)


FLOAT = Arithmetic()


class FixedPoint(Arithmetic):
    """Multiples of 2^-ACTIVATION_FRACTION in float64."""

    def __init__(self, tables: Mapping[str, Tensor]) -> None:
        """
        Args:
            tables: "tanh", "sigmoid" and "elu", each (2 TABLE_LIMIT TABLE_STEPS + 1,) float64.
        """
        self._tables = tables

    def rounded(self, x: Tensor) -> Tensor:
        return x.mul(1 << ACTIVATION_FRACTION).add_(0.5).floor_().mul_(2.0**-ACTIVATION_FRACTION).clamp_(-LIMIT, LIMIT)

    def clamped(self, x: Tensor) -> Tensor:
        return x.clamp(-LIMIT, LIMIT)

    def tanh(self, x: Tensor) -> Tensor:
        return self._look_up("tanh", x)

    def sigmoid(self, x: Tensor) -> Tensor:
        return self._look_up("sigmoid", x)

    def elu(self, x: Tensor) -> Tensor:
        return torch.where(x > 0, x, self._look_up("elu", x))

    def _look_up(self, name: str, x: Tensor) -> Tensor:
        index = x.clamp(-TABLE_LIMIT, TABLE_LIMIT).add_(TABLE_LIMIT).mul_(TABLE_STEPS).add_(0.5).floor_().long()
        return self._tables[name][index]


#: Table -> (dtype, entries, least and largest integer).
SHAPES: dict[str, tuple[str, int, int, int]] = {
    "tanh": ("int16", 2 * TABLE_LIMIT * TABLE_STEPS + 1, -(1 << ACTIVATION_FRACTION), 1 << ACTIVATION_FRACTION),
    "sigmoid": ("int16", 2 * TABLE_LIMIT * TABLE_STEPS + 1, 0, 1 << ACTIVATION_FRACTION),
    "elu": ("int16", 2 * TABLE_LIMIT * TABLE_STEPS + 1, -(1 << ACTIVATION_FRACTION), 0),
    "exp": ("int32", EXP_LIMIT * EXP_STEPS + 1, 0, 1 << EXP_BITS),
    "scale": ("int32", (LOG_SCALE_MAX - LOG_SCALE_MIN) * EXP_STEPS + 1, 1, 8 << SCALE_BITS),
    "logistic": ("int32", 2 * TABLE_LIMIT * LOGISTIC_STEPS + 1, 0, 1 << LOGISTIC_BITS),
}
#: Fractional bits of a table's integers.
_BITS = {"tanh": ACTIVATION_FRACTION, "sigmoid": ACTIVATION_FRACTION, "elu": ACTIVATION_FRACTION, "scale": SCALE_BITS}


def tables(names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """The tables of a new weights file, as integers.

    They are computed once, at export; a decoder reads them from the file.
    """
    x = np.arange(-TABLE_LIMIT * TABLE_STEPS, TABLE_LIMIT * TABLE_STEPS + 1) / TABLE_STEPS
    gap = np.arange(EXP_LIMIT * EXP_STEPS + 1) / EXP_STEPS
    fall = np.exp(-gap) * (1 << EXP_BITS)
    fall[-1] = 0
    scale = LOG_SCALE_MAX - np.arange((LOG_SCALE_MAX - LOG_SCALE_MIN) * EXP_STEPS + 1) / EXP_STEPS
    logistic = 0.5 * (1 + np.tanh(0.5 * x))
    distribution = logistic[:: TABLE_STEPS // LOGISTIC_STEPS] * (1 << LOGISTIC_BITS)  # interpolated between entries
    distribution[0], distribution[-1] = 0, 1 << LOGISTIC_BITS
    values = {
        "tanh": np.tanh(x) * (1 << ACTIVATION_FRACTION),
        "sigmoid": logistic * (1 << ACTIVATION_FRACTION),
        "elu": np.expm1(np.minimum(x, 0)) * (1 << ACTIVATION_FRACTION),
        "exp": fall,
        "scale": np.exp(-scale) * (1 << SCALE_BITS),
        "logistic": distribution,
    }
    return {name: np.rint(values[name]).astype(SHAPES[name][0]) for name in names}


def check_tables(integers: Mapping[str, NDArray[Any]]) -> None:
    """Refuse tables that break exact arithmetic, as in a hostile file.

    Raises:
        ModelMismatchError: a table leaves its range or is not monotonic as required.
    """
    for name, table in integers.items():
        low, high = SHAPES[name][2:]
        found = int(table.min()), int(table.max())
        if found[0] < low or found[1] > high:
            raise ModelMismatchError(f"table.{name} holds {found}, expected {low} to {high}")
    if "exp" in integers and (integers["exp"][0] != 1 << EXP_BITS or (np.diff(integers["exp"]) > 0).any()):
        raise ModelMismatchError("table.exp does not fall from one")
    if "logistic" in integers:
        logistic = integers["logistic"]
        if logistic[0] != 0 or logistic[-1] != 1 << LOGISTIC_BITS or (np.diff(logistic) < 0).any():
            raise ModelMismatchError("table.logistic does not rise from 0 to one")


def as_tensors(integers: Mapping[str, NDArray[Any]], device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """The tables in float64, with the differences between entries for interpolated tables."""
    values = {name: v.astype(np.float64) * 2.0 ** -_BITS.get(name, 0) for name, v in integers.items()}
    if "logistic" in values:
        values["logistic_step"] = np.diff(values["logistic"], append=values["logistic"][-1])
    return {name: torch.from_numpy(v).to(device) for name, v in values.items()}
