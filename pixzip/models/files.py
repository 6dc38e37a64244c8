"""Read weights files: safetensors of integers, which may be hostile, as they are or in a model file.

Everything is bounded before it is read, and every error of the library becomes a `ModelMismatchError`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pixcodecs.container import models
from pixcodecs.errors import BitstreamError, ModelMismatchError
from safetensors import SafetensorError, deserialize

from pixzip.models.sizes import said

MAX_FILE_BYTES = 64 << 20
#: Most bytes of names, shapes and metadata; a network of a thousand layers has some 500,000.
MAX_HEADER_BYTES = 4 << 20
#: Most dimensions of a tensor.
_MOST_AXES = 4
#: Type of a tensor in a file -> dtype.
_DTYPES = {"I8": "int8", "I16": "<i2", "I32": "<i4"}
_LENGTH_BYTES = 8


def read(path: Path) -> bytes:
    """The bytes of a weights file or of a model file, at most one more than is allowed.

    The file is read once, from its start to its end, so that it may be a pipe.

    Raises:
        ModelMismatchError: the file cannot be read.
    """
    try:
        with path.open("rb") as f:
            return f.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise ModelMismatchError(f"no model file at {path}") from None
    except (OSError, ValueError) as e:
        raise ModelMismatchError(f"{path} is not a weights file: {getattr(e, 'strerror', None) or e}") from None


def body(data: bytes, name: str) -> tuple[bytes, bytes]:
    """The id and the packed weights in a model file.

    Args:
        name: of the file, for an error.
    Raises:
        ModelMismatchError: the file is damaged or too large.
    """
    try:
        return models.read_file(data)
    except BitstreamError as e:
        raise ModelMismatchError(f"{name} is not a model file: {e}") from None


def unpacked(packed: bytes, name: str) -> bytes:
    """The weights in a model file.

    Raises:
        ModelMismatchError: they are damaged or too large.
    """
    try:
        return models.unpack(packed, models.MAX_BYTES, name)
    except BitstreamError as e:
        raise ModelMismatchError(str(e)) from None


def parse(data: bytes, name: str) -> tuple[dict[str, str], dict[str, NDArray[Any]]]:
    """The metadata, and the tensors by name, of a weights file.

    Args:
        name: of the file, for an error.
    Raises:
        ModelMismatchError: it is too large, or is not safetensors of integers.
    """
    try:
        return _parse(data)
    except (SafetensorError, ValueError, RecursionError) as e:
        raise ModelMismatchError(f"{name} is not a weights file: {_in_short(e)}") from None


def _parse(data: bytes) -> tuple[dict[str, str], dict[str, NDArray[Any]]]:
    """
    Raises:
        SafetensorError, ValueError, RecursionError: the file is damaged, or holds other tensors than integers.
    """
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"it has more than {MAX_FILE_BYTES} bytes")
    header_bytes = int.from_bytes(data[:_LENGTH_BYTES], "little")
    if header_bytes > MAX_HEADER_BYTES:
        raise ValueError(f"it declares a header of {header_bytes} bytes, more than {MAX_HEADER_BYTES}")
    tensors: dict[str, NDArray[Any]] = {}
    for name, tensor in deserialize(data):  # type: ignore[no-untyped-call]
        dtype, shape = tensor["dtype"], tensor["shape"]
        if dtype not in _DTYPES or len(shape) > _MOST_AXES or 0 in shape:
            expected = f"{' or '.join(_DTYPES)} of up to {_MOST_AXES} axes, none of them empty"
            raise ValueError(f"tensor {said(name)} is {dtype} {said(shape)}, expected {expected}")
        tensors[name] = np.frombuffer(tensor["data"], _DTYPES[dtype]).reshape(shape)
    # the library does not return the metadata of bytes in memory, but it has checked that they are texts
    header = json.loads(data[_LENGTH_BYTES : _LENGTH_BYTES + header_bytes].decode())
    return header.get("__metadata__") or {}, tensors


def _in_short(error: Exception) -> str:
    """The text of an error, which may quote the file."""
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else f"{text[:197]}..."
