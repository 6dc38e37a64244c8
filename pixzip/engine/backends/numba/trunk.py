"""The trunk of a wavefront model for the pixels of a step, in int16 and int32: `trunk` runs all layers.

A pixel reads only its own features and those of earlier steps, so any part of a step's pixels runs through all layers
without the others.  Widths are padded to whole groups of columns, with zeros.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pixcodecs.compiled import compiled

from pixzip.engine.backends.numba.products import COLUMNS, GROUPS, ROWS, row_tile, tile, wide_tile
from pixzip.models.wavefront.weights import STREAM_FRACTION

_ROWS, _COLUMNS, _GROUPS, _STREAM_FRACTION = ROWS, COLUMNS, GROUPS, STREAM_FRACTION

Int16 = NDArray[np.int16]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]


class Matrix(NamedTuple):
    """A layer's matrix.

    Attributes:
        weight: (T, N', K', 16, 2) int16, `products.packed` for each of T taps.
        shift: (16 N',) int32, left shifts that bring sums to units of 2^-STREAM_FRACTION activation steps.
        bias: (16 N',) int32 in these units.
    """

    weight: Int16
    shift: Int32
    bias: Int32


class Trunk(NamedTuple):
    """All matrices of a trunk.

    Attributes:
        blocks: matrices of the masked layers, stacked.
        mixing: matrices of the 1x1 layers, stacked; `per_block` of them follow each masked layer.
        finer: extra fractional bits of the first masked layer's inputs.
    """

    input: Matrix
    blocks: Matrix
    mixing: Matrix
    hidden: Matrix
    per_block: int
    finer: int


class Scratch(NamedTuple):
    """Buffers of the step's pixels, (M, ...).

    Attributes:
        features: (M, F) int16 inputs of the first layer.
        activations, others: (M, W) int16 inputs of 1x1 layers.
        stream: (M, W) int32.
        hidden: (M, C H) int32: the trunk's results.
        own: (M, 1) int64: row numbers 0 to M - 1.
        repeated: (P, T C) int32, one for each thread, see `features`.
    """

    features: Int16
    activations: Int16
    others: Int16
    stream: Int32
    hidden: Int32
    own: Int64
    repeated: Int32


@compiled
def layer(source, places, weight, shift, bias, fresh, stream, target, target_places, finer):
    """Add a product to the stream, and write its activations.

    Args:
        source: (R, 2 K') int16 inputs.
        places: (M, T) int64: the rows of `source` that the taps of each pixel read.
        weight, shift, bias: see `Matrix`.
        fresh: 1 if the stream starts with the bias, else 0.
        stream: (M, N) int32 in units of 2^-STREAM_FRACTION activation steps.
        target: (R, N) int16 for activations; without rows if there is no need for them.
        target_places: (M, T) int64: its first column holds the rows of `target` to write.
        finer: extra fractional bits of the activations.
    """
    m, taps = places.shape
    groups, pairs, target_taps = weight.shape[1], weight.shape[2], target_places.shape[1]
    right = _STREAM_FRACTION - finer
    surplus = (1 << (_STREAM_FRACTION - 1)) - (1 << (right - 1))
    pitch, stream_pitch, target_pitch = source.shape[1] * 2, stream.shape[1] * 4, target.shape[1] * 2
    panel = pairs * _COLUMNS * 4
    group = 0
    while group < groups:
        many = _GROUPS if group + _GROUPS <= groups else 1
        column = group * _COLUMNS
        panels = weight.ctypes.data + group * panel
        shifts, biases = shift.ctypes.data + 4 * column, bias.ctypes.data + 4 * column
        written = target.ctypes.data + 2 * column if target.shape[0] else 0
        i = 0
        while i < m:
            read, last = places.ctypes.data + i * taps * 8, m - 1 - i
            running = stream.ctypes.data + i * stream_pitch + 4 * column
            targets = target_places.ctypes.data + i * target_taps * 8
            if last == 0:
                for g in range(many):
                    row_tile(
                        source.ctypes.data, pitch, read, last, taps, panels + g * panel, panel, groups * panel, pairs,
                        running + 4 * _COLUMNS * g, stream_pitch, shifts + 4 * _COLUMNS * g, biases + 4 * _COLUMNS * g,
                        fresh, written + 2 * _COLUMNS * g if written else 0, target_pitch, targets, target_taps,
                        right, surplus,
                    )  # fmt: skip
            elif many > 1:
                wide_tile(
                    source.ctypes.data, pitch, read, last, taps, panels, panel, groups * panel, pairs, running,
                    stream_pitch, shifts, biases, fresh, written, target_pitch, targets, target_taps, right, surplus,
                )  # fmt: skip
            else:
                tile(
                    source.ctypes.data, pitch, read, last, taps, panels, panel, groups * panel, pairs, running,
                    stream_pitch, shifts, biases, fresh, written, target_pitch, targets, target_taps, right, surplus,
                )  # fmt: skip
            i += _ROWS
        group += many


@compiled
def trunk(network, rings, taps, s):
    """Run the layers from `s.features` to `s.hidden`; `network` is a Trunk, `s` a Scratch of this thread's pixels.

    Args:
        rings: (B, R, W) int16 activations of the masked layers' inputs in the last steps.
        taps: (M, T) int64 rows of the rings.
    """
    nothing = s.features[:0]
    no, yes, plain = np.int64(0), np.int64(1), np.int64(0)  # literals would compile a layer for each value
    x, blocks, mixing = network.input, network.blocks, network.mixing
    layer(
        s.features, s.own, x.weight, x.shift, x.bias, yes, s.stream, rings[0], taps, network.finer
    )  # fmt: skip
    for b in range(rings.shape[0]):
        last = b == rings.shape[0] - 1
        for k in range(network.per_block + 1):
            ends = k == network.per_block
            if ends and not last:
                target, places = rings[b + 1], taps
            elif k % 2:
                target, places = s.others, s.own
            else:
                target, places = s.activations, s.own
            if k == 0:
                layer(
                    rings[b], taps, blocks.weight[b], blocks.shift[b], blocks.bias[b], no, s.stream,
                    target, places, plain,
                )  # fmt: skip
                continue
            i = b * network.per_block + k - 1
            source = s.activations if k % 2 else s.others
            layer(
                source, s.own, mixing.weight[i], mixing.shift[i], mixing.bias[i], no, s.stream,
                target, places, plain,
            )  # fmt: skip
    h = network.hidden
    source = s.others if network.per_block % 2 else s.activations
    layer(source, s.own, h.weight, h.shift, h.bias, yes, s.hidden, nothing, s.own, plain)
