"""Arrays out of pickles of strangers, such as CIFAR-10's.

To load a pickle is to run a program; one that may name numpy alone can still exhaust memory or the stack.  So
opcodes [1] are interpreted here instead: what they ask to have called is noted, nothing is called or imported.

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
    """What a pickle asks to have built: the call, its arguments, and the state it then sets."""

    call: str
    args: tuple[Any, ...]
    state: Any = None


def pickled(name: str, data: bytes) -> tuple[dict[str, Any], NDArray[np.uint8]]:
    """A pickled dict of plain values and of one array, under "data".

    Returns:
        The dict, whose texts and bytes are str, a byte being a character; and the array, uint8.
    Raises:
        PixzipError: the pickle is damaged, asks for anything beyond this, or has no such array.
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
    """What a pickle describes; never a key but a str, and never a call."""
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
