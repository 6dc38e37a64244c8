"""`Codec`: a model on a device, which every function of the API makes for one call; and arrays as pictures."""

import io
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from pixcodecs.coders.registry import CODERS
from pixcodecs.container import signature
from pixcodecs.container.image import MAX_PIXELS
from pixcodecs.container.references import Reference
from pixcodecs.forking import cached_property

from pixzip import codec, image, originals
from pixzip.codec import kept, pages_original
from pixzip.codec import original as original_files
from pixzip.codec.beside import AnyFolder
from pixzip.codec.bits_map import pixel_bits
from pixzip.codec.efforts import DEFAULT_EFFORT, EFFORTS
from pixzip.codec.options import Options
from pixzip.codec.pages import PagesOpening, decompress_pages
from pixzip.codec.stack import Stack, decompress_stack
from pixzip.codec.stack_search import smallest_stack
from pixzip.codec.tiles import LEAST_SIDE, TILE_SIDE, Window
from pixzip.image.pages import SUFFIXES
from pixzip.image.picture import CHANNEL_AXIS, Picture
from pixzip.image.pillow_images import from_pillow
from pixzip.io import arguments
from pixzip.io.arguments import FileBytes
from pixzip.models import library

#: An image to encode: (H, W) or (H, W, C) uint8 or uint16, C = 1 to 4 (grey, grey with alpha, RGB, RGBA); or a Pillow
#: image of any mode that a `.pxz` file can hold; or a `Picture`; or a JPEG file, which is kept, as its bytes or path.
Image = NDArray[Any] | PillowImage.Image | Picture | FileBytes | str | PathLike[str]
#: Name of a shipped model, or path of a weights file.
Name = str | PathLike[str]
#: Left, top, width and height of a part of an image, in pixels.
Region = tuple[int, int, int, int]


class Codec:
    """A model on a device, for many calls; safe to share between threads.

    Args:
        model: name of a shipped model, or path of a weights file; None for that of the effort.
        device: "auto" (CUDA if there is a device), "cpu" or "cuda".
        max_pixels: refuse to decode larger images; None lifts the limit.
        coder: "range", or "rans" for files to decode on a GPU (`docs/gpu.md`).
        effort: 1, fastest, to 9, smallest files (`docs/shell.md`).
        tile: largest side of a tile of files that are encoded, 16 to 1024, for regions; None for the usual one.
        embed_model: put the model into the files, so that no reader needs to have it.
    Raises:
        ModelMismatchError: there is no such model.
        PixzipError: there is no such device.
        TypeError, ValueError: an argument is of another type; there is no such coder, effort or side.

    >>> codec = Codec("fast")
    >>> files = codec.encode_batch([np.zeros((8, 8), np.uint8), np.zeros((4, 6, 3), np.uint16)])
    >>> [array.shape for array in codec.decode_batch(files)]
    [(8, 8), (4, 6, 3)]
    """

    def __init__(
        self,
        model: Name | None = None,
        device: str = "auto",
        *,
        max_pixels: int | None = MAX_PIXELS,
        coder: str = "range",
        effort: int = DEFAULT_EFFORT,
        tile: int | None = None,
        embed_model: bool = False,
    ):
        if arguments.text(coder, "coder") not in CODERS:
            raise ValueError(f"{coder!r} is not a valid EntropyCoder, expected one of {', '.join(CODERS)}")
        self.coder = CODERS[coder]
        self.effort = arguments.effort(effort)
        self.tile = None if tile is None else arguments.side(tile, LEAST_SIDE, TILE_SIDE)
        self.reference = Reference.EMBEDDED if arguments.flag(embed_model, "embed_model") else Reference.ID
        self._named = None if model is None else arguments.text(model, "model")
        self.model = self._named or EFFORTS[self.effort].model
        self.device = codec.coding_device(arguments.text(device, "device"))
        self.max_pixels = arguments.pixel_limit(max_pixels)
        library.find(self.model)

    @cached_property
    def options(self) -> Options:
        """The options for `pixzip.codec`."""
        choices = {"coder": self.coder, "max_pixels": self.max_pixels, "tile": self.tile, "reference": self.reference}
        return Options.of(self._named, self.device, self.effort, **choices)

    def encode(self, image: Image) -> bytes:
        """See `pixzip.encode`."""
        return self.encode_batch([image])[0]

    def decode(self, data: FileBytes, region: Region | None = None) -> NDArray[Any]:
        """See `pixzip.decode`."""
        window = None if region is None else Window(*arguments.region(region))
        if window is None:
            return self.decode_batch([data])[0]
        return _as_array(codec.recover(arguments.file_bytes(data), self.options, region=window).picture)

    def compress(self, file: FileBytes, *, original: bool = True) -> bytes:
        """See `pixzip.compress`."""
        data = arguments.file_bytes(file, "an image file")
        if kept.is_jpeg(data):
            return self.encode(data)
        loaded = image.load_pages(data, self.max_pixels) if image.has_pages(io.BytesIO(data)) else None
        work = original_files.thoroughness(self.effort) if original else 0
        if loaded:
            return pages_original.compress(io.BytesIO(data), loaded.pages, self.options, work)[0]
        picture = image.load(data, self.max_pixels).picture
        (found,) = codec.compress([picture], self.options)
        if not work:
            return found
        record = originals.make(io.BytesIO(data), originals.of_picture(picture), work)
        return original_files.with_record(found, record, len(data), self.options)[0]

    def decompress(self, data: FileBytes) -> bytes:
        """See `pixzip.decompress`."""
        file = arguments.file_bytes(data)
        if kept.is_kept(file):
            return self.restore(file)
        if signature.is_pages(file):
            whole = PagesOpening(file, self.max_pixels)
            pages = decompress_pages(whole, self.options)
            if not pages_original.is_kept(whole):
                return image.write_pages(pages, SUFFIXES[pages.kind])
            pages_original.rebuild(whole, pages, self.options, out := io.BytesIO())
            return out.getvalue()
        opening = codec.Opening(file, self.max_pixels)
        (picture,) = codec.decompress([opening], self.options)
        if not original_files.is_kept(opening):
            return image.write(picture)
        out = io.BytesIO()
        original_files.rebuild(opening, picture, self.options, out)
        return out.getvalue()

    def restore(self, data: FileBytes) -> bytes:
        """See `pixzip.restore`."""
        return kept.restore(arguments.file_bytes(data), self.max_pixels)

    def encode_batch(self, images: Sequence[Image]) -> list[bytes]:
        """See `pixzip.encode_batch`."""
        jpegs = [arguments.jpeg_bytes(image) for image in images]
        others = [_as_picture(image) for image, jpeg in zip(images, jpegs, strict=True) if jpeg is None]
        coded = iter(codec.compress(others, self.options) if others else [])
        return [next(coded) if jpeg is None else kept.keep(jpeg, self.max_pixels) for jpeg in jpegs]

    def decode_batch(
        self, data: Sequence[FileBytes], folders: Sequence[AnyFolder | None] | None = None
    ) -> list[NDArray[Any]]:
        """See `pixzip.decode_batch`.

        Args:
            folders: the folder of each file, for the models that `compress_tree` and `pixzip compress -r` put there.
        """
        return [_as_array(picture) for picture in self.decode_pictures(data, folders)]

    def decode_pictures(
        self, data: Sequence[FileBytes], folders: Sequence[AnyFolder | None] | None = None
    ) -> list[Picture]:  # fmt: skip
        """Like `decode_batch`, with the full content of files: layout, depth, palette, transparency, metadata."""
        files, places = [arguments.file_bytes(file) for file in data], folders or [None] * len(data)
        opened = [codec.opened(file, self.max_pixels, place) for file, place in zip(files, places, strict=True)]
        return codec.decompress(opened, self.options)

    def encode_stack(self, images: Sequence[NDArray[Any]] | NDArray[Any], names: Sequence[str] = ()) -> bytes:
        """See `pixzip.encode_stack`."""
        arrays = [_array_of(image) for image in images]
        axes = {array.shape[2:] for array in arrays}
        if axes not in ({()}, {(3,)}):
            shapes = ", ".join(map(str, list(dict.fromkeys(array.shape for array in arrays))[:3])) or "none"
            raise ValueError(f"images are of shapes {shapes}, expected (H, W) for all of them or (H, W, 3) for all")
        named = [arguments.text(name, "a name") for name in names]
        return smallest_stack(arrays, self.options, names=named)

    def decode_stack(self, data: FileBytes) -> Stack:
        """See `pixzip.decode_stack`."""
        found = decompress_stack(arguments.file_bytes(data), self.options)
        return found._replace(images=[x[..., 0] if x.shape[2] == 1 else x for x in found.images])

    def decode_pages(self, data: FileBytes) -> list[NDArray[Any]]:
        """See `pixzip.decode_pages`."""
        found = decompress_pages(arguments.file_bytes(data), self.options)
        return [_as_array(page.picture) for page in found.pages]

    def verify(self, data: FileBytes) -> None:
        """See `pixzip.verify`."""
        codec.verify(arguments.file_bytes(data), self.options)

    def bits_map(self, image: Image | FileBytes) -> NDArray[np.float32]:
        """See `pixzip.bits_map`."""
        if arguments.is_file_bytes(image):
            return pixel_bits(arguments.file_bytes(image), self.options)
        own = self.encode(image)
        return pixel_bits(own, replace(self.options, max_pixels=None))  # a file of one's own needs no limits


def _as_picture(image: Image) -> Picture:
    if isinstance(image, PillowImage.Image):
        return from_pillow(image)
    if isinstance(image, Picture):
        return image
    array = _array_of(image)
    picture = codec.as_picture(array)
    return replace(picture, metadata=(CHANNEL_AXIS,)) if array.ndim == 3 and array.shape[2] == 1 else picture


def _as_array(picture: Picture) -> NDArray[Any]:
    """The inverse of `_as_picture` for arrays."""
    return picture.samples if CHANNEL_AXIS in picture.metadata else codec.as_array(picture)


def _array_of(image: Any) -> NDArray[Any]:
    """An array, or what NumPy takes for one, in native byte order.

    Raises:
        TypeError: it is something else.
    """
    try:
        array = np.asarray(image)
    except RuntimeError as e:  # a tensor of PyTorch that needs a gradient
        raise TypeError(f"image is {type(image).__name__}: {e}") from None
    if array.dtype.kind not in "biufc":
        found = f"{type(image).__name__}, which NumPy takes for {array.dtype} {array.shape}"
        raise TypeError(f"image is {found}, expected an array of uint8 or uint16, a Pillow image, a Picture or a JPEG")
    return array.astype(array.dtype.newbyteorder("="), copy=False)
