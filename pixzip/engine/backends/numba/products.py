"""Exact products of small integers, by the widest instructions that the CPU has.

The kernel multiplies int16 by int16 and adds pairs of products in int32.  It is written in LLVM's own vector
operations, not in an instruction of one CPU: LLVM makes vpmaddwd of it on x86-64 (SSE2 to AVX-512), vpdpwssd where
the CPU has VNNI, and widening multiplications on ARM.  Unlike products of int8 pairs (vpmaddubsw), none of them
saturates, so the sums are exact on every machine.

A tile of rows and columns is summed up over all taps in registers.  Its size fills the registers: 16 of 256 bits, or
32 of 512.
"""

import ctypes
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.registry import cpu_target
from numpy.typing import NDArray
from pixcodecs.compiled import INTERPRETED, intrinsic

#: Columns in a group, which are adjacent in memory.
COLUMNS = 16

_I16, _I32, _I64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
_SUMS, _ACTIVATIONS = ir.VectorType(_I32, COLUMNS), ir.VectorType(_I16, COLUMNS)
_PAIRS, _WIDE = ir.VectorType(_I16, 2 * COLUMNS), ir.VectorType(_I32, 2 * COLUMNS)


def _has_wide_registers() -> bool:
    """Whether kernels are compiled for 32 registers of 512 bits."""
    return not INTERPRETED and "+avx512bw" in cpu_target.target_context.codegen().magic_tuple()[2]


#: Rows of a tile, and groups of columns of a wide one.
ROWS, GROUPS = (8, 2) if _has_wide_registers() else (4, 1)


def packed(weight: NDArray[Any]) -> NDArray[np.int16]:
    """(K, N) integers -> (N', K', 16, 2) int16 operands of a tile: N' = ceil(N / 16) groups of columns, and
    K' = ceil(K / 2) pairs of inputs, with zeros for what is missing."""
    k, n = weight.shape
    whole = np.zeros((k + k % 2, -(-n // COLUMNS) * COLUMNS), np.int16)
    whole[:k, :n] = weight
    return np.ascontiguousarray(whole.reshape(-1, 2, whole.shape[1] // COLUMNS, COLUMNS).transpose(2, 0, 3, 1))


#: Arguments of a tile, all int64; addresses and pitches are in bytes.
_ARGUMENTS = (
    "source", "pitch", "places", "last", "taps",
    "weights", "group_pitch", "tap_pitch", "pairs",
    "stream", "stream_pitch", "shift", "bias", "fresh",
    "target", "target_pitch", "target_places", "target_taps", "right", "surplus",
)  # fmt: skip


def _tile(rows: int, groups: int) -> Any:
    """A function that adds products to some rows and groups of columns of a stream, and writes its activations:

        stream = (bias if fresh else stream) + (sum over taps of rows @ weights << shift)
        target = clamp((stream - surplus) >> right, 0, 127)

    Args of the function:
        source, pitch: int16 rows of 2 `pairs` entries.
        places: (rows, taps) int64: the rows of `source` that each tap of each row of the stream reads.
        last: number of the last of these rows, if they are fewer; the tile repeats it.
        weights, group_pitch, tap_pitch: (pairs, 16, 2) int16 of each group and tap.
        pairs: at least 1.
        stream, stream_pitch: rows of int32.
        shift, bias: (16 groups,) int32.
        fresh: 1 or 0.
        target, target_pitch: rows of int16; an address of 0 if there is no need for them.
        target_places: (rows, target_taps) int64: its first column holds the rows of `target`.
    """

    def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
        _generate(b, dict(zip(_ARGUMENTS, arguments, strict=True)), rows, groups)
        return context.get_dummy_value()

    @intrinsic
    def tile(context: Any, source: Any, pitch: Any, places: Any, last: Any, taps: Any, weights: Any, group_pitch: Any,
             tap_pitch: Any, pairs: Any, stream: Any, stream_pitch: Any, shift: Any, bias: Any, fresh: Any,
             target: Any, target_pitch: Any, target_places: Any, target_taps: Any, right: Any,
             surplus: Any) -> Any:  # fmt: skip
        return types.void(*[types.int64] * len(_ARGUMENTS)), generate

    def interpreted(*arguments: int) -> None:
        _interpret(dict(zip(_ARGUMENTS, map(int, arguments), strict=True)), rows, groups)

    return interpreted if INTERPRETED else tile


def _constant(value: int) -> Any:
    return ir.Constant(_I64, value)


def _load(b: Any, address: Any, kind: Any, align: int) -> Any:
    value = b.load(b.inttoptr(address, kind.as_pointer()))
    value.align = align
    return value


def _repeated(b: Any, number: Any) -> Any:
    """A vector of one int32."""
    undefined = ir.Constant(_SUMS, ir.Undefined)
    one = b.insert_element(undefined, number, ir.Constant(_I32, 0))
    return b.shuffle_vector(one, undefined, ir.Constant(_SUMS, [0] * COLUMNS))


class _Loop:
    """A loop over 0 to `count` - 1 (at least one), with values that each turn replaces."""

    def __init__(self, b: Any, count: Any, values: list[Any]) -> None:
        self.b, self.count = b, count
        entry, self.body, self.done = b.block, b.append_basic_block("loop"), b.append_basic_block("done")
        b.branch(self.body)
        b.position_at_end(self.body)
        self.index, self.values = b.phi(_I64), [b.phi(value.type) for value in values]
        self.index.add_incoming(_constant(0), entry)
        for phi, value in zip(self.values, values, strict=True):
            phi.add_incoming(value, entry)

    def end(self, values: list[Any]) -> None:
        b, following = self.b, self.b.add(self.index, _constant(1))
        self.index.add_incoming(following, b.block)
        for phi, value in zip(self.values, values, strict=True):
            phi.add_incoming(value, b.block)
        b.cbranch(b.icmp_signed("<", following, self.count), self.body, self.done)
        b.position_at_end(self.done)


def _sums(b: Any, a: dict[str, Any], places: list[Any], groups: int) -> list[Any]:
    """Sums of products over all taps, row by row and group by group; `places` are addresses of the rows' places."""
    zero = ir.Constant(_SUMS, [0] * COLUMNS)
    even, odd = (ir.Constant(_SUMS, [2 * i + j for i in range(COLUMNS)]) for j in range(2))
    no_wide = ir.Constant(_WIDE, ir.Undefined)
    taps = _Loop(b, a["taps"], [zero] * len(places) * groups)
    offset = b.mul(taps.index, _constant(8))
    starts = [b.add(a["source"], b.mul(_load(b, b.add(p, offset), _I64, 8), a["pitch"])) for p in places]
    panel = b.add(a["weights"], b.mul(taps.index, a["tap_pitch"]))
    panels = [b.add(panel, b.mul(a["group_pitch"], _constant(g))) for g in range(groups)]
    pairs = _Loop(b, a["pairs"], taps.values)
    at = b.mul(pairs.index, _constant(4 * COLUMNS))
    weights = [b.sext(_load(b, b.add(panel, at), _PAIRS, 2), _WIDE) for panel in panels]
    after = []
    for i, start in enumerate(starts):
        pair = _load(b, b.add(start, b.mul(pairs.index, _constant(4))), _I32, 2)
        wide = b.sext(b.bitcast(_repeated(b, pair), _PAIRS), _WIDE)
        for g, weight in enumerate(weights):
            products = b.mul(wide, weight)
            both = b.add(b.shuffle_vector(products, no_wide, even), b.shuffle_vector(products, no_wide, odd))
            after.append(b.add(pairs.values[i * groups + g], both))
    pairs.end(after)
    taps.end(after)
    return after


def _generate(b: Any, a: dict[str, Any], rows: int, groups: int) -> None:
    """Write a tile's instructions."""
    places_pitch = b.mul(a["taps"], _constant(8))
    numbers = [b.select(b.icmp_signed("<", _constant(r), a["last"]), _constant(r), a["last"]) for r in range(rows)]
    offsets = [b.mul(number, places_pitch) for number in numbers]
    sums = _sums(b, a, [b.add(a["places"], offset) for offset in offsets], groups)
    fresh = b.icmp_signed("!=", a["fresh"], _constant(0))
    group_offsets = [_constant(4 * COLUMNS * g) for g in range(groups)]
    shifts, biases = (
        [_load(b, b.add(a[name], offset), _SUMS, 4) for offset in group_offsets] for name in ("shift", "bias")
    )
    streams = [
        b.add(b.add(a["stream"], b.mul(number, a["stream_pitch"])), offset)
        for number in numbers for offset in group_offsets
    ]  # fmt: skip
    # a repeated row must be read before it is written
    after = [
        b.add(b.select(fresh, biases[i % groups], _load(b, stream, _SUMS, 4)), b.shl(sums[i], shifts[i % groups]))
        for i, stream in enumerate(streams)
    ]
    for value, stream in zip(after, streams, strict=True):
        b.store(value, b.inttoptr(stream, _SUMS.as_pointer())).align = 4
    with b.if_then(b.icmp_signed("!=", a["target"], _constant(0))):
        surplus, right = (_repeated(b, b.trunc(a[name], _I32)) for name in ("surplus", "right"))
        zero, most = (ir.Constant(_SUMS, [limit] * COLUMNS) for limit in (0, 127))
        for i, value in enumerate(after):
            place = b.mul(numbers[i // groups], b.mul(a["target_taps"], _constant(8)))
            place = _load(b, b.add(a["target_places"], place), _I64, 8)
            target = b.add(a["target"], b.mul(place, a["target_pitch"]))
            value = b.ashr(b.sub(value, surplus), right)
            value = b.select(b.icmp_signed("<", value, zero), zero, value)
            value = b.select(b.icmp_signed(">", value, most), most, value)
            target = b.inttoptr(b.add(target, _constant(2 * COLUMNS * (i % groups))), _ACTIVATIONS.as_pointer())
            b.store(b.trunc(value, _ACTIVATIONS), target).align = 2


def _at(address: int, shape: tuple[int, ...], kind: Any) -> NDArray[Any]:
    """The integers at an address."""
    return np.ctypeslib.as_array((kind * int(np.prod(shape))).from_address(address)).reshape(shape)


def _interpret(a: dict[str, int], rows: int, groups: int) -> None:
    """A tile's arithmetic for the interpreter, which cannot call intrinsics."""
    count, columns = min(rows, a["last"] + 1), groups * COLUMNS
    places = _at(a["places"], (count, a["taps"]), ctypes.c_int64)
    written = _at(a["target_places"], (count, a["target_taps"]), ctypes.c_int64)[:, 0]
    weights = np.stack([
        np.concatenate([
            _at(a["weights"] + g * a["group_pitch"] + k * a["tap_pitch"], (a["pairs"], COLUMNS, 2), ctypes.c_int16)
            for g in range(groups)
        ], 1)
        for k in range(a["taps"])
    ])  # fmt: skip
    shift, bias = (_at(a[name], (columns,), ctypes.c_int32) for name in ("shift", "bias"))
    for row in range(count):
        read = [_at(a["source"] + int(p) * a["pitch"], (a["pairs"], 2), ctypes.c_int16) for p in places[row]]
        sums = np.einsum("kpi,kpci->c", np.stack(read).astype(np.int32), weights.astype(np.int32))
        stream = _at(a["stream"] + row * a["stream_pitch"], (columns,), ctypes.c_int32)
        stream[:] = (bias if a["fresh"] else stream) + (sums.astype(np.int32) << shift)
        if a["target"]:
            target = _at(a["target"] + int(written[row]) * a["target_pitch"], (columns,), ctypes.c_int16)
            target[:] = ((stream - a["surplus"]) >> a["right"]).clip(0, 127)


#: A tile of `ROWS` rows and one group of columns; of `GROUPS` groups; and one row of one group.
tile, wide_tile, row_tile = _tile(ROWS, 1), _tile(ROWS, GROUPS), _tile(1, 1)
