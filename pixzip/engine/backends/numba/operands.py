"""A model's matrices and tables in the form of the compiled kernels."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixzip.engine.backends.numba.mixture import Heads
from pixzip.engine.backends.numba.products import COLUMNS, packed
from pixzip.engine.backends.numba.trunk import Matrix, Trunk
from pixzip.models.wavefront.taps import CENTRE
from pixzip.models.wavefront.weights import OUTPUT_SHIFTS, STREAM_FRACTION, IntegerWeights, scaled


class Operands(NamedTuple):
    """A model for the kernels; widths are whole groups of columns.

    Attributes:
        width, head_width, outputs, features: numbers of columns of the buffers.
        prior: float32 sums of the least squares above the first row, channel after channel.
        mixing, order: see `IntegerWeights`.
    """

    trunk: Trunk
    heads: Heads
    channels: int
    blocks: int
    width: int
    head_width: int
    outputs: int
    features: int
    prior: NDArray[np.float32]
    mixing: tuple[NDArray[np.int32], NDArray[np.int16], NDArray[np.int16]]
    order: tuple[int, ...]


def whole(n: int) -> int:
    """n columns in whole groups."""
    return -(-n // COLUMNS) * COLUMNS


def operands(weights: IntegerWeights) -> Operands:
    """The kernels' form of a model."""
    c, k, blocks, mixing = (getattr(weights.config, name) for name in ("channels", "n_mix", "blocks", "mixing"))
    width, head_width, outputs = whole(weights.config.width), whole(weights.config.head_width), whole(3 * k + c - 1)
    layers = weights.config.layers
    half = 1 << (STREAM_FRACTION - 1)  # rounds activations to nearest
    out_shifts = [OUTPUT_SHIFTS[name] for name in ("logits", "means", "scales") for _ in range(k)]
    out_shifts += [OUTPUT_SHIFTS["factors"]] * (c - 1)
    halves = [1 << (s - 1) for s in out_shifts]  # round outputs to nearest
    t = weights.tensors
    known = np.zeros((c, c, head_width), np.int32)
    for i in range(1, c):
        known[i, :i, : weights.config.head_width] = scaled(weights, f"known.{i}")
    heads = Heads(
        known,
        stacked([
            matrix(t, f"out.{i}", 1, head_width, outputs, t[f"out.{i}.bias"] + halves[: 3 * k + i]) for i in range(c)
        ]),
        k,
        t["table.exp2"].astype(np.int32),
        t["table.logistic"],
        t["table.reciprocal"],
    )  # fmt: skip
    split = _split_heads(t, c, weights.config.head_width, head_width)
    trunk = Trunk(
        matrix(t, "input", 1, t["input.weight"].shape[0], width, t["input.bias"] + half),
        stacked([matrix(t, name, len(taps), width, width) for name, taps in layers if taps != CENTRE]),
        stacked([matrix(t, name, 1, width, width) for name, taps in layers if taps == CENTRE], width),
        matrix(split, "hidden", 1, width, c * head_width, split["hidden.bias"] + half),
        mixing,
        weights.config.finer,
    )
    return Operands(
        trunk, heads, c, blocks, width, head_width, outputs, 2 * trunk.input.weight.shape[2],
        np.concatenate(weights.priors).astype(np.float32), weights.mixing, weights.order,
    )  # fmt: skip


def matrix(
    tensors: dict[str, NDArray[Any]], name: str, taps: int, inputs: int, outputs: int, bias: NDArray[Any] | None = None
) -> Matrix:
    """The matrix of a layer, whose inputs come tap by tap, with zeros to `inputs` a tap and `outputs`."""
    weight, exponent = tensors[f"{name}.weight"], tensors[f"{name}.exponent"]
    parts = np.split(weight, taps)
    padded = np.zeros((taps, inputs, outputs), np.int16)
    padded[:, : parts[0].shape[0], : weight.shape[1]] = parts
    shift, start = np.zeros(outputs, np.int32), np.zeros(outputs, np.int32)
    shift[: exponent.size] = STREAM_FRACTION - exponent.astype(np.int32)
    if bias is not None:
        start[: bias.size] = bias
    return Matrix(np.stack([packed(part) for part in padded]), shift, start)


def stacked(matrices: Sequence[Matrix], width: int = COLUMNS) -> Matrix:
    """Matrices of one shape with a leading axis; without any, a matrix of none."""
    if not matrices:
        return Matrix(
            np.zeros((0, 1, width // COLUMNS, 1, COLUMNS, 2), np.int16), *(np.zeros((0, width), np.int32),) * 2
        )
    return Matrix(*(np.stack(parts) for parts in zip(*matrices, strict=True)))


def _split_heads(tensors: dict[str, NDArray[Any]], c: int, n: int, whole_n: int) -> dict[str, NDArray[Any]]:
    """The hidden layer with each head's columns in whole groups."""
    out = {}
    for part in ("weight", "exponent", "bias"):
        found = tensors[f"hidden.{part}"]
        padded = np.zeros((*found.shape[:-1], c, whole_n), np.int32)
        padded[..., :n] = found.reshape(*found.shape[:-1], c, n)
        out[f"hidden.{part}"] = padded.reshape(*found.shape[:-1], c * whole_n)
    return out
