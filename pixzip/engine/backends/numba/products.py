"""Exact products of small integers, by the widest instructions that the CPU has.

The kernel multiplies int16 by int16 and adds pairs of products in int32.  It is written in LLVM's own vector
operations, not in an instruction of one CPU: LLVM makes vpmaddwd of it on x86-64 (SSE2 to AVX-512), vpdpwssd where
the CPU has VNNI, and widening multiplications on ARM.  Unlike products of int8 pairs (vpmaddubsw), none of them
saturates, so the sums are exact on every machine.
"""

import ctypes
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import NDArray
from pixcodecs.compiled import INTERPRETED, intrinsic

#: Rows and columns of the product that one call adds up in registers.
ROWS, COLUMNS = 4, 16

_I16, _I32, _I64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
_SUMS = ir.VectorType(_I32, COLUMNS)
_PAIRS, _WIDE = ir.VectorType(_I16, 2 * COLUMNS), ir.VectorType(_I32, 2 * COLUMNS)


def packed(weight: NDArray[Any]) -> NDArray[np.int16]:
    """(K, N) integers -> (N', K', 16, 2) int16 operands of `add_products`: N' = ceil(N / 16) groups of columns, and
    K' = ceil(K / 2) pairs of inputs, with zeros for what is missing."""
    k, n = weight.shape
    whole = np.zeros((k + k % 2, -(-n // COLUMNS) * COLUMNS), np.int16)
    whole[:k, :n] = weight
    return np.ascontiguousarray(whole.reshape(-1, 2, whole.shape[1] // COLUMNS, COLUMNS).transpose(2, 0, 3, 1))


@intrinsic
def add_products(context: Any, a: Any, b: Any, c: Any, d: Any, weights: Any, pairs: Any, sums: Any) -> Any:
    """sums += rows @ weights, for the four rows of int16 at the addresses a, b, c and d.

    Args:
        weights: address of (pairs, 16, 2) int16.
        pairs: half the length of a row; at least 1.
        sums: address of (4, 16) int32.
    """
    return types.void(*[types.int64] * 7), _add_products


@intrinsic
def finish_row(context: Any, sums: Any, stream: Any, shift: Any, bias: Any, fresh: Any, target: Any, right: Any,
               surplus: Any) -> Any:  # fmt: skip
    """Add 16 sums to the stream, and write the stream's activations.

    Args:
        sums, stream, shift, bias: addresses of (16,) int32; the stream becomes ``(bias if fresh else stream) +
            (sums << shift)``.
        fresh: 1 or 0.
        target: address of (16,) int16 for ``clamp((stream - surplus) >> right, 0, 127)``; 0 if there is no need.
        right, surplus: int64.
    """
    return types.void(*[types.int64] * 4, *[types.int64] * 4), _finish_row


def _finish_row(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
    sums, stream, shift, bias, fresh, target, right, surplus = arguments

    def load(address: Any) -> Any:
        value = b.load(b.inttoptr(address, _SUMS.as_pointer()))
        value.align = 4
        return value

    def repeated(number: Any) -> Any:
        one = b.insert_element(ir.Constant(_SUMS, ir.Undefined), b.trunc(number, _I32), ir.Constant(_I32, 0))
        return b.shuffle_vector(one, ir.Constant(_SUMS, ir.Undefined), ir.Constant(_SUMS, [0] * COLUMNS))

    before = load(b.select(b.icmp_signed("!=", fresh, ir.Constant(_I64, 0)), bias, stream))
    after = b.add(before, b.shl(load(sums), load(shift)))
    b.store(after, b.inttoptr(stream, _SUMS.as_pointer())).align = 4
    with b.if_then(b.icmp_signed("!=", target, ir.Constant(_I64, 0))):
        value = b.ashr(b.sub(after, repeated(surplus)), repeated(right))
        zero, most = (ir.Constant(_SUMS, [limit] * COLUMNS) for limit in (0, 127))
        value = b.select(b.icmp_signed("<", value, zero), zero, value)
        value = b.select(b.icmp_signed(">", value, most), most, value)
        narrow = ir.VectorType(_I16, COLUMNS)
        b.store(b.trunc(value, narrow), b.inttoptr(target, narrow.as_pointer())).align = 2
    return context.get_dummy_value()


def _add_products(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
    *rows, weights, pairs, sums = arguments

    def load(address: Any, offset: Any, kind: Any, align: int) -> Any:
        value = b.load(b.inttoptr(b.add(address, offset), kind.as_pointer()))
        value.align = align
        return value

    def offset(row: int) -> Any:
        return ir.Constant(_I64, 4 * COLUMNS * row)

    before = [load(sums, offset(row), _SUMS, 4) for row in range(ROWS)]
    entry, loop, done = b.block, b.append_basic_block("loop"), b.append_basic_block("done")
    b.branch(loop)
    b.position_at_end(loop)
    k = b.phi(_I64)
    k.add_incoming(ir.Constant(_I64, 0), entry)
    running = [b.phi(_SUMS) for _ in range(ROWS)]
    wide = b.sext(load(weights, b.mul(k, ir.Constant(_I64, 4 * COLUMNS)), _PAIRS, 2), _WIDE)
    undefined, no_wide = ir.Constant(_SUMS, ir.Undefined), ir.Constant(_WIDE, ir.Undefined)
    even, odd = (ir.Constant(_SUMS, [2 * i + j for i in range(COLUMNS)]) for j in range(2))
    after = []
    for row in range(ROWS):
        pair = load(rows[row], b.mul(k, ir.Constant(_I64, 4)), _I32, 2)
        repeated = b.insert_element(undefined, pair, ir.Constant(_I32, 0))
        repeated = b.shuffle_vector(repeated, undefined, ir.Constant(_SUMS, [0] * COLUMNS))
        products = b.mul(b.sext(b.bitcast(repeated, _PAIRS), _WIDE), wide)
        both = b.add(b.shuffle_vector(products, no_wide, even), b.shuffle_vector(products, no_wide, odd))
        after.append(b.add(running[row], both))
    following = b.add(k, ir.Constant(_I64, 1))
    k.add_incoming(following, loop)
    for row in range(ROWS):
        running[row].add_incoming(before[row], entry)
        running[row].add_incoming(after[row], loop)
    b.cbranch(b.icmp_signed("<", following, pairs), loop, done)
    b.position_at_end(done)
    for row in range(ROWS):
        b.store(after[row], b.inttoptr(b.add(sums, offset(row)), _SUMS.as_pointer())).align = 4
    return context.get_dummy_value()


def _at(address: int, count: int, kind: Any) -> NDArray[Any]:
    """The integers at an address."""
    return np.ctypeslib.as_array((kind * count).from_address(address))


def _interpreted_products(a: int, b: int, c: int, d: int, weights: int, pairs: int, sums: int) -> None:
    matrix = _at(weights, 2 * COLUMNS * pairs, ctypes.c_int16).reshape(pairs, COLUMNS, 2).astype(np.int32)
    rows = np.stack([_at(int(row), 2 * pairs, ctypes.c_int16).reshape(pairs, 2) for row in (a, b, c, d)])
    _at(sums, ROWS * COLUMNS, ctypes.c_int32)[:] += np.einsum("rki,kci->rc", rows, matrix).ravel()


def _interpreted_row(
    sums: int, stream: int, shift: int, bias: int, fresh: int, target: int, right: int, surplus: int
) -> None:
    added, left, start, running = (_at(int(at), COLUMNS, ctypes.c_int32) for at in (sums, shift, bias, stream))
    running[:] = (start if fresh else running) + (added << left)
    if target:
        _at(int(target), COLUMNS, ctypes.c_int16)[:] = ((running - surplus) >> right).clip(0, 127)


if INTERPRETED:  # the interpreter cannot call intrinsics
    add_products, finish_row = _interpreted_products, _interpreted_row
