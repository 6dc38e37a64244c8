"""Find models by name, by path, or by the id in a file.

Shipped models are the files in `weights/`: `NAME.safetensors` for RGB, `NAME-grey.safetensors` for grey.
`retired/` has earlier weights of these names by id, only for files that were written with them.  `family/` has small
models of the PixelRNN family; they need PyTorch, so what must not load them reads their card.  Local models are
such files in the folders listed in `PIXZIP_MODELS`, in the format of `PATH`; they cannot replace shipped names.
NumPy is imported only when a model is loaded, because shells complete the names.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pixcodecs import forking
from pixcodecs.errors import ModelMismatchError

if TYPE_CHECKING:
    from pixzip.models import base

WEIGHTS = Path(__file__).parents[1] / "weights"
SUFFIX = ".safetensors"
DEFAULT = "base"
GRAPHICS = "graphics"
#: File beside the weights with further facts on shipped models, by id; written by `bench/card.py`.
CARD = "models.json"
#: Folder of the shipped models of the PixelRNN family, with a card of its own.
FAMILY = "family"
#: Environment variable that lists the folders of local models.
FOLDERS = "PIXZIP_MODELS"

_KINDS = {1: "grey", 3: "RGB"}


@dataclass(frozen=True)
class NamedModel:
    """A model with its name and the path of its weights."""

    name: str
    path: Path
    model: base.Model


class Unread(NamedTuple):
    """A file in a folder of local models that is no model, and why."""

    name: str
    path: Path
    error: ModelMismatchError


@lru_cache(maxsize=16)
def _load(path: Path, *state: int) -> base.Model:
    from pixzip.models import registry

    return registry.load(path)


@cache
def _read_once(path: Path, device: int, inode: int) -> base.Model | ModelMismatchError:
    """The weights in a pipe or device, which can be read only once, or the error that they raised."""
    from pixzip.models import registry

    try:
        return registry.load(path)
    except ModelMismatchError as e:
        return e


def load(path: Path) -> base.Model:
    """The weights in a file, cached until the file changes; a pipe is read once.

    Raises:
        ModelMismatchError: there is no such file, or it is not a weights file.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as e:
        raise ModelMismatchError(f"no model file at {path}: {getattr(e, 'strerror', None) or e}") from None
    with forking.shielded:
        if stat.S_ISREG(found.st_mode):
            return _load(path.absolute(), found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)
        once = _read_once(path.absolute(), found.st_dev, found.st_ino)
    if isinstance(once, ModelMismatchError):
        raise once
    return once


def _exists(path: Path) -> bool:
    """Whether there is a file; never true of a name that no file can have."""
    try:
        path.stat()
    except (OSError, ValueError):
        return False
    return True


def shipped_paths() -> dict[str, Path]:
    """Name -> weights file of shipped models, sorted; grey models have their own names."""
    return _paths(WEIGHTS)


def retired_paths() -> dict[str, Path]:
    """NAME-ID -> earlier weights of the shipped model NAME."""
    return _paths(WEIGHTS / "retired")


def family_paths() -> dict[str, Path]:
    """Name -> weights file of the shipped models of the PixelRNN family, sorted."""
    return _paths(WEIGHTS / FAMILY)


def card(folder: str = "") -> dict[str, dict[str, Any]]:
    """The facts on shipped models by id, in hexadecimal; empty where there is no card.

    Args:
        folder: `FAMILY`, or "" for the models of photographs and drawings.
    """
    path = WEIGHTS / folder / CARD
    found: dict[str, dict[str, Any]] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


def _of_family(model_id: bytes) -> str | None:
    """The name of the shipped model of the family with an id; no weights are read."""
    name = card(FAMILY).get(model_id.hex(), {}).get("name")
    return name if name in family_paths() else None


def local_paths() -> dict[str, Path]:
    """Name -> weights file in the folders of `PIXZIP_MODELS`: the first of each name, without shipped names."""
    found: dict[str, Path] = {}
    for folder in _local_folders():
        for name, path in _paths(folder).items():
            found.setdefault(name, path)
    return {name: path for name, path in found.items() if name not in shipped_paths() | family_paths()}


def _local_folders() -> list[Path]:
    """The folders that `PIXZIP_MODELS` lists, whether or not they exist; the home of an unknown user does not."""
    listed = os.environ.get(FOLDERS, "").split(os.pathsep)
    return [Path(os.path.expanduser(folder)) for folder in listed if folder]  # noqa: PTH111 (Path's raises)


def missing_folders() -> list[Path]:
    """The folders that `PIXZIP_MODELS` lists but that do not exist."""
    return [folder for folder in _local_folders() if not os.path.isdir(folder)]  # noqa: PTH112 (see `_paths`)


def _paths(folder: Path) -> dict[str, Path]:
    if not os.path.isdir(folder):  # noqa: PTH112 (Path's raises for names that cannot be)
        return {}
    found = sorted(folder.glob(f"*{SUFFIX}"), key=lambda p: p.stem)
    return {path.stem: path for path in found if not path.is_fifo()}  # a pipe would wait for its writer


def is_own(name_or_path: str) -> bool:
    """Whether a name or path stands for a model that is not shipped."""
    return name_or_path != DEFAULT and name_or_path not in shipped_paths() | family_paths()


def known_paths() -> dict[str, Path]:
    """Name -> weights file of all named models."""
    return shipped_paths() | family_paths() | local_paths()


def list_models() -> list[NamedModel]:
    """All shipped models except those of the family."""
    return [NamedModel(name, path, load(path)) for name, path in shipped_paths().items()]


def local_models() -> tuple[list[NamedModel], list[Unread]]:
    """All local models, and the files that are no models."""
    models, unread = [], []
    for name, path in local_paths().items():
        try:
            models.append(NamedModel(name, path, load(path)))
        except ModelMismatchError as e:
            unread.append(Unread(name, path, e))
    return models, unread


def _retired_models() -> list[NamedModel]:
    return [NamedModel(name, path, load(path)) for name, path in retired_paths().items()]


def name_of(model_id: bytes) -> str | None:
    """The name of the shipped, retired or local model with an id; None if there is none."""
    if (family := _of_family(model_id)) is not None:
        return family
    for models in (list_models, _retired_models, lambda: local_models()[0]):  # local models are read only if needed
        for named in models():
            if named.model.model_id == model_id:
                return named.name
    return None


def path_of(name_or_path: str) -> Path:
    """The path of a model's weights, which may not exist."""
    return known_paths().get(name_or_path, Path(name_or_path))


def resolve(name_or_path: str, channels: int) -> base.Model:
    """The model for images of 1 or 3 channels.

    Args:
        name_or_path: name of a shipped or local model, or path of a weights file.
    Raises:
        ModelMismatchError: there is no such model, or it is for other images.
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
    elif not _exists(Path(name_or_path)):
        names = ", ".join(known) or "none"
        raise ModelMismatchError(f"no model {name_or_path!r}: here are {names}; or give a weights file's path")
    else:
        model = load(Path(name_or_path))
    found = model.channels
    if found != channels:
        raise ModelMismatchError(f"model {name_or_path} is for {_KINDS[found]} images, this one is {kind}")
    return model


def find(name_or_path: str) -> base.Model:
    """A model by name or path, for any images.

    Raises:
        ModelMismatchError: there is no such model.
    """
    path = path_of(name_or_path)
    if not _exists(path):
        names = ", ".join(known_paths()) or "none"
        raise ModelMismatchError(f"no model {name_or_path!r}: here are {names}; or give a weights file's path")
    return load(path)


def drawings_beside(name_or_path: str) -> Callable[[int], base.Model] | None:
    """Number of channels -> the model for drawings that is tried beside a shipped model; None for other models."""
    shipped = shipped_paths()
    drawings = {GRAPHICS, f"{GRAPHICS}-grey"}
    if name_or_path not in shipped or name_or_path in drawings or not drawings <= shipped.keys():
        return None
    return partial(resolve, GRAPHICS)


def by_id(model_id: bytes, extra: Sequence[Path] = ()) -> base.Model:
    """The model that a file names.

    Args:
        extra: weights files to search besides shipped and local models.
    Raises:
        ModelMismatchError: no model has this id, or a file of `extra` cannot be read.
    """
    family = _of_family(model_id)
    named_by_card = [family_paths()[family]] if family else []
    for path in (*extra, *named_by_card, *shipped_paths().values(), *retired_paths().values()):
        model = load(path)
        if model.model_id == model_id:
            return model
    local, unread = local_models()
    for named in local:
        if named.model.model_id == model_id:
            return named.model
    given = ", ".join(load(path).model_id.hex() for path in extra)
    raise ModelMismatchError(
        f"file needs model {model_id.hex()}, which is not here"
        + (f" (--model gives {given})" if given else "")
        + "".join(f" ({FOLDERS}: {found.error})" for found in unread[:1])
        + (f" ({len(unread) - 1} more files there are no models)" if len(unread) > 1 else "")
        + ": update pixzip or pass --model PATH"
    )


def with_model(name_or_path: str) -> Callable[[bytes], base.Model]:
    """`by_id` that also searches the given weights."""
    return partial(by_id, extra=[] if name_or_path in known_paths() else [Path(name_or_path)])
