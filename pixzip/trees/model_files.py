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
from pixzip.io import files
from pixzip.io.buffers import FileBuffer
from pixzip.models import registry
from pixzip.models.base import Model


class ModelFiles:
    """Sees every output before it is written."""

    def __init__(self, roots: Sequence[str], model_by_id: Callable[[bytes], Model], force: bool) -> None:
        """
        Args:
            roots: folders of outputs; an output in none of them has its model file beside it.
            model_by_id: gives the models that coded the outputs.
            force: whether a file that is in the way is overwritten.
        """
        absolute = {Path(root).absolute() for root in roots}
        self._roots = sorted(absolute, key=lambda root: len(root.parts), reverse=True)
        self._model_by_id, self._force = model_by_id, force
        self._there: set[Path] = set()

    def before(self, output: bytes | BinaryIO, target: str) -> int:
        """Write the model files that an output refers to; return the bytes of the models that it embeds.

        Args:
            output: a `.pxz` file of images.
            target: its path.
        Raises:
            PixzipError: another file is in the way.
            OSError: a model file cannot be written.
        """
        given = _carrying(output).given
        for model_id in (model_id for model_id, packed in given.items() if packed is None):
            path = self._folder(target) / references.file_name(model_id)
            if path not in self._there:
                _write(path, self._model_by_id(model_id), self._force)
                self._there.add(path)
        return sum(len(packed) for packed in given.values() if packed)

    def _folder(self, target: str) -> Path:
        """The innermost root that holds an output."""
        path = Path(target).absolute()
        return next((root for root in self._roots if path.is_relative_to(root)), path.parent)


def _carrying(output: bytes | BinaryIO) -> Carrying:
    if isinstance(output, bytes):
        file: Buffer = output
    else:
        output.flush()
        file = FileBuffer(output.fileno())
    return (PagesOpening(file, None) if signature.is_pages(file) else Opening(file, None)).carrying


def _write(path: Path, model: Model, force: bool) -> None:
    """Write a model file, unless it is there."""
    if _is_there(path, model):
        return
    try:
        files.write(str(path), carried.file_of(model), force, make=True)
    except PixzipError:
        if not _is_there(path, model):  # else another process has written it meanwhile
            raise


def _is_there(path: Path, model: Model) -> bool:
    """Whether a file is a whole model file of a model."""
    if not path.is_file():
        return False
    try:
        return registry.load(path).digest == model.digest
    except ModelMismatchError:
        return False
