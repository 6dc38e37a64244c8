"""Integer weights: the file, its hash, and the bounds that make the arithmetic exact.

A weights file is safetensors: int8 matrices (inputs, outputs) with one exponent per column, int32 biases,
and the tables.  The real weight is ``int8 * 2^-exponent``; biases and the residual stream are in units of
2^-STREAM_FRACTION activation steps.  A file named on the command line may be hostile, so shapes, dtypes and bounds
are checked before anything is computed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pixcodecs.errors import ModelMismatchError

from pixzip.models.sizes import checked, parse_json, said
from pixzip.models.wavefront import mixing, optional, tables
from pixzip.models.wavefront.config import OPTIONAL, Config
from pixzip.models.wavefront.least_squares import PRIOR, count_sums, count_taps
from pixzip.models.wavefront.taps import MASK_A
from pixzip.models.weights import Weights

#: Fractional bits of the residual stream and the biases, in activation steps.
STREAM_FRACTION = 9
ACTIVATION_MAX = 127
#: float32 holds every integer up to this; all sums stay below.
EXACT_FLOAT32 = 1 << 24
#: Right shifts of the head's outputs to logits, means, scales and factors.
OUTPUT_SHIFTS = {
    "logits": STREAM_FRACTION,
    "means": STREAM_FRACTION - 2,
    "scales": STREAM_FRACTION + 2,
    "factors": STREAM_FRACTION - 1,
}


#: Tensors of the full stage, all or none.
MIXING_TENSORS = ("mix.squash", "mix.weights", "repeat.weights")


@dataclass(frozen=True)
class IntegerWeights(Weights):
    """One exact model.

    Attributes:
        config: sizes of the network.
        order: the image's channels in coding order, e.g. (1, 0, 2) for G, R, B.
        tensors: name -> integer array: those of `expected_tensors`, and perhaps groups of `optional`.
        known_answer: hex SHA-256 of the frequencies of a fixed pattern, or "" if not yet known.
        notes: free text about training, not part of the hash.
        adapted_answer: hex SHA-256 of the frequencies of a larger pattern under the light stage, or "".
        full_answer: hex SHA-256 of the payload of the same pattern under the full stage, or "".
    """

    config: Config
    order: tuple[int, ...]
    tensors: dict[str, NDArray[Any]]
    known_answer: str = ""
    notes: str = ""
    adapted_answer: str = ""
    full_answer: str = ""

    #: Number of values of a sub-pixel, largest depth of a sample, and largest side of a tile; None for no limit.
    levels: ClassVar[int] = 256
    max_depth: ClassVar[int] = 16
    largest_tile: ClassVar[int | None] = None
    #: All entropy coders.
    coders: ClassVar[frozenset[str] | None] = None
    #: Stages can adapt the model's mixtures to an image.
    adapts: ClassVar[bool] = True

    @property
    def architecture(self) -> str:
        """Wire name in the registry."""
        return self.config.architecture

    @property
    def channels(self) -> int:
        """Number of channels of the model's images."""
        return self.config.channels

    @property
    def layers(self) -> int:
        """Number of layers of the trunk."""
        return len(self.config.layers)

    @property
    def n_mix(self) -> int:
        """Number of components of the mixture."""
        return self.config.n_mix

    @property
    def answers(self) -> dict[str, str]:
        of_stages = {"adapted_answer": self.adapted_answer, "full_answer": self.full_answer}
        return super().answers | {name: answer for name, answer in of_stages.items() if answer}

    @property
    def priors(self) -> tuple[NDArray[np.int32], ...]:
        """For each channel the sums above the first row, see `least_squares.count_sums`."""
        return tuple(self.tensors.get(f"prior.{c}", default_prior(c, self.channels)) for c in range(self.channels))

    @property
    def mixing(self) -> tuple[NDArray[np.int32], NDArray[np.int16], NDArray[np.int16]]:
        """The logistic function, and the weights of decisions and of repetitions, before the first step."""
        given: list[NDArray[Any]] = [
            mixing.squash_table(), mixing.initial_weights(self.channels), mixing.initial_repeat_weights(),
        ]  # fmt: skip
        given = [self.tensors.get(name, initial) for name, initial in zip(MIXING_TENSORS, given, strict=True)]
        return given[0], given[1], given[2]

    @property
    def head(self) -> dict[str, Any]:
        return {"architecture": self.architecture, "config": self.config.sizes, "order": list(self.order)}


def default_prior(channel: int, channels: int) -> NDArray[np.int32]:
    """The sums above the first row of a model that has none of its own: a diagonal."""
    taps = count_taps(channel, channels)
    rows = np.arange(1, taps + 1)
    sums = np.zeros(count_sums(taps), np.int32)
    sums[rows * (rows + 1) // 2 - 1] = PRIOR
    return sums


def expected_tensors(config: Config) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Name -> (dtype, shape) of every tensor that a weights file has; `optional` has those that it may have."""
    c, w, hw, k = config.channels, config.width, config.head_width, config.n_mix

    def matrix(name: str, n_in: int, n_out: int) -> dict[str, tuple[str, tuple[int, ...]]]:
        return {f"{name}.weight": ("int8", (n_in, n_out)), f"{name}.exponent": ("int8", (n_out,))}

    out = matrix("input", (len(MASK_A) + 1) * c, w) | {"input.bias": ("int32", (w,))}
    for name, taps in config.layers:
        out |= matrix(name, len(taps) * w, w)
    out |= matrix("hidden", w, c * hw) | {"hidden.bias": ("int32", (c * hw,))}
    for i in range(c):
        if i:
            out |= matrix(f"known.{i}", i, hw)
        out |= matrix(f"out.{i}", hw, 3 * k + i) | {f"out.{i}.bias": ("int32", (3 * k + i,))}
    out["table.exp2"] = ("int16", (256,))
    out["table.logistic"] = ("int16", (2 * tables.LOGISTIC_LIMIT + 1,))
    out["table.reciprocal"] = ("int32", (tables.N_SCALES,))
    return out


def scaled(weights: IntegerWeights, name: str) -> NDArray[np.int64]:
    """(K, N) int64 weights in units of 2^-STREAM_FRACTION."""
    values: NDArray[np.int64] = weights.tensors[f"{name}.weight"].astype(np.int64) << _shift(weights, name)
    return values


def _shift(weights: IntegerWeights, name: str) -> NDArray[np.int64]:
    """(N,) binary places by which the columns of a matrix are shifted to the left, 0 to STREAM_FRACTION."""
    return STREAM_FRACTION - weights.tensors[f"{name}.exponent"].astype(np.int64)


def _magnitude(weights: IntegerWeights, name: str, top: int) -> NDArray[np.int64]:
    """(N,) bound on each column's product with inputs of at most `top`."""
    values = np.abs(weights.tensors[f"{name}.weight"])  # of at most 127: int8 holds them
    bound: NDArray[np.int64] = top * values.sum(0, np.int64) << _shift(weights, name)
    return bound


def _biased(weights: IntegerWeights, name: str) -> NDArray[np.int64]:
    bias: NDArray[np.int64] = weights.tensors[f"{name}.bias"].astype(np.int64)
    return np.abs(bias) + (1 << (STREAM_FRACTION - 1))  # the half that rounds to nearest is added to the bias


def stream_bounds(weights: IntegerWeights) -> dict[str, int]:
    """Layer of the trunk -> bound on the residual stream after it, in units of 2^-STREAM_FRACTION."""
    residual = _magnitude(weights, "input", 128) + _biased(weights, "input")
    bounds = {"input": int(residual.max())}
    for name, _ in weights.config.layers:
        w = weights.tensors[f"{name}.weight"]
        # activations are never negative: one sign of the weights bounds each end
        largest = np.maximum(w.clip(min=0).sum(0, np.int64), -w.clip(max=0).sum(0, np.int64))
        residual = residual + (ACTIVATION_MAX * largest << _shift(weights, name))
        bounds[name] = int(residual.max())
    return bounds


def check(weights: IntegerWeights) -> None:
    """Refuse weights whose shapes, dtypes or bounds do not allow exact arithmetic.

    Every sum, in any order and with its bias, must stay below 2^24 in units of 2^-STREAM_FRACTION, so that float32
    holds it exactly; so must the raw int8 products.

    Raises:
        ModelMismatchError: a shape, dtype or bound is wrong.
    """
    config, t = weights.config, weights.tensors
    expected, groups = expected_tensors(config), optional.present(config, t)
    for tensors in groups.values():
        expected |= tensors
    if set(t) != set(expected):
        wrong = said(sorted(set(t) ^ set(expected))[:4])
        raise ModelMismatchError(f"tensors are missing or unknown: {wrong}")
    for name, (dtype, shape) in expected.items():
        if t[name].dtype.name != dtype or t[name].shape != shape:
            raise ModelMismatchError(f"{name} is {t[name].dtype}{t[name].shape}, expected {dtype}{shape}")
    if sorted(weights.order) != list(range(config.channels)):
        raise ModelMismatchError(f"channel order is {said(weights.order)}, expected a permutation of {config.channels}")
    for group in groups:
        optional.GROUPS[group].check(config, t)
    for name in expected:
        if name.endswith(".exponent") and not ((t[name] >= 0) & (t[name] <= STREAM_FRACTION)).all():
            raise ModelMismatchError(f"{name} leaves 0..{STREAM_FRACTION}")
        if name.endswith(".weight") and (t[name] == -128).any():
            raise ModelMismatchError(f"{name} contains -128")

    def ensure(name: str, bound: int) -> None:
        if bound >= EXACT_FLOAT32:
            raise ModelMismatchError(f"{name} can reach {bound}, expected less than {EXACT_FLOAT32}")

    for name, bound in stream_bounds(weights).items():
        ensure(name, bound)
    hidden = (_magnitude(weights, "hidden", ACTIVATION_MAX) + _biased(weights, "hidden")).reshape(config.channels, -1)
    for i in range(config.channels):
        known = _magnitude(weights, f"known.{i}", ACTIVATION_MAX) if i else 0
        ensure(f"hidden.{i}", int((hidden[i] + known).max()))
        out = _magnitude(weights, f"out.{i}", ACTIVATION_MAX) + _biased(weights, f"out.{i}")
        ensure(f"out.{i}", 4 * int(out.max()))  # means keep two more fractional bits
    exp2, logistic, reciprocal = t["table.exp2"], t["table.logistic"], t["table.reciprocal"]
    if exp2[0] != tables.WEIGHT_TOTAL or (np.diff(exp2) > 0).any() or exp2.min() < 0:
        raise ModelMismatchError("table.exp2 does not fall from its total to no less than zero")
    if logistic[0] != 0 or logistic[-1] != tables.CDF_TOTAL or (np.diff(logistic) < 0).any():
        raise ModelMismatchError(f"table.logistic does not rise from 0 to {tables.CDF_TOTAL}")
    if reciprocal.min() < 1 or reciprocal.max() >= 1 << 18:
        raise ModelMismatchError("table.reciprocal leaves 1..2^18 - 1")


def parse(architecture: str, meta: Mapping[str, str], tensors: dict[str, NDArray[Any]]) -> IntegerWeights:
    """Checked weights from the parts of a file; `pixzip.models.registry` reads files.

    Raises:
        ValueError: the metadata is damaged.
        ModelMismatchError: `check` refuses the weights.
    """
    sizes = parse_json("config", meta.get("config", ""))
    config = checked(Config, sizes, OPTIONAL)
    if config.sizes != sizes:
        raise ValueError(f"config is {said(sizes)}, expected no {' or '.join(sorted(OPTIONAL))} of 0")
    if config.architecture != architecture:
        raise ValueError(f"sizes are those of {config.architecture}, not of {architecture}")
    order = parse_json("order", meta.get("order", ""))
    if not isinstance(order, list) or any(type(channel) is not int for channel in order):
        raise ValueError(f"order is {said(order)}, expected a list of channels")
    texts = {name: meta.get(name, "") for name in ("known_answer", "notes", "adapted_answer", "full_answer")}
    weights = IntegerWeights(config, tuple(order), tensors, **texts)
    check(weights)
    return weights
