"""Arithmetic on 16 floats at once: what is done to the rows of an image that are solved in one step.

Written in LLVM's own vector operations, for whatever registers the CPU has.  No operation is fused or reordered:
every lane computes what a scalar would, and the same on every machine.
"""

import ctypes
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import NDArray
from pixcodecs.compiled import INTERPRETED, intrinsic

from pixzip.models.wavefront.least_squares import DECAY, PERIOD, RIDGE, TINY

#: Number of lanes.
LANES = 16
#: Bytes of one group of lanes.
BYTES = 4 * LANES

_I32, _I64, _F32 = ir.IntType(32), ir.IntType(64), ir.FloatType()
_FLOATS, _INTS = ir.VectorType(_F32, LANES), ir.VectorType(_I32, LANES)
#: Powers of the decay are exact in float32.
_POWERS = [DECAY**k for k in range(PERIOD + 1)]


def _all(value: float) -> Any:
    return ir.Constant(_FLOATS, [float(value)] * LANES)


def _int(value: int) -> Any:
    return ir.Constant(_I64, value)


class _Vectors:
    """Loads and stores of groups of lanes."""

    def __init__(self, builder: Any) -> None:
        self.b = builder

    def load(self, address: Any) -> Any:
        value = self.b.load(self.b.inttoptr(address, _FLOATS.as_pointer()))
        value.align = 4
        return value

    def store(self, value: Any, address: Any) -> None:
        self.b.store(value, self.b.inttoptr(address, _FLOATS.as_pointer())).align = 4

    def between(self, low: Any, high: Any) -> Any:
        """Whether the number of each lane is at least `low` and less than `high`."""
        b = self.b
        numbers, undefined = ir.Constant(_INTS, list(range(LANES))), ir.Constant(_INTS, ir.Undefined)

        def repeated(value: Any) -> Any:
            one = b.insert_element(undefined, b.trunc(value, _I32), ir.Constant(_I32, 0))
            return b.shuffle_vector(one, undefined, ir.Constant(_INTS, [0] * LANES))

        return b.and_(b.icmp_signed(">=", numbers, repeated(low)), b.icmp_signed("<", numbers, repeated(high)))

    def without_tiny(self, value: Any) -> Any:
        b = self.b
        beyond = b.or_(b.fcmp_ordered(">=", value, _all(TINY)), b.fcmp_ordered("<=", value, _all(-TINY)))
        return b.select(beyond, value, _all(0.0))

    def loop(self, count: Any, addresses: list[Any], body: Callable[[list[Any]], list[Any]]) -> None:
        """Run `body` `count` times, perhaps never; it takes numbers and returns those for its next turn."""
        b = self.b
        entry, test = b.block, b.append_basic_block("test")
        turn, done = b.append_basic_block("turn"), b.append_basic_block("done")
        b.branch(test)
        b.position_at_end(test)
        index, values = b.phi(_I64), [b.phi(_I64) for _ in addresses]
        for phi, value in zip([index, *values], [_int(0), *addresses], strict=True):
            phi.add_incoming(value, entry)
        b.cbranch(b.icmp_signed("<", index, count), turn, done)
        b.position_at_end(turn)
        following = [b.add(index, _int(1)), *body(values)]
        for phi, value in zip([index, *values], following, strict=True):
            phi.add_incoming(value, b.block)
        b.branch(test)
        b.position_at_end(done)


def _on_lanes(generate: Callable[..., None]) -> Callable[[Callable[..., None]], Any]:
    """Make a kernel's function of int64 arguments from LLVM's instructions and, for the interpreter, from NumPy's."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        generate(_Vectors(builder), *arguments)
        return context.get_dummy_value()

    def typed(context: Any, *arguments: Any) -> Any:
        return types.void(*[types.int64] * len(arguments)), code

    def made(interpreted: Callable[..., None]) -> Any:
        if INTERPRETED:
            return interpreted
        context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = [context, *inspect.signature(interpreted).parameters.values()]
        typed.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return intrinsic(typed)

    return made


def _floats(address: int, pitch: int = BYTES, count: int = 1) -> NDArray[np.float32]:
    """(count, LANES) floats whose groups begin `pitch` bytes apart."""
    first = ctypes.c_float.from_address(int(address))
    return np.lib.stride_tricks.as_strided(np.ctypeslib.as_array(first), (count, LANES), (pitch, 4))


def _weigh(v: _Vectors, weights: Any, pitch: Any, out: Any) -> None:
    for k in range(PERIOD):
        weight = v.load(v.b.add(weights, v.b.mul(pitch, _int(k))))
        v.store(v.b.fmul(weight, _all(_POWERS[PERIOD - 1 - k])), v.b.add(out, _int(BYTES * k)))


@_on_lanes(_weigh)
def weigh(weights, pitch, out):
    """Write the weights of `PERIOD` pixels, `pitch` bytes apart, times the decay until the last of them."""
    decay = np.array(_POWERS[PERIOD - 1 :: -1], np.float32)
    _floats(out, count=PERIOD)[:] = _floats(weights, pitch, PERIOD) * decay[:, None]


def _accumulate(v: _Vectors, sums: Any, totals: Any, above: Any, pitch: Any, count: Any, weights: Any, left: Any,
                right: Any, slot_pitch: Any, out: Any, low: Any, high: Any) -> None:  # fmt: skip
    b, mask = v.b, v.between(low, high)
    slots = [b.mul(slot_pitch, _int(k)) for k in range(PERIOD)]
    scaled = [
        b.fmul(v.load(b.add(weights, _int(BYTES * k))), v.load(b.add(left, slot))) for k, slot in enumerate(slots)
    ]

    def body(at: list[Any]) -> list[Any]:
        sums, totals, above, right, out = at
        before = v.load(sums)
        value = b.fmul(before, _all(_POWERS[PERIOD]))
        for slot, factor in zip(slots, scaled, strict=True):
            value = b.fadd(value, b.fmul(factor, v.load(b.add(right, slot))))
        value = v.without_tiny(value)
        v.store(b.select(mask, value, before), sums)
        total = v.without_tiny(b.fadd(value, b.fmul(v.load(above), _all(_POWERS[1]))))
        v.store(b.select(mask, total, v.load(totals)), totals)
        v.store(total, out)
        return [b.add(address, pitch) for address in at[:4]] + [b.add(out, _int(BYTES))]

    v.loop(count, [sums, totals, above, right, out], body)


@_on_lanes(_accumulate)
def accumulate(sums, totals, above, pitch, count, weights, left, right, slot_pitch, out, low, high):
    """Add the products of one tap of `PERIOD` pixels with the first `count` taps to sums, and the totals above:

        sums = decay^PERIOD sums + sum over pixels of (weight left) right,     totals = sums + decay above

    Args:
        sums, totals, above, right: groups of lanes `pitch` bytes apart; `above` are the totals of the rows above.
        weights: (PERIOD, LANES), see `weigh`.
        left, right: taps of the first pixel; those of the next are `slot_pitch` bytes on.
        out: (count, LANES) for the totals of all lanes.
        low, high: lanes whose sums and totals change.
    """
    lanes, n = slice(int(low), int(high)), int(count)
    weight, zero = _floats(weights, count=PERIOD), np.float32(0)
    before, after, upper = (_floats(address, pitch, n) for address in (sums, totals, above))
    value = before * np.float32(_POWERS[PERIOD])
    for k in range(PERIOD):
        value = value + (weight[k] * _floats(left + k * slot_pitch)[0]) * _floats(right + k * slot_pitch, pitch, n)
    value = np.where(abs(value) >= np.float32(TINY), value, zero)
    total = value + upper * np.float32(_POWERS[1])
    total = np.where(abs(total) >= np.float32(TINY), total, zero)
    before[:, lanes], after[:, lanes] = value[:, lanes], total[:, lanes]
    _floats(out, count=n)[:] = total


def _invert(v: _Vectors, pivot: Any, out: Any) -> None:
    b = v.b
    value = b.fadd(v.load(pivot), _all(RIDGE))
    value = b.select(b.fcmp_ordered(">=", value, _all(RIDGE / 2)), value, _all(RIDGE / 2))
    v.store(b.fdiv(_all(1.0), value), out)


@_on_lanes(_invert)
def invert(pivot, out):
    """out = 1 / max(pivot + ridge, ridge / 2)."""
    value = np.maximum(_floats(pivot) + np.float32(RIDGE), np.float32(RIDGE / 2))
    _floats(out)[:] = np.float32(1) / value


def _eliminate(v: _Vectors, row: Any, inverse: Any, column: Any, step: Any, count: Any) -> None:
    b = v.b
    factor = v.load(row)
    v.store(b.fmul(factor, v.load(inverse)), row)

    def body(at: list[Any]) -> list[Any]:
        target, source, step = at
        v.store(b.fsub(v.load(target), b.fmul(factor, v.load(source))), target)
        return [b.add(target, _int(BYTES)), b.add(source, step), b.add(step, _int(BYTES))]

    v.loop(count, [b.add(row, _int(BYTES)), column, step], body)


@_on_lanes(_eliminate)
def eliminate(row, inverse, column, step, count):
    """Divide an entry of a row by its pivot, and subtract the entry times a column from the `count` entries behind it.

    Args:
        row: the entry, and behind it the rest of the row.
        column: the column's first entry, in a packed triangle: `step` bytes to the second, each step LANES floats more.
    """
    entries = _floats(row, count=count + 1)
    factor = entries[0].copy()
    entries[0] = factor * _floats(inverse)[0]
    for j in range(count):
        entries[1 + j] -= factor * _floats(column + j * step + BYTES * (j * (j - 1) // 2))[0]


def _substitute(v: _Vectors, target: Any, row: Any, factor: Any, count: Any) -> None:
    b, scale = v.b, v.load(factor)

    def body(at: list[Any]) -> list[Any]:
        target, row = at
        v.store(b.fsub(v.load(target), b.fmul(scale, v.load(row))), target)
        return [b.add(target, _int(BYTES)), b.add(row, _int(BYTES))]

    v.loop(count, [target, row], body)


@_on_lanes(_substitute)
def substitute(target, row, factor, count):
    """target -= factor row, `count` entries."""
    _floats(target, count=count)[:] -= _floats(factor) * _floats(row, count=count)


def _put(v: _Vectors, target: Any, source: Any, pitch: Any, count: Any, low: Any, high: Any) -> None:
    b, mask = v.b, v.between(low, high)

    def body(at: list[Any]) -> list[Any]:
        target, source = at
        v.store(b.select(mask, v.load(source), v.load(target)), target)
        return [b.add(target, pitch), b.add(source, _int(BYTES))]

    v.loop(count, [target, source], body)


@_on_lanes(_put)
def put(target, source, pitch, count, low, high):
    """Copy some lanes of `count` entries to groups `pitch` bytes apart."""
    lanes = slice(int(low), int(high))
    _floats(target, pitch, count)[:, lanes] = _floats(source, count=count)[:, lanes]
