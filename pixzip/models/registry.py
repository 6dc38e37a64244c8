"""Weights files of any architecture."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from pixcodecs.errors import ModelMismatchError
from safetensors import SafetensorError, safe_open

from pixzip.models.family import weights as family_weights
from pixzip.models.family.architectures import FAMILY
from pixzip.models.family.weights import FixedWeights
from pixzip.models.wavefront import weights
from pixzip.models.wavefront.network import ARCHITECTURES
from pixzip.models.wavefront.weights import IntegerWeights

MAX_FILE_BYTES = 64 << 20
#: A model as files name it.
Weights = IntegerWeights | FixedWeights


def load(path: Path) -> Weights:
    """Read and check a weights file.

    Raises:
        ModelMismatchError: it cannot be read, or its architecture refuses it.
    """
    architecture, meta, tensors = _read(path)
    if architecture in ARCHITECTURES:
        return weights.parse(path, architecture, meta, tensors)
    if architecture in FAMILY:
        return family_weights.parse(architecture, meta, tensors)
    known = sorted([*ARCHITECTURES, *FAMILY])
    raise ModelMismatchError(f"{path} has architecture {architecture!r}, expected one of {known}")


def load_family(path: Path) -> FixedWeights:
    """`load` of a family model.

    Raises:
        ModelMismatchError: it is another one.
    """
    found = load(path)
    if not isinstance(found, FixedWeights):
        raise ModelMismatchError(f"{path} is {found.architecture}, expected one of {sorted(FAMILY)}")
    return found


def load_wavefront(path: Path) -> IntegerWeights:
    """`load` of a wavefront model.

    Raises:
        ModelMismatchError: it is another one.
    """
    found = load(path)
    if not isinstance(found, IntegerWeights):
        raise ModelMismatchError(f"{path} is {found.architecture}, expected one of {sorted(ARCHITECTURES)}")
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
