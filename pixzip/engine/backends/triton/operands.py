"""A model's matrices and tables for the Triton kernel: sides are powers of two, padded with zeros."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pixzip.models.wavefront.taps import CENTRE, MASK_A, MASK_B
from pixzip.models.wavefront.weights import OUTPUT_SHIFTS, STREAM_FRACTION, IntegerWeights, scaled

#: Columns of the product for logits, means or scales: the fewest that a matrix unit takes.
COLUMNS = 16
#: Fewest rows of an 8-bit integer matrix.
ROWS = 32

_KINDS = ("logits", "means", "scales")


class Operands(NamedTuple):
    """Matrices are int8 (inputs, outputs), with an int32 left shift per column; biases are int32 in units of
    2^-STREAM_FRACTION, with the half that rounds to nearest.  D and E are the padded widths of trunk and heads."""

    input: Tensor  # (K', D)
    input_shift: Tensor  # (D,)
    input_bias: Tensor  # (D,)
    blocks: Tensor  # (blocks, 5, D, D)
    block_shifts: Tensor  # (blocks, D)
    mixing: Tensor  # (blocks, mixing, D, D)
    mixing_shifts: Tensor  # (blocks, mixing, D)
    hidden: Tensor  # (C, D, E)
    hidden_shift: Tensor  # (C, E)
    hidden_bias: Tensor  # (C, E)
    known: Tensor  # (C, 2, E) int32, already shifted
    out: Tensor  # (C, 3, E, COLUMNS), for logits, means and scales
    out_shift: Tensor  # (C, 3, COLUMNS)
    out_bias: Tensor  # (C, 3, COLUMNS)
    factors: Tensor  # (C, 2, E) int32, already shifted
    factors_bias: Tensor  # (C, 2)
    exp2: Tensor  # (256,) int32
    logistic: Tensor  # (11265,) int32
    reciprocal: Tensor  # (80,) int32
    finer: Tensor  # (blocks,) int32, extra fractional bits of a block's input
    taps_a: Tensor  # (2, K'): up and right of every entry of an input vector
    taps_b: Tensor  # (3, 8): up, right and steps back of every tap of mask B


def power_of_two(n: int, least: int = 1) -> int:
    """The smallest power of two that is at least n and at least `least`."""
    return max(least, 1 << (n - 1).bit_length())


def operands(weights: IntegerWeights, device: torch.device) -> Operands:
    """The operands of a model."""
    config, t = weights.config, weights.tensors
    c, k, h = config.channels, config.n_mix, config.head_width
    d, e = power_of_two(config.width, ROWS), power_of_two(h, ROWS)
    inputs = -(-(len(MASK_A) + 1) * c // ROWS) * ROWS
    half = 1 << (STREAM_FRACTION - 1)

    def pad(values: NDArray[np.generic], *shape: int) -> NDArray[np.generic]:
        return np.pad(values, [(0, n - m) for n, m in zip(shape, values.shape, strict=True)])

    def shift(name: str) -> NDArray[np.int32]:
        exponent: NDArray[np.int32] = STREAM_FRACTION - t[f"{name}.exponent"].astype(np.int32)
        return exponent

    def stack(parts: list[NDArray[np.generic]], *shape: int) -> NDArray[np.generic]:
        return np.stack(parts).reshape(shape) if parts else np.zeros(shape, np.int8)

    masked = [name for name, taps in config.layers if taps != CENTRE]
    mixing = [name for name, taps in config.layers if taps == CENTRE]
    blocks = [pad(t[f"{n}.weight"].reshape(len(MASK_B), config.width, -1), len(MASK_B), d, d) for n in masked]
    taps = np.array([tap for tap in MASK_A for _ in range(c)], np.int32).T
    back = [-(dx + 2 * dy) for dy, dx in MASK_B]
    heads = [t["hidden.weight"][:, i * h : (i + 1) * h] for i in range(c)]
    of_heads = {key: values.reshape(c, h) for key, values in (("shift", shift("hidden")), ("bias", t["hidden.bias"]))}
    known, out, out_shift, out_bias, factors, factors_bias = [], [], [], [], [], []
    for i in range(c):
        known.append(pad(scaled(weights, f"known.{i}"), 2, e) if i else np.zeros((2, e), np.int64))
        columns = [slice(j * k, (j + 1) * k) for j in range(3)]
        out.append(np.stack([pad(t[f"out.{i}.weight"][:, s], e, COLUMNS) for s in columns]))
        out_shift.append(np.stack([pad(shift(f"out.{i}")[s], COLUMNS) for s in columns]))
        bias = t[f"out.{i}.bias"]
        rounding = [1 << (OUTPUT_SHIFTS[kind] - 1) for kind in _KINDS]
        out_bias.append(np.stack([pad(bias[s] + r, COLUMNS) for s, r in zip(columns, rounding, strict=True)]))
        factors.append(pad(scaled(weights, f"out.{i}")[:, 3 * k :].T, 2, e))
        factors_bias.append(pad(bias[3 * k :] + (1 << (OUTPUT_SHIFTS["factors"] - 1)), 2))
    layers = [
        pad(t["input.weight"], inputs, d), pad(shift("input"), d), pad(t["input.bias"] + half, d),
        np.stack(blocks), np.stack([pad(shift(n), d) for n in masked]),
        stack([pad(t[f"{n}.weight"], d, d) for n in mixing], config.blocks, config.mixing, d, d),
        stack([pad(shift(n), d) for n in mixing], config.blocks, config.mixing, d),
        np.stack([pad(w, d, e) for w in heads]), pad(of_heads["shift"], c, e), pad(of_heads["bias"] + half, c, e),
        np.stack(known), np.stack(out), np.stack(out_shift), np.stack(out_bias), np.stack(factors),
        np.stack(factors_bias), t["table.exp2"], t["table.logistic"], t["table.reciprocal"],
        np.array([config.finer] + [0] * (config.blocks - 1)),
        pad(taps, 2, inputs), pad(np.array([*zip(*MASK_B, strict=True), back]), 3, 8),
    ]  # fmt: skip
    matrices = {"input", "blocks", "mixing", "hidden", "out"}
    return Operands(*(
        torch.from_numpy(np.ascontiguousarray(a.astype(np.int8 if name in matrices else np.int32))).to(device)
        for name, a in zip(Operands._fields, layers, strict=True)
    ))  # fmt: skip
