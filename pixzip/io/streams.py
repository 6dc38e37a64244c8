"""Inputs and the standard streams; the file name "-" stands for standard input or output."""

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
    """Read a whole input.

    Raises:
        OSError: the input cannot be read.
    """
    return _stdin().read() if name == STANDARD else Path(name).read_bytes()


def read_pxz(name: str) -> signature.Buffer:
    """Open a `.pxz` input; a file is mapped, so that only the used parts are read.

    Raises:
        BitstreamError: standard input does not start like a `.pxz` file.
        OSError: the input cannot be read.
    """
    if name == STANDARD:
        start = _stdin().read(len(signature.SIGNATURE))
        if start != signature.SIGNATURE:
            from pixcodecs.container import image as container

            container.read_header(start)  # raises the exact error without reading the rest
        return start + _stdin().read()
    with Path(name).open("rb") as stream:
        try:
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except (ValueError, OSError):  # an empty file, or not a regular file
            return stream.read()


def is_one_stack(inputs: Sequence[str]) -> bool:
    """Whether the only input is a stack file; False for standard input, which is not read in advance.

    Raises:
        OSError: the input cannot be read.
    """
    if len(inputs) != 1 or not Path(inputs[0]).is_file():
        return False
    with Path(inputs[0]).open("rb") as stream:
        return signature.is_stack(stream.read(4))


def settle_stdout() -> None:
    """Discard output that standard output no longer takes, so that the interpreter does not report it again at exit."""
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
    """Whether standard error is a terminal."""
    return bool(sys.stderr) and sys.stderr.isatty()
