"""A data set of PyTorch over a stack, or over the `.pxz` files in a folder, which a data loader's workers decode."""

from collections.abc import Callable, Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pixcodecs.container import references, stack
from pixcodecs.container.limits import MAX_PIXELS
from pixcodecs.errors import PixzipError
from pixcodecs.forking import cached_property
from torch.utils.data import Dataset

from pixzip.api import Codec
from pixzip.codec.beside import AnyFolder
from pixzip.image.sources import walk
from pixzip.io import arguments, heads, stores, streams

SUFFIX = ".pxz"


def _is_image(path: PurePath) -> bool:
    return path.suffix.lower() == SUFFIX and not references.is_file_name(path.name)


class Images(Dataset[Any]):
    """Images as arrays of shape (H, W) or (H, W, C), uint8 or uint16, or as what a transform makes of them.

    Each process decodes what it is asked for: images of a folder one by one, those of a batch together where the loader
    asks for batches (`__getitems__`).  A stack is one stream, so that each process decodes it once, at its first image,
    and keeps it; a process that was forked later shares it.  Objects are pickled without what they have decoded.

    Attributes:
        names: the path of each image below the folder, or its name in the stack, which may have none.
    """

    names: tuple[str, ...]

    def __init__(
        self,
        place: str | Path,
        transform: Callable[[NDArray[Any]], Any] | None = None,
        *,
        model: str | Path | None = None,
        max_pixels: int | None = MAX_PIXELS,
    ) -> None:
        """
        Args:
            place: path or URL of a stack, or of a folder, of whose files, and those below, `.pxz` files count.
            transform: called with each array; has to be picklable for workers that are spawned.
            model: weights file of the images' model, if it is not a shipped one.
            max_pixels: refuse larger images, or stacks of more pixels in all; None lifts the limit.
        Raises:
            PixzipError: there are no `.pxz` files.
            BitstreamError: the stack's header is damaged, or declares more pixels.
            OSError: the place cannot be read.
        """
        self.place, self.transform = stores.plain(arguments.text(place, "place")), transform
        self.model, self.max_pixels = None if model is None else arguments.text(model, "model"), max_pixels
        self._files = self._below()
        self.names, self._count = tuple(self._files), len(self._files)
        if not self._files:
            data = b"" if Path(self.place).is_dir() else self._read(self.place)
            if not stack.is_stack(data):
                raise PixzipError(f"{self.place} is no stack, and no folder with {SUFFIX} files")
            header = stack.read_header(data, max_pixels)
            self.names, self._count = header.names, header.images

    def _below(self) -> dict[str, str]:
        """Path below the folder -> path or URL of each file; {} if the place is no folder."""
        if stores.is_url(self.place):
            found = stores.below(self.place)
            return {file.inner: file.url for file in found if _is_image(Path(file.inner))}
        folder = Path(self.place)
        if not folder.is_dir():
            return {}
        return {path.as_posix(): str(folder / path) for path in walk(folder, _is_image)}

    @staticmethod
    def _read(place: str) -> bytes:
        return stores.read(place) if stores.is_url(place) else Path(place).read_bytes()

    def _read_all(self, places: list[str]) -> list[bytes]:
        """Files; those in a store are asked for together."""
        if not stores.is_url(self.place):
            return [self._read(place) for place in places]
        found = heads.read(places, None)
        for data in found:
            if isinstance(data, OSError):
                raise data
        return [data for data in found if isinstance(data, bytes)]

    def _folder(self, name: str) -> AnyFolder | None:
        """The folder of a file, where its model file may be."""
        return streams.folder_of(self._files[name])

    @cached_property
    def _codec(self) -> Codec:
        return Codec(self.model, "cpu", max_pixels=self.max_pixels)

    @cached_property
    def _stack(self) -> Any:
        return self._codec.decode_stack(self._read(self.place))

    def __getstate__(self) -> dict[str, Any]:
        decoded = {"_codec", "_stack"}
        return {name: value for name, value in self.__dict__.items() if name not in decoded}

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Any:
        """An image.

        Raises:
            IndexError: there is no such image.
            BitstreamError, ModelMismatchError: it cannot be decoded; its name is in the message.
            OSError: it cannot be read.
        """
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Images, decoded together; see `__getitem__`."""
        if not self._files:
            arrays: list[NDArray[Any]] = [np.array(self._stack.images[index]) for index in indices]
        else:
            names = [self.names[index] for index in indices]
            data = self._read_all([self._files[name] for name in names])
            try:
                arrays = self._codec.decode_batch(data, [self._folder(name) for name in names])
            except PixzipError:
                arrays = [self._alone(name, file) for name, file in zip(names, data, strict=True)]
        return arrays if self.transform is None else [self.transform(array) for array in arrays]

    def _alone(self, name: str, data: bytes) -> NDArray[Any]:
        """`decode`, with the name in the error."""
        try:
            return self._codec.decode_batch([data], [self._folder(name)])[0]
        except PixzipError as e:
            raise type(e)(f"{name}: {e}") from e
