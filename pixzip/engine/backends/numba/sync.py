"""How threads inside compiled functions meet: a counter in memory, without the interpreter and without OpenMP."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from pixcodecs.compiled import compiled, intrinsic

#: Looks at the counter before a waiting thread offers its core to others: a few microseconds.
SPINS = 2000
_SPINS = SPINS


@intrinsic
def _add(context: Any, address: Any, value: Any) -> Any:
    """Atomically add to the int64 at an address; return its value before."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, value = arguments
        pointer = builder.inttoptr(address, ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", pointer, value, "seq_cst")

    return types.int64(types.int64, types.int64), generate


@intrinsic
def _read(context: Any, address: Any) -> Any:
    """Atomically read the int64 at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.load_atomic(pointer, "seq_cst", 8)

    return types.int64(types.int64), generate


@intrinsic
def _offer_core(context: Any) -> Any:
    """Let another thread run on this core (POSIX sched_yield)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(32), [])
        function = cgutils.get_or_insert_function(builder.module, kind, "sched_yield")
        return builder.call(function, [])

    return types.int32(), generate


@compiled
def meet(counter, meetings, parts):
    """Wait until all `parts` threads have called this `meetings` times.

    Args:
        counter: address of an int64 that was zero before the first meeting.
        meetings: number of this meeting, from 1.
    """
    if parts == 1:
        return
    _add(counter, 1)
    target, spins = meetings * parts, 0
    while _read(counter) < target:
        spins += 1
        if spins > _SPINS:
            _offer_core()
