"""The Python API: convert arrays and Pillow images to `.pxz` bytes and back.

>>> import numpy as np, pixzip
>>> image = np.tile(np.arange(48, dtype=np.uint8)[:, None, None], (1, 32, 3))
>>> data = pixzip.encode(image, model="fast")
>>> bool((pixzip.decode(data) == image).all())
True
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from pixcodecs.coders.registry import CODERS
from pixcodecs.container.image import MAX_PIXELS, Buffer
from pixcodecs.forking import cached_property

from pixzip import codec
from pixzip.codec import describe
from pixzip.codec.bits_map import pixel_bits
from pixzip.codec.options import Options
from pixzip.image.picture import Picture
from pixzip.image.pillow_images import from_pillow
from pixzip.io import files
from pixzip.models import library

#: An image to encode: (H, W) or (H, W, C) uint8 or uint16, C = 1 to 4 (grey, grey with alpha, RGB, RGBA); or a Pillow
#: image of any mode that a `.pxz` file can hold; or a `Picture`.
Image = NDArray[Any] | PillowImage.Image | Picture
#: Name of a shipped model, or path of a weights file.
Name = str | PathLike[str]


class Codec:
    """A model on a device, for many calls; safe to share between threads.

    Args:
        model: name of a shipped model, or path of a weights file.
        device: "auto" (CUDA if there is a device), "cpu" or "cuda".
        max_pixels: refuse to decode larger images; None lifts the limit.
        coder: "range", or "rans" for files to decode on a GPU (`docs/gpu.md`).
    Raises:
        ModelMismatchError: there is no such model.
        PixzipError: there is no such device.
        ValueError: there is no such coder.

    >>> codec = Codec("fast")
    >>> files = codec.encode_batch([np.zeros((8, 8), np.uint8), np.zeros((4, 6, 3), np.uint16)])
    >>> [array.shape for array in codec.decode_batch(files)]
    [(8, 8), (4, 6, 3)]
    """

    def __init__(
        self,
        model: Name = library.DEFAULT,
        device: str = "auto",
        *,
        max_pixels: int | None = MAX_PIXELS,
        coder: str = "range",
    ):
        if coder not in CODERS:
            raise ValueError(f"{coder!r} is not a valid EntropyCoder, expected one of {', '.join(CODERS)}")
        self.coder = CODERS[coder]
        self.model = str(model)
        self.device = codec.coding_device(device)
        self.max_pixels = max_pixels
        library.find(self.model)

    @cached_property
    def options(self) -> Options:
        """The options for `pixzip.codec`."""
        return Options.of(self.model, self.device, coder=self.coder, max_pixels=self.max_pixels)

    def encode(self, image: Image) -> bytes:
        """See `pixzip.encode`."""
        return self.encode_batch([image])[0]

    def decode(self, data: bytes) -> NDArray[Any]:
        """See `pixzip.decode`."""
        return self.decode_batch([data])[0]

    def encode_batch(self, images: Sequence[Image]) -> list[bytes]:
        """See `pixzip.encode_batch`."""
        return codec.compress([_as_picture(image) for image in images], self.options)

    def decode_batch(self, data: Sequence[bytes]) -> list[NDArray[Any]]:
        """See `pixzip.decode_batch`."""
        return [codec.as_array(picture) for picture in self.decode_pictures(data)]

    def decode_pictures(self, data: Sequence[Buffer]) -> list[Picture]:
        """Like `decode_batch`, with the full content of files: layout, depth, palette, transparency, metadata."""
        return codec.decompress(data, self.options)

    def bits_map(self, image: Image | bytes) -> NDArray[np.float32]:
        """See `pixzip.bits_map`."""
        data = image if isinstance(image, bytes) else self.encode(image)
        return pixel_bits(data, self.options)


def encode(image: Image, model: Name = library.DEFAULT, device: str = "auto") -> bytes:
    """A `.pxz` file of one image.

    Args:
        image: (H, W) or (H, W, C) uint8 or uint16, C = 1 to 4: grey, grey with alpha, RGB, RGBA; or a Pillow image.
        model: name of a shipped model ("base" is smallest, "fast" fastest), or path of a weights file.
        device: "auto" (CUDA if there is a device), "cpu" or "cuda".
    Raises:
        ValueError: the array has another shape or dtype.
        UnsupportedImageError: the format does not hold the image's mode, size or metadata.
        ModelMismatchError: there is no such model, or it does not run exactly here.

    >>> import numpy as np, pixzip
    >>> len(pixzip.encode(np.full((100, 100, 3), 128, np.uint8))) < 64
    True
    """
    return Codec(model, device).encode(image)


def decode(data: bytes, *, device: str = "auto", max_pixels: int | None = MAX_PIXELS) -> NDArray[Any]:
    """The samples of a `.pxz` file: the inverse of `encode`.

    Args:
        data: the file, written with a shipped model; use `Codec(path).decode` for other weights.
        max_pixels: refuse larger images; None lifts the limit.
    Returns:
        (H, W) or (H, W, C), uint8 for up to 8 bits per sample, else uint16; indices if the image has a palette.
    Raises:
        BitstreamError: the file is damaged, truncated, foreign or hostile.
        ModelMismatchError: the file's model is missing, or does not run exactly here.

    >>> import numpy as np, pixzip
    >>> pixzip.decode(pixzip.encode(np.eye(3, dtype=np.uint16)))
    array([[1, 0, 0],
           [0, 1, 0],
           [0, 0, 1]], dtype=uint16)
    """
    return Codec(device=device, max_pixels=max_pixels).decode(data)


def encode_batch(images: Sequence[Image], model: Name = library.DEFAULT, device: str = "auto") -> list[bytes]:
    """A `.pxz` file of each image, coded together; see `encode`.

    The files equal those of `encode`.  Images may have different shapes and dtypes.

    >>> import numpy as np, pixzip
    >>> images = [np.zeros((5, 7), np.uint8), np.ones((3, 4, 4), np.uint8)]
    >>> pixzip.encode_batch(images) == [pixzip.encode(image) for image in images]
    True
    """
    return Codec(model, device).encode_batch(images)


def decode_batch(
    data: Sequence[bytes], *, device: str = "auto", max_pixels: int | None = MAX_PIXELS
) -> list[NDArray[Any]]:
    """The samples of each `.pxz` file, decoded together; see `decode`.

    >>> import numpy as np, pixzip
    >>> files = pixzip.encode_batch([np.zeros((5, 7), np.uint8), np.ones((3, 4, 4), np.uint8)])
    >>> [image.shape for image in pixzip.decode_batch(files)]
    [(5, 7), (3, 4, 4)]
    """
    return Codec(device=device, max_pixels=max_pixels).decode_batch(data)


def open(path: Name) -> PillowImage.Image:  # noqa: A001 (as Pillow's)
    """A `.pxz` file as a Pillow image, whose pixels are decoded at first access.

    Raises:
        OSError: the file cannot be read, or is no `.pxz` file; at first access, pixels cannot be decoded.

    >>> import numpy as np, pixzip
    >>> folder = getfixture("tmp_path")
    >>> pixzip.save(np.zeros((6, 9, 3), np.uint8), folder / "black.pxz")
    >>> with pixzip.open(folder / "black.pxz") as image:
    ...     image.size
    (9, 6)
    """
    return PillowImage.open(path, formats=["PXZ"])


def save(image: Image, path: Name, model: Name = library.DEFAULT, device: str = "auto") -> None:
    """Write a `.pxz` file completely or not at all, replacing an existing file; see `encode`.

    Raises:
        PixzipError: the folder does not exist, or the path is not that of a file.
        OSError: the file cannot be written.

    >>> import numpy as np, pixzip
    >>> path = getfixture("tmp_path") / "grey.pxz"
    >>> pixzip.save(np.full((4, 4), 7, np.uint8), path)
    >>> int(pixzip.decode(path.read_bytes()).sum())
    112
    """
    files.write(str(Path(path).absolute()), encode(image, model, device), force=True)


def info(data: bytes) -> dict[str, Any]:
    """The facts in a `.pxz` file, without decoding it: width, height, mode, depth, models, bytes, ...

    Raises:
        BitstreamError: the file is damaged.

    >>> import numpy as np, pixzip
    >>> facts = pixzip.info(pixzip.encode(np.zeros((6, 9, 3), np.uint8)))
    >>> facts["width"], facts["height"], facts["mode"], facts["depth"]
    (9, 6, 'RGB', 8)
    """
    return describe.facts(data)


def bits_map(image: Image | bytes, model: Name = library.DEFAULT, device: str = "auto") -> NDArray[np.float32]:
    """The bits that each pixel takes in the file.

    Bits without a place (ends of streams, blocks that no model coded) are spread evenly over their tile.

    Args:
        image: image for `encode`, or bytes of a `.pxz` file.
    Returns:
        (H, W) bits; their sum is the size of the file without its header.

    >>> import numpy as np, pixzip
    >>> data = pixzip.encode(np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8), "fast")
    >>> facts = pixzip.info(data)
    >>> bits = pixzip.bits_map(data)
    >>> bits.shape, round(float(bits.sum())) == 8 * (facts["file_bytes"] - facts["header_bytes"])
    ((40, 30), True)
    """
    return Codec(model, device).bits_map(image)


def _as_picture(image: Image) -> Picture:
    if isinstance(image, PillowImage.Image):
        return from_pillow(image)
    if isinstance(image, Picture):
        return image
    array = np.asarray(image)
    return codec.as_picture(array.astype(array.dtype.newbyteorder("="), copy=False))
