"""The known architectures by wire name, and reading of their weights files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from numpy.typing import NDArray
from pixcodecs.errors import ModelMismatchError

from pixzip.models import files
from pixzip.models.base import Model
from pixzip.models.family import weights as family_weights
from pixzip.models.family.architectures import FAMILY
from pixzip.models.family.weights import FixedWeights
from pixzip.models.sizes import said
from pixzip.models.wavefront import config
from pixzip.models.wavefront import weights as wavefront_weights
from pixzip.models.wavefront.weights import IntegerWeights


class Architecture(NamedTuple):
    """The meaning of a wire name.

    Attributes:
        parse: (wire name, metadata, tensors) of a weights file -> a checked model; raises ModelMismatchError, or
            ValueError for damaged metadata.
        engines: device -> "module:class" of the `Engine` for its models, imported at first use: models know no engines.
    """

    parse: Callable[[str, Mapping[str, str], dict[str, NDArray[Any]]], Model]
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
    **dict.fromkeys(config.ARCHITECTURES, _WAVEFRONT),
    **dict.fromkeys(FAMILY, _FAMILY),
}


def load(path: Path) -> Model:
    """Read and check a weights file.

    Raises:
        ModelMismatchError: the file cannot be read, or its architecture refuses it.
    """
    meta, tensors = files.read(path)
    name = meta.get("architecture", "")
    try:
        if name not in ARCHITECTURES:
            raise ValueError(f"architecture is {said(name)}, expected one of {', '.join(sorted(ARCHITECTURES))}")
        return ARCHITECTURES[name].parse(name, meta, tensors)
    except ValueError as e:
        raise ModelMismatchError(f"{path} has damaged metadata: {e}") from None
    except ModelMismatchError as e:
        raise ModelMismatchError(f"{path}: {e}") from None


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
    return cast(IntegerWeights, _load_of(path, list(config.ARCHITECTURES)))


def _load_of(path: Path, names: list[str]) -> Model:
    found = load(path)
    if found.architecture not in names:
        raise ModelMismatchError(f"{path} is {found.architecture}, expected one of {sorted(names)}")
    return found
