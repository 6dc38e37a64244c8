"""Inputs and the standard streams; as the name of a file, "-" stands for standard input or output."""

import mmap
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from pixcodecs.container import signature
from pixcodecs.errors import PixzipError

STANDARD = "-"


def read(name: str) -> bytes:
    """A whole input.

    Raises:
        OSError: it cannot be read.
    """
    return _stdin().read() if name == STANDARD else Path(name).read_bytes()


def read_pxz(name: str) -> signature.Buffer:
    """A `.pxz` input: a file as a map, of which only what is used is read.

    Raises:
        BitstreamError: standard input does not start as a `.pxz` file does.
        OSError: it cannot be read.
    """
    if name == STANDARD:
        start = _stdin().read(len(signature.SIGNATURE))
        if start != signature.SIGNATURE:
            from pixcodecs.container import image as container

            container.read_header(start)  # says what is wrong, without reading the rest
        return start + _stdin().read()
    with Path(name).open("rb") as stream:
        try:
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except (ValueError, OSError):  # an empty file, or one that is no file
            return stream.read()


def is_one_stack(inputs: Sequence[str]) -> bool:
    """Whether the only input is a file that says it is a stack; standard input tells only when it is read.

    Raises:
        OSError: it cannot be read.
    """
    if len(inputs) != 1 or not Path(inputs[0]).is_file():
        return False
    with Path(inputs[0]).open("rb") as stream:
        return signature.is_stack(stream.read(4))


def settle_stdout() -> None:
    """Drop output that standard output no longer takes: the interpreter would complain of it again at its end."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _stdin() -> BinaryIO:
    if not sys.stdin:
        raise PixzipError("standard input is closed")
    return sys.stdin.buffer


def is_terminal() -> bool:
    """Whether standard error is one."""
    return bool(sys.stderr) and sys.stderr.isatty()
