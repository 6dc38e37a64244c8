"""The known architectures by wire name, and reading of their weights files."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from pixcodecs.container.signature import is_model
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
    """Read and check a weights file, or a model file.

    Raises:
        ModelMismatchError: the file cannot be read, its architecture refuses it, or it holds another model
            than it says.
    """
    data, name = files.read(path), str(path)
    if not is_model(data):
        return parse(data, name)
    model_id, packed = files.body(data, name)
    model = parse(files.unpacked(packed, name), name)
    check_id(model, model_id, name)
    return model


def parse(data: bytes, name: str, admit: Callable[[str], None] = lambda architecture: None) -> Model:
    """Check the bytes of a weights file.

    Args:
        name: of the file, for errors.
        admit: called with the architecture before its own checks, which may import PyTorch; raises an error.
    Raises:
        ModelMismatchError: it is no weights file, or its architecture refuses it.
    """
    meta, tensors = files.parse(data, name)
    architecture = meta.get("architecture", "")
    try:
        if architecture not in ARCHITECTURES:
            expected = ", ".join(sorted(ARCHITECTURES))
            raise ValueError(f"architecture is {said(architecture)}, expected one of {expected}")
        admit(architecture)
        parsed = named(ARCHITECTURES[architecture].parse, ARCHITECTURES[architecture].needs)
        return cast(Model, parsed(architecture, meta, tensors))
    except ValueError as e:
        raise ModelMismatchError(f"{name} has damaged metadata: {e}") from None
    except ModelMismatchError as e:
        raise ModelMismatchError(f"{name}: {e}") from None


def check_id(model: Model, model_id: bytes, name: str) -> None:
    """
    Args:
        name: of the model's file.
    Raises:
        ModelMismatchError: the model has another id.
    """
    if model.model_id != model_id:
        raise ModelMismatchError(f"{name} should be model {model_id.hex()}, its weights are of {model.model_id.hex()}")


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
