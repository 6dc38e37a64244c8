"""The hash that names a model: SHA-256 of a canonical serialisation, `docs/format.md` section 8."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def digest(head: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """
    Args:
        head: JSON values: the architecture and its sizes.
        tensors: arrays of any dtype by name.
    """
    h = hashlib.sha256(json.dumps(head, sort_keys=True, separators=(",", ":")).encode())
    for name in sorted(tensors):
        a = np.ascontiguousarray(tensors[name])
        a = a.astype(a.dtype.newbyteorder("<"), copy=False)
        h.update(f"{name} {a.dtype.name} {list(a.shape)}\n".encode())
        h.update(a.tobytes())
    return h.digest()
