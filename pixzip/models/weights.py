"""Weights files of every architecture, and the hash that names a model (`docs/format.md`, section 8)."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pixcodecs.container.image import MODEL_ID_BYTES
from pixcodecs.forking import cached_property
from safetensors.numpy import save

#: Bytes of the length of a weights file's header, which is a multiple of it.
_LENGTH_BYTES = 8


class Weights(ABC):
    """The integer tensors of one exact model.

    Attributes:
        tensors: name -> array.
        known_answer: hex SHA-256 of the frequencies of a fixed pattern, or "" if not yet known.
        notes: free text about training, not part of the hash.
    """

    tensors: dict[str, NDArray[Any]]
    known_answer: str
    notes: str

    @property
    @abstractmethod
    def head(self) -> dict[str, Any]:
        """JSON values: "architecture" and its sizes, "config"; with the tensors, all that decides a frequency."""

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of everything that decides a frequency, in a canonical serialisation."""
        return digest(self.head, self.tensors)

    @property
    def model_id(self) -> bytes:
        """The first bytes of the digest, by which files name the model."""
        return self.digest[:MODEL_ID_BYTES]

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds per pixel if each weight is used once: an upper bound for networks with coarser parts."""
        return sum(int(a.size) for name, a in self.tensors.items() if name.endswith("weight"))

    @property
    def answers(self) -> dict[str, str]:
        """The metadata by which a machine checks its frequencies, none of it part of the digest."""
        return {"known_answer": self.known_answer}

    def to_bytes(self) -> bytes:
        """The bytes of the weights file, the same for equal models."""
        config = self.head
        meta = {"architecture": config.pop("architecture")}
        meta |= {name: json.dumps(value, sort_keys=True) for name, value in config.items()}
        meta |= self.answers | {"notes": self.notes}
        return _sorted(bytes(save({k: np.ascontiguousarray(v) for k, v in self.tensors.items()}, meta)))


def _sorted(data: bytes) -> bytes:
    """A weights file with a header of increasing names: the library writes its metadata in any order."""
    end = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")
    text = json.dumps(json.loads(data[_LENGTH_BYTES:end]), sort_keys=True, separators=(",", ":"))
    header = text.encode() + b" " * (-len(text) % _LENGTH_BYTES)
    return len(header).to_bytes(_LENGTH_BYTES, "little") + header + data[end:]


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
