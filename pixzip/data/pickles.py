"""Arrays from untrusted pickles, as in CIFAR-10.

Loading a pickle runs a program, which can exhaust memory or the stack even if it may only name NumPy.  So this
module interprets the opcodes [1]: requested calls are recorded, but nothing is called or imported.

[1] https://docs.python.org/3/library/pickletools.html, protocols 2 to 4
"""

import pickletools
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pixcodecs.errors import PixzipError

_CALLS = {"_codecs encode", "numpy ndarray", "numpy dtype"} | {
    f"numpy.{core}.multiarray _reconstruct" for core in ("core", "_core")
}


@dataclass
class _Built:
    """An object that a pickle requests: the call, its arguments, and the state set afterwards."""

    call: str
    args: tuple[Any, ...]
    state: Any = None


def pickled(name: str, data: bytes) -> tuple[dict[str, Any], NDArray[np.uint8]]:
    """A pickled dict of plain values and one array, whose key is "data".

    Returns:
        The dict, in which texts and bytes are str with one character per byte; and the uint8 array.
    Raises:
        PixzipError: the pickle is damaged, requests anything else, or has no such array.
    """
    try:
        found = _interpret(name, data)
        _, shape, dtype, fortran, body = found["data"].state
        if dtype.args[0] not in ("u1", "|u1", "uint8"):
            raise ValueError("its type is another")
        flat = np.frombuffer(body.encode("latin-1"), np.uint8)
        return found, flat.reshape(shape, order="F" if fortran else "C")
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise PixzipError(f"{name} is damaged or foreign ({error}), expected a pickled uint8 array 'data'") from error


def _interpret(name: str, data: bytes) -> Any:
    """The value that a pickle describes; keys are str only, and nothing is called."""
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}

    def above_mark() -> list[Any]:
        start = marks.pop()
        items = stack[start:]
        del stack[start:]
        return items

    for opcode, arg, _ in pickletools.genops(data):
        match opcode.name:
            case "PROTO" | "FRAME" | "STOP":
                pass
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINUNICODE" | "SHORT_BINUNICODE":
                stack.append(arg)
            case "BINSTRING" | "SHORT_BINSTRING" | "BINBYTES" | "SHORT_BINBYTES":
                stack.append(arg.decode("latin-1") if isinstance(arg, bytes) else arg)
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[opcode.name])
            case "EMPTY_DICT" | "EMPTY_LIST" | "EMPTY_TUPLE":
                stack.append({"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}[opcode.name]())
            case "MARK":
                marks.append(len(stack))
            case "TUPLE":
                stack.append(tuple(above_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                marks.append(len(stack) - int(opcode.name[-1]))
                stack.append(tuple(above_mark()))
            case "APPEND":
                item = stack.pop()
                stack[-1].append(item)
            case "APPENDS":
                items = above_mark()
                stack[-1].extend(items)
            case "SETITEM" | "SETITEMS":
                marks += [len(stack) - 2] if opcode.name == "SETITEM" else []
                items = above_mark()
                stack[-1].update((str.__str__(key), value) for key, value in zip(items[::2], items[1::2], strict=True))
            case "BINPUT" | "LONG_BINPUT" | "MEMOIZE":
                memo[len(memo) if arg is None else arg] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[cast(int, arg)])
            case "GLOBAL" | "STACK_GLOBAL":
                call = arg or " ".join(map(str.__str__, [stack.pop(-2), stack.pop()]))
                if call not in _CALLS:
                    raise PixzipError(f"{name} asks for {call}, expected a pickle of numpy arrays and plain values")
                stack.append(call)
            case "REDUCE":
                args = stack.pop()
                call = stack.pop()
                stack.append(args[0] if call == "_codecs encode" else _Built(call, args))
            case "BUILD":
                state = stack.pop()
                stack[-1].state = state
            case other:
                raise PixzipError(f"{name} has a pickle's {other}, expected numpy arrays and plain values")
    return stack[-1]
