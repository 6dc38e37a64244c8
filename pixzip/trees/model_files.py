"""Model files of a tree: each model once, in the folder that holds all outputs, before the first that refers to it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from pixcodecs.container import references, signature
from pixcodecs.container.signature import Buffer
from pixcodecs.errors import ModelMismatchError, PixzipError

from pixzip.codec import Opening, carried
from pixzip.codec.carried import Carrying
from pixzip.codec.pages import PagesOpening
from pixzip.io import files, stores
from pixzip.io.buffers import FileBuffer
from pixzip.models import files as weights
from pixzip.models import registry
from pixzip.models.base import Model


class ModelFiles:
    """Sees every output before it is written."""

    def __init__(self, roots: Sequence[str], model_by_id: Callable[[bytes], Model], force: bool) -> None:
        """
        Args:
            roots: paths and URLs of folders of outputs; an output in none of them has its model file beside it.
            model_by_id: gives the models that coded the outputs.
            force: whether a file that is in the way is overwritten.
        """
        self._roots = sorted({files.prefix(_absolute(root)) for root in roots}, key=len, reverse=True)
        self._model_by_id, self._force = model_by_id, force
        self._there: set[str] = set()

    def before(self, output: bytes | BinaryIO, target: str) -> int:
        """Write the model files that an output refers to; return the bytes of the models that it embeds.

        Args:
            output: a `.pxz` file of images.
            target: its path or URL.
        Raises:
            PixzipError: another file is in the way.
            OSError: a model file cannot be written.
        """
        given = _carrying(output).given
        for model_id in (model_id for model_id, packed in given.items() if packed is None):
            place = self._folder(target) + references.file_name(model_id)
            if place not in self._there:
                _write(place, self._model_by_id(model_id), self._force)
                self._there.add(place)
        return sum(len(packed) for packed in given.values() if packed)

    def _folder(self, target: str) -> str:
        """The start of the paths or URLs in the innermost root that holds an output."""
        place = _absolute(target)
        beside = place.rpartition("/")[0] + "/" if stores.is_url(place) else files.prefix(str(Path(place).parent))
        return next((root for root in self._roots if place.startswith(root)), beside)


def _carrying(output: bytes | BinaryIO) -> Carrying:
    if isinstance(output, bytes):
        file: Buffer = output
    else:
        output.flush()
        file = FileBuffer(output.fileno())
    return (PagesOpening(file, None) if signature.is_pages(file) else Opening(file, None)).carrying


def _absolute(place: str) -> str:
    return place if stores.is_url(place) else str(Path(place).absolute())


def _write(place: str, model: Model, force: bool) -> None:
    """Write a model file, unless it is there."""
    if _is_there(place, model):
        return
    try:
        files.write(place, carried.file_of(model), force, make=True)
    except PixzipError:
        if not _is_there(place, model):  # else another process has written it meanwhile
            raise


def _is_there(place: str, model: Model) -> bool:
    """Whether a path or URL has a whole model file of a model.

    Raises:
        PixzipError, OSError: a store does not answer.
    """
    try:
        if stores.is_url(place):
            _, packed = weights.body(stores.head(place, weights.MAX_FILE_BYTES + 1), place)
            return registry.parse(weights.unpacked(packed, place), place).digest == model.digest
        return Path(place).is_file() and registry.load(Path(place)).digest == model.digest
    except (ModelMismatchError, FileNotFoundError):
        return False
