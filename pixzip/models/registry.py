"""The known architectures by wire name, and reading of their weights files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from numpy.typing import NDArray
from pixcodecs import forking
from pixcodecs.errors import ModelMismatchError
from safetensors import SafetensorError, safe_open

from pixzip.models.base import Model
from pixzip.models.family import weights as family_weights
from pixzip.models.family.architectures import FAMILY
from pixzip.models.family.weights import FixedWeights
from pixzip.models.wavefront import network
from pixzip.models.wavefront import weights as wavefront_weights
from pixzip.models.wavefront.weights import IntegerWeights

MAX_FILE_BYTES = 64 << 20

# PyTorch's threads are those of OpenMP, which a forked child would wait for.
forking.in_children(lambda: torch.set_num_threads(1))


class Architecture(NamedTuple):
    """The meaning of a wire name.

    Attributes:
        parse: (path, wire name, metadata, tensors) of a weights file -> a checked model; raises ModelMismatchError.
        engines: device -> "module:class" of the `Engine` for its models, imported at first use: models know no engines.
    """

    parse: Callable[[Path, str, Mapping[str, str], dict[str, NDArray[Any]]], Model]
    engines: Mapping[str, str]


_WAVEFRONT = Architecture(
    wavefront_weights.parse,
    {
        "cpu": "pixzip.engine.wavefront:WavefrontEngine",
        "cuda": "pixzip.engine.backends.cuda.engine:DeviceEngine",
    },
)
_FAMILY = Architecture(family_weights.parse, dict.fromkeys(("cpu", "cuda"), "pixzip.engine.family:FamilyEngine"))

ARCHITECTURES: dict[str, Architecture] = {
    **dict.fromkeys(network.ARCHITECTURES, _WAVEFRONT),
    **dict.fromkeys(FAMILY, _FAMILY),
}


def load(path: Path) -> Model:
    """Read and check a weights file.

    Raises:
        ModelMismatchError: the file cannot be read, or its architecture refuses it.
    """
    name, meta, tensors = _read(path)
    if name not in ARCHITECTURES:
        raise ModelMismatchError(f"{path} has architecture {name!r}, expected one of {sorted(ARCHITECTURES)}")
    return ARCHITECTURES[name].parse(path, name, meta, tensors)


def load_family(path: Path) -> FixedWeights:
    """`load` a family model.

    Raises:
        ModelMismatchError: the file cannot be read, or holds another kind of model.
    """
    return cast(FixedWeights, _load_of(path, list(FAMILY)))


def load_wavefront(path: Path) -> IntegerWeights:
    """`load` a wavefront model.

    Raises:
        ModelMismatchError: the file cannot be read, or holds another kind of model.
    """
    return cast(IntegerWeights, _load_of(path, list(network.ARCHITECTURES)))


def _load_of(path: Path, names: list[str]) -> Model:
    found = load(path)
    if found.architecture not in names:
        raise ModelMismatchError(f"{path} is {found.architecture}, expected one of {sorted(names)}")
    return found


def _read(path: Path) -> tuple[str, dict[str, str], dict[str, NDArray[Any]]]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ModelMismatchError(f"{path} has {path.stat().st_size} bytes, more than {MAX_FILE_BYTES}")
        with safe_open(path, "numpy") as f:
            meta = f.metadata() or {}
            tensors = {name: f.get_tensor(name) for name in f.keys()}  # noqa: SIM118 (not a dict)
    except FileNotFoundError:
        raise ModelMismatchError(f"no model file at {path}") from None
    except (SafetensorError, OSError, TypeError, ValueError, KeyError) as e:
        raise ModelMismatchError(f"{path} is not a weights file: {e}") from None
    return meta.get("architecture", ""), meta, tensors
