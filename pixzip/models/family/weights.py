"""Fixed-point weights of a family model: the file, its hash, and the bounds that make sums exact.

A weights file is safetensors: int16 tensors with one exponent each, int32 biases in units of 2^-ACTIVATION_FRACTION,
and the look-up tables.  The real weight is ``int16 * 2^-exponent``.  A file named on the command line may be hostile,
so shapes, dtypes and bounds are checked before anything is computed.  `pixzip.models.family.arithmetic` explains how a
network runs on the weights.
"""

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pixcodecs.errors import ModelMismatchError
from torch import Tensor

from pixzip.models.family import arithmetic as A
from pixzip.models.family.architectures import FAMILY
from pixzip.models.family.arithmetic import FixedPoint
from pixzip.models.family.density import Density, DensityConfig, each_module
from pixzip.models.sizes import checked, parse_json, said
from pixzip.models.weights import Weights

#: Most fractional bits of a weight.
MOST_BITS = 20


@dataclass(frozen=True)
class FixedWeights(Weights):
    """One exact family model.

    Attributes:
        architecture: wire name in `FAMILY`.
        tensors: name -> integer array, named like the network's parameters; tables are `table.NAME`.
        known_answer: hex SHA-256 of the frequencies of a fixed pattern, or "" if not yet known.
        notes: free text about training, not part of the hash.
    """

    architecture: str
    config: DensityConfig
    tensors: dict[str, NDArray[Any]]
    known_answer: str = ""
    notes: str = ""

    #: Largest depth of a sample, and largest side of a tile: an encoder holds the features of all the tile's pixels.
    max_depth: ClassVar[int] = 8
    largest_tile: ClassVar[int | None] = 256
    #: Only the range coder codes symbols in this kind of model's order.
    coders: ClassVar[frozenset[str]] = frozenset({"range"})
    #: No stage adapts this kind of model.
    adapts: ClassVar[bool] = False
    #: Decoding time is not estimated.
    layers: ClassVar[int] = 0
    n_mix: ClassVar[int] = 0

    @property
    def channels(self) -> int:
        """Number of channels of the model's images."""
        return self.config.channels

    @property
    def order(self) -> tuple[int, ...]:
        """The image's channels in coding order."""
        return tuple(range(self.config.channels))

    @property
    def levels(self) -> int:
        """Number of values of a sub-pixel."""
        return self.config.levels

    @property
    def head(self) -> dict[str, Any]:
        return {"architecture": self.architecture, "config": asdict(self.config)}

    def network(self, device: torch.device | str = "cpu") -> tuple[Density, dict[str, Tensor]]:
        """The fixed-point network and its tables."""
        model = FAMILY[self.architecture](self.config).double()
        tables = A.as_tensors({n: self.tensors[f"table.{n}"] for n in model.tables}, device)
        model.fold()
        with torch.no_grad():
            for name, p in model.named_parameters():
                p.copy_(torch.from_numpy(_real(self.tensors, name)))
        each_module(model.to(device).eval().requires_grad_(False), FixedPoint(tables))
        return model, tables


def _real(tensors: Mapping[str, NDArray[Any]], name: str) -> NDArray[np.float64]:
    exponent = int(tensors[f"{name}.exponent"][0]) if f"{name}.exponent" in tensors else A.ACTIVATION_FRACTION
    real: NDArray[np.float64] = tensors[name].astype(np.float64) * 2.0**-exponent
    return real


def fixed(model: Density, notes: str = "") -> FixedWeights:
    """The rounded weights of a trained network.

    Raises:
        ModelMismatchError: the weights are too large for exact sums.
    """
    model = copy.deepcopy(model)
    model.fold()
    out: dict[str, NDArray[Any]] = {}
    for name, p in model.named_parameters():
        values = p.detach().double().cpu().numpy()
        if not np.isfinite(values).all():
            raise ModelMismatchError(f"{name} is not finite: the training diverged")
        if name.endswith("weight"):
            top = max(float(np.abs(values).max(initial=0.0)), 2.0**-A.ACTIVATION_FRACTION)
            exponent = min(MOST_BITS, int(np.floor(np.log2(32767 / top))))
            out[name] = np.rint(values * 2.0**exponent).astype(np.int16)
            out[f"{name}.exponent"] = np.array([exponent], np.int8)
        else:
            out[name] = np.rint(values.clip(-A.LIMIT, A.LIMIT) * 2.0**A.ACTIVATION_FRACTION).astype(np.int32)
    out |= {f"table.{name}": table for name, table in A.tables(model.tables).items()}
    weights = FixedWeights(model.wire_name, model.config, out, notes=notes)
    check(weights)
    return weights


def check(weights: FixedWeights) -> None:
    """Refuse weights whose shapes, dtypes or bounds do not allow exact arithmetic.

    Every sum of products of a layer, in any order and with its bias, must stay below 2^52 units of its last bit.

    Raises:
        ModelMismatchError: a shape, dtype or bound is wrong.
    """
    t = weights.tensors
    with torch.device("meta"):  # shapes only, whatever the sizes: takes no memory
        model = FAMILY[weights.architecture](weights.config)
        model.fold()
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    expected: dict[str, tuple[str, tuple[int, ...]]] = {}
    for name, shape in shapes.items():
        expected[name] = ("int16" if name.endswith("weight") else "int32", shape)
        if name.endswith("weight"):
            expected[f"{name}.exponent"] = ("int8", (1,))
    expected |= {f"table.{name}": (A.SHAPES[name][0], (A.SHAPES[name][1],)) for name in model.tables}
    if set(t) != set(expected):
        wrong = said(sorted(set(t) ^ set(expected))[:4])
        raise ModelMismatchError(f"tensors are missing or unknown: {wrong}")
    for name, (dtype, shape) in expected.items():
        if t[name].dtype.name != dtype or t[name].shape != shape:
            raise ModelMismatchError(f"{name} is {t[name].dtype}{t[name].shape}, expected {dtype}{shape}")
        if name.endswith(".exponent") and not 0 <= int(t[name][0]) <= MOST_BITS:
            raise ModelMismatchError(f"{name} leaves 0..{MOST_BITS}")
        if dtype == "int32" and name in shapes and _largest(t[name]) >= A.LIMIT << A.ACTIVATION_FRACTION:
            raise ModelMismatchError(f"{name} leaves +-{A.LIMIT}")
    for name in expected:
        if name.endswith("weight"):
            w = np.abs(t[name].astype(np.int32))
            inputs = tuple(range(w.ndim - 1)) if w.ndim == 3 else (0,)
            # inputs below LIMIT in units of 2^-ACTIVATION_FRACTION, and the bias in the product's units
            bound = (int(w.sum(inputs, np.int64).max(initial=0)) + (1 << MOST_BITS)) * (
                A.LIMIT << A.ACTIVATION_FRACTION
            )
            if bound >= A.EXACT_FLOAT64:
                raise ModelMismatchError(f"{name} can reach {bound}, expected less than {A.EXACT_FLOAT64}")
    A.check_tables({name: t[f"table.{name}"] for name in model.tables})


def _largest(values: NDArray[Any]) -> int:
    return int(np.abs(values.astype(np.int64)).max(initial=0))


def parse(architecture: str, meta: Mapping[str, str], tensors: dict[str, NDArray[Any]]) -> FixedWeights:
    """Checked weights from the parts of a file; `pixzip.models.registry` reads files.

    Raises:
        ValueError: the metadata is damaged.
        ModelMismatchError: `check` refuses the weights.
    """
    config = checked(FAMILY[architecture].config_class, parse_json("config", meta.get("config", "")))
    weights = FixedWeights(architecture, config, tensors, meta.get("known_answer", ""), meta.get("notes", ""))
    check(weights)
    return weights
