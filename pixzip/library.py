"""Finding models: by name, by path, and by the id that a file gives.

Shipped models are the files of `weights/`: `NAME.safetensors` for RGB, `NAME-grey.safetensors` for grey.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from pixcodecs.errors import ModelMismatchError

from pixzip.exact.load import Weights
from pixzip.exact.load import load as load_weights

WEIGHTS = Path(__file__).parent / "weights"
SUFFIX = ".safetensors"
DEFAULT = "base"
GRAPHICS = "graphics"

_KINDS = {1: "grey", 3: "RGB"}


@dataclass(frozen=True)
class Model:
    """A shipped model."""

    name: str
    path: Path
    weights: Weights


@lru_cache(maxsize=16)
def _load(path: Path, modified_ns: int, size_bytes: int) -> Weights:
    return load_weights(path)


def load(path: Path) -> Weights:
    """Weights of a file, read once as long as it does not change.

    Raises:
        ModelMismatchError: there is no such file, or it is no weights file.
    """
    try:
        stat = path.stat()
    except OSError as e:
        raise ModelMismatchError(f"no model file at {path}: {e.strerror}") from None
    return _load(path.resolve(), stat.st_mtime_ns, stat.st_size)


def shipped_paths() -> dict[str, Path]:
    """Name -> weights file, sorted, grey ones with their own names."""
    return {path.stem: path for path in sorted(WEIGHTS.glob(f"*{SUFFIX}"), key=lambda p: p.stem)}


def list_models() -> list[Model]:
    """Every shipped model."""
    return [Model(name, path, load(path)) for name, path in shipped_paths().items()]


def name_of(model_id: bytes) -> str | None:
    """The shipped model with an id, if there is one."""
    return next((m.name for m in list_models() if m.weights.model_id == model_id), None)


def resolve(name_or_path: str, channels: int) -> Weights:
    """The model to code images of 1 or 3 channels with.

    Args:
        name_or_path: a shipped model's name, or where a weights file is.
    Raises:
        ModelMismatchError: there is none, or it is for other images.
    """
    shipped = shipped_paths()
    kind = _KINDS[channels]
    if name_or_path in shipped or name_or_path == DEFAULT:
        name = name_or_path if channels == 3 else f"{name_or_path}-grey"
        if name_or_path in shipped and channels == load(shipped[name_or_path]).config.channels:
            name = name_or_path
        if channels == 1 and name not in shipped:
            name = f"{DEFAULT}-grey"  # one grey model serves all names
        if name not in shipped:
            raise ModelMismatchError(f"model {name_or_path} has no weights for {kind} images: pass --model PATH")
        weights = load(shipped[name])
    elif not Path(name_or_path).exists():
        names = ", ".join(shipped) or "none"
        raise ModelMismatchError(f"no model {name_or_path!r}: shipped are {names}; or give a weights file's path")
    else:
        weights = load(Path(name_or_path))
    found = weights.config.channels
    if found != channels:
        raise ModelMismatchError(f"model {name_or_path} is for {_KINDS[found]} images, this one is {kind}")
    return weights


def find(name_or_path: str) -> Weights:
    """A model by name or path, whatever images it is for.

    Raises:
        ModelMismatchError: there is none.
    """
    shipped = shipped_paths()
    path = shipped.get(name_or_path, Path(name_or_path))
    if not path.exists():
        names = ", ".join(shipped) or "none"
        raise ModelMismatchError(f"no model {name_or_path!r}: shipped are {names}; or give a weights file's path")
    return load(path)


def graphics_beside(name_or_path: str) -> Callable[[int], Weights] | None:
    """Number of channels -> the model for drawings that is tried beside a shipped one; None beside others."""
    shipped = shipped_paths()
    drawings = {GRAPHICS, f"{GRAPHICS}-grey"}
    if name_or_path not in shipped or name_or_path in drawings or not drawings <= shipped.keys():
        return None
    return partial(resolve, GRAPHICS)


def by_id(model_id: bytes, extra: Sequence[Path] = ()) -> Weights:
    """The model that a file names.

    Args:
        extra: weights files to look at besides the shipped ones.
    Raises:
        ModelMismatchError: none of them has this id, or one of `extra` cannot be read.
    """
    paths = [*extra, *shipped_paths().values()]
    for path in paths:
        weights = load(path)
        if weights.model_id == model_id:
            return weights
    given = ", ".join(load(path).model_id.hex() for path in extra)
    raise ModelMismatchError(
        f"file needs model {model_id.hex()}, which is not here"
        + (f" (--model gives {given})" if given else "")
        + ": update pixzip or pass --model PATH"
    )
