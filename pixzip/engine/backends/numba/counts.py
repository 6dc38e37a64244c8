"""Slots of two counts each in compiled kernels: 16 bits for zeros, 16 bits above for ones."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numpy.typing import NDArray
from pixcodecs.compiled import INTERPRETED, inlined, intrinsic

from pixzip.models.wavefront import mixing as X

_MOST, _BITS, _LOW = X.MOST_COUNTS, np.uint32(16), np.uint32(0xFFFF)
_ONES = np.array([1, 1 << 16], np.uint32)


def pairs(tables: X.Tables) -> NDArray[np.int32]:
    """(2^14,) both inputs of a slot, by 128 zeros + ones: `counted` in the low 16 bits, `sure` above."""
    both: NDArray[np.int32] = (tables.sure.astype(np.int32) << 16) + tables.counted.view(np.uint16)
    return both.ravel()


@inlined
def both_of(pairs, slot):
    """Both inputs of a slot, see `pairs`."""
    return pairs[((slot & _LOW) << np.uint32(7)) + (slot >> _BITS)]


@inlined
def counted_of(both):
    """The input `counted`."""
    return np.int64(both) << 48 >> 48


@inlined
def sure_of(both):
    """The input `sure`."""
    return np.int64(both >> np.int32(16))


@inlined
def count(slots, records, number):
    """Add records, 2 slot + bit, to counts; then halve counts whose sums are too large.  Records are overwritten."""
    over = 0
    for r in range(number):
        at = records[r] >> 1
        slot = slots[at] + _ONES[records[r] & 1]
        slots[at] = slot
        if (slot & _LOW) + (slot >> _BITS) > _MOST:
            records[over] = at
            over += 1
    for r in range(over):
        slot = slots[records[r]]
        zeros, ones = slot & _LOW, slot >> _BITS
        while zeros + ones > _MOST:
            zeros, ones = zeros >> np.uint32(1), ones >> np.uint32(1)
        slots[records[r]] = zeros | ones << _BITS


@intrinsic
def _prefetch(context: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        rest = [ir.Constant(number, value) for value in (0, 3, 1)]  # to read, into all caches, data
        builder.call(function, [builder.inttoptr(arguments[0], byte), *rest])
        return context.get_dummy_value()

    return types.void(types.int64), generate


def _nothing(address: Any) -> None:
    """The interpreter reads what it needs when it needs it."""


#: Ask for the line of memory at an address, which is read soon.
prefetch: Any = _nothing if INTERPRETED else _prefetch
