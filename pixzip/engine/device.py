"""Devices, and the cached engines on them."""

from functools import lru_cache
from importlib import import_module

from pixcodecs import forking
from pixcodecs.errors import PixzipError

from pixzip.engine.base import Engine
from pixzip.models.base import Model
from pixzip.models.registry import ARCHITECTURES

#: Encloses the making of engines: modules are imported, kernels compiled, and libraries used for the first time.
_MAKING = forking.Guard()


def resolve_device(name: str = "auto") -> str:
    """The device's name for PyTorch: "auto" takes CUDA if there is a CUDA device.

    A forked child cannot use CUDA if its parent has.

    Raises:
        PixzipError: CUDA is requested but not available.
    """
    import torch

    if name not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device is {name!r}, expected auto, cpu or cuda")
    if name == "cpu":
        return name
    if torch.cuda._is_in_bad_fork():
        if name == "cuda":
            raise PixzipError("device cuda asked for in a forked process, whose parent uses it: start it by spawn")
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    if name == "cuda":
        raise PixzipError("device cuda asked for, but there is no CUDA device here: use --device cpu")
    return "cpu"


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
    module, _, name = ARCHITECTURES[model.architecture].engines[device].partition(":")
    found: type[Engine] = getattr(import_module(module), name)
    return found


@lru_cache(maxsize=4)
def _engine(key: _ByDigest, known_answer: str, device: str) -> Engine:
    return engine_class(key.model, device)(key.model, device)


def engine(model: Model, device: str) -> Engine:
    """The cached engine of a model on a device, named as for `resolve_device`."""
    with _MAKING:
        return _engine(_ByDigest(model), model.known_answer, resolve_device(device))
