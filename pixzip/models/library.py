"""Finding models: by name, by path, and by the id that a file gives.

Shipped models are the files of `weights/`: `NAME.safetensors` for RGB, `NAME-grey.safetensors` for grey.
`retired/` has earlier weights of these names, by their ids, for files that were written with them and for nothing else.
Local ones are such files in the folders that `PIXZIP_MODELS` lists, as `PATH` does; a shipped name stays what it is.
NumPy is imported when a model is loaded, for names are also what a shell completes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from pixcodecs.errors import ModelMismatchError

if TYPE_CHECKING:
    from pixzip.models import base

WEIGHTS = Path(__file__).parents[1] / "weights"
SUFFIX = ".safetensors"
DEFAULT = "base"
GRAPHICS = "graphics"
#: Beside the weights, what is known of shipped models besides, by id: `bench/card.py` writes it.
CARD = "models.json"
#: The environment's list of folders with models of one's own.
FOLDERS = "PIXZIP_MODELS"

_KINDS = {1: "grey", 3: "RGB"}


@dataclass(frozen=True)
class NamedModel:
    """A model that has a name, and where its weights are."""

    name: str
    path: Path
    model: base.Model


@lru_cache(maxsize=16)
def _load(path: Path, modified_ns: int, size_bytes: int) -> base.Model:
    from pixzip.models import registry

    return registry.load(path)


def load(path: Path) -> base.Model:
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
    return _paths(WEIGHTS)


def retired_paths() -> dict[str, Path]:
    """NAME-ID -> weights that a shipped model of that name once had."""
    return _paths(WEIGHTS / "retired")


def local_paths() -> dict[str, Path]:
    """Name -> weights file in the folders of `PIXZIP_MODELS`, the first of each name, shipped names left out."""
    found: dict[str, Path] = {}
    for folder in os.environ.get(FOLDERS, "").split(os.pathsep):
        for name, path in _paths(Path(folder).expanduser()).items() if folder else ():
            found.setdefault(name, path)
    return {name: path for name, path in found.items() if name not in shipped_paths()}


def _paths(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"), key=lambda p: p.stem)}


def known_paths() -> dict[str, Path]:
    """Name -> weights file of all models that have names."""
    return shipped_paths() | local_paths()


def list_models() -> list[NamedModel]:
    """Every shipped model."""
    return [NamedModel(name, path, load(path)) for name, path in shipped_paths().items()]


def local_models() -> tuple[list[NamedModel], list[ModelMismatchError]]:
    """Every local model, and what is wrong with the files that are none."""
    models, errors = [], []
    for name, path in local_paths().items():
        try:
            models.append(NamedModel(name, path, load(path)))
        except ModelMismatchError as e:
            errors.append(e)
    return models, errors


def _retired_models() -> list[NamedModel]:
    return [NamedModel(name, path, load(path)) for name, path in retired_paths().items()]


def name_of(model_id: bytes) -> str | None:
    """The shipped, retired or local model with an id, if there is one."""
    for models in (list_models, _retired_models, lambda: local_models()[0]):  # without need the last are not read
        for named in models():
            if named.model.model_id == model_id:
                return named.name
    return None


def path_of(name_or_path: str) -> Path:
    """Where a model's weights are, or would be."""
    return known_paths().get(name_or_path, Path(name_or_path))


def resolve(name_or_path: str, channels: int) -> base.Model:
    """The model to code images of 1 or 3 channels with.

    Args:
        name_or_path: the name of a shipped or local model, or where a weights file is.
    Raises:
        ModelMismatchError: there is none, or it is for other images.
    """
    known = known_paths()
    kind = _KINDS[channels]
    if name_or_path in known or name_or_path == DEFAULT:
        name = name_or_path if channels == 3 else f"{name_or_path}-grey"
        if name_or_path in known and channels == load(known[name_or_path]).channels:
            name = name_or_path
        if channels == 1 and name not in known:
            name = f"{DEFAULT}-grey"  # one grey model serves all names
        if name not in known:
            raise ModelMismatchError(f"model {name_or_path} has no weights for {kind} images: pass --model PATH")
        model = load(known[name])
    elif not Path(name_or_path).exists():
        names = ", ".join(known) or "none"
        raise ModelMismatchError(f"no model {name_or_path!r}: here are {names}; or give a weights file's path")
    else:
        model = load(Path(name_or_path))
    found = model.channels
    if found != channels:
        raise ModelMismatchError(f"model {name_or_path} is for {_KINDS[found]} images, this one is {kind}")
    return model


def find(name_or_path: str) -> base.Model:
    """A model by name or path, whatever images it is for.

    Raises:
        ModelMismatchError: there is none.
    """
    path = path_of(name_or_path)
    if not path.exists():
        names = ", ".join(known_paths()) or "none"
        raise ModelMismatchError(f"no model {name_or_path!r}: here are {names}; or give a weights file's path")
    return load(path)


def graphics_beside(name_or_path: str) -> Callable[[int], base.Model] | None:
    """Number of channels -> the model for drawings that is tried beside a shipped one; None beside others."""
    shipped = shipped_paths()
    drawings = {GRAPHICS, f"{GRAPHICS}-grey"}
    if name_or_path not in shipped or name_or_path in drawings or not drawings <= shipped.keys():
        return None
    return partial(resolve, GRAPHICS)


def by_id(model_id: bytes, extra: Sequence[Path] = ()) -> base.Model:
    """The model that a file names.

    Args:
        extra: weights files to look at besides the shipped and local ones.
    Raises:
        ModelMismatchError: none of them has this id, or one of `extra` cannot be read.
    """
    for path in (*extra, *shipped_paths().values(), *retired_paths().values()):
        model = load(path)
        if model.model_id == model_id:
            return model
    for named in local_models()[0]:  # a file there that is no model is no matter here
        if named.model.model_id == model_id:
            return named.model
    given = ", ".join(load(path).model_id.hex() for path in extra)
    raise ModelMismatchError(
        f"file needs model {model_id.hex()}, which is not here"
        + (f" (--model gives {given})" if given else "")
        + ": update pixzip or pass --model PATH"
    )


def with_model(name_or_path: str) -> Callable[[bytes], base.Model]:
    """`by_id`, which looks at these weights too, wherever they are."""
    return partial(by_id, extra=[] if name_or_path in known_paths() else [Path(name_or_path)])
