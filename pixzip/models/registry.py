"""The known architectures by wire name, and reading of their weights files."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from pixcodecs.errors import ModelMismatchError

from pixzip.models import files
from pixzip.models.base import Model
from pixzip.models.sizes import said
from pixzip.models.wavefront import config

if TYPE_CHECKING:
    from pixzip.models.family.weights import FixedWeights
    from pixzip.models.wavefront.weights import IntegerWeights


class Architecture(NamedTuple):
    """The meaning of a wire name.

    Attributes:
        parse: "module:function", (wire name, metadata, tensors) of a weights file -> a checked model; the function
            raises ModelMismatchError, or ValueError for damaged metadata.
        engines: device -> "module:class" of the `Engine` for its models: models know no engines.
        needs: extra of pixzip that its models need; "" for none.

    Modules are imported at first use, because some need PyTorch.
    """

    parse: str
    engines: Mapping[str, str]
    needs: str = ""


_WAVEFRONT = Architecture(
    "pixzip.models.wavefront.weights:parse",
    {
        "cpu": "pixzip.engine.wavefront:WavefrontEngine",
        "cuda": "pixzip.engine.backends.cuda.engine:DeviceEngine",
    },
)
_FAMILY = Architecture(
    "pixzip.models.family.weights:parse", dict.fromkeys(("cpu", "cuda"), "pixzip.engine.family:FamilyEngine"), "torch"
)
#: Wire names of the PixelRNN family, the keys of `models.family.architectures.FAMILY`.
FAMILY_NAMES = (
    "pixelcnn-1", "row-lstm-1", "diagonal-bilstm-1", "multi-scale-1", "gated-pixelcnn-1", "pixelcnn-pp-1"
)  # fmt: skip

ARCHITECTURES: dict[str, Architecture] = {
    **dict.fromkeys(config.ARCHITECTURES, _WAVEFRONT),
    **dict.fromkeys(FAMILY_NAMES, _FAMILY),
}


def named(path: str, needs: str = "") -> Any:
    """The object that "module:name" names.

    Args:
        needs: extra of pixzip without which the import may fail.
    Raises:
        ModelMismatchError: the extra is not installed.
    """
    module, _, name = path.partition(":")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as e:
        if not needs or (e.name or "").partition(".")[0] != needs:
            raise
        raise ModelMismatchError(f"this model needs {e.name}, which is not installed: pip install {e.name}") from None


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
        parse = named(ARCHITECTURES[name].parse, ARCHITECTURES[name].needs)
        return cast(Model, parse(name, meta, tensors))
    except ValueError as e:
        raise ModelMismatchError(f"{path} has damaged metadata: {e}") from None
    except ModelMismatchError as e:
        raise ModelMismatchError(f"{path}: {e}") from None


def load_family(path: Path) -> "FixedWeights":
    """`load` a family model.

    Raises:
        ModelMismatchError: the file cannot be read, or holds another kind of model.
    """
    return cast("FixedWeights", _load_of(path, list(FAMILY_NAMES)))


def load_wavefront(path: Path) -> "IntegerWeights":
    """`load` a wavefront model.

    Raises:
        ModelMismatchError: the file cannot be read, or holds another kind of model.
    """
    return cast("IntegerWeights", _load_of(path, list(config.ARCHITECTURES)))


def _load_of(path: Path, names: list[str]) -> Model:
    found = load(path)
    if found.architecture not in names:
        raise ModelMismatchError(f"{path} is {found.architecture}, expected one of {sorted(names)}")
    return found
