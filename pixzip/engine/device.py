"""Devices, and the cached engines on them."""

import ctypes
import sys
from contextlib import suppress
from functools import lru_cache

from pixcodecs import forking
from pixcodecs.errors import PixzipError

from pixzip.engine.base import Engine
from pixzip.models.base import Model
from pixzip.models.registry import ARCHITECTURES, named


def resolve_device(name: str = "auto") -> str:
    """The device's name for PyTorch: "auto" takes CUDA if there is a CUDA device.

    A forked child cannot use CUDA if its parent has.

    Raises:
        PixzipError: CUDA is requested but not available.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device is {name!r}, expected auto, cpu or cuda")
    if name == "cpu":
        return name
    missing = _why_no_cuda()
    if not missing:
        return "cuda"
    if name == "cuda":
        raise PixzipError(f"device cuda asked for, but {missing}: use --device cpu")
    return "cpu"


def _why_no_cuda() -> str:
    """The reason why CUDA cannot be used here; "" if it can.  PyTorch is imported only where there is a driver."""
    if "torch" not in sys.modules and not _has_driver():
        return "there is no CUDA device here"
    try:
        import torch
    except ModuleNotFoundError:
        return "PyTorch is not installed (pip install torch)"
    if torch.cuda._is_in_bad_fork():
        return "this process was forked from one that uses CUDA (start it by spawn)"
    return "" if torch.cuda.is_available() else "there is no CUDA device here"


def _has_driver() -> bool:
    """Whether the library of a CUDA driver is installed."""
    for name in ("libcuda.so.1", "nvcuda.dll"):
        with suppress(OSError):
            ctypes.CDLL(name)
            return True
    return False


def coding_device(name: str = "auto") -> str:
    """Like `resolve_device`, but keeps "auto" if CUDA exists, so that each batch chooses.

    Raises:
        PixzipError: see `resolve_device`.
    """
    found = resolve_device(name)
    return "auto" if name == "auto" and found == "cuda" else found


class _ByDigest:
    """A model as a cache key: models of equal digest are equal."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def __hash__(self) -> int:
        return hash(self.model.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByDigest) and other.model.digest == self.model.digest


def engine_class(model: Model, device: str) -> type[Engine]:
    """The class of the engine that runs a model on "cpu" or "cuda"."""
    architecture = ARCHITECTURES[model.architecture]
    found: type[Engine] = named(architecture.engines[device], "torch" if device == "cuda" else architecture.needs)
    return found


@lru_cache(maxsize=4)
def _engine(key: _ByDigest, answers: tuple[tuple[str, str], ...], device: str) -> Engine:
    return engine_class(key.model, device)(key.model, device)


def engine(model: Model, device: str) -> Engine:
    """The cached engine of a model on a device, named as for `resolve_device`."""
    with forking.shielded:
        return _engine(_ByDigest(model), tuple(model.answers.items()), resolve_device(device))
