"""The Python API: convert arrays and Pillow images to `.pxz` bytes and back.

>>> import numpy as np, pixzip
>>> image = np.tile(np.arange(48, dtype=np.uint8)[:, None, None], (1, 32, 3))
>>> data = pixzip.encode(image, model="fast")
>>> bool((pixzip.decode(data) == image).all())
True
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from pixcodecs.container.image import MAX_PIXELS

from pixzip.api.codec import Codec as Codec
from pixzip.api.codec import Image, Name, Region
from pixzip.api.image_files import compress as compress
from pixzip.api.image_files import decompress as decompress
from pixzip.api.trees import TreeResult as TreeResult
from pixzip.api.trees import compress_tree as compress_tree
from pixzip.codec import describe
from pixzip.codec.efforts import DEFAULT_EFFORT
from pixzip.codec.savings import savings
from pixzip.codec.stack import Stack
from pixzip.io import arguments, files, stores, upward
from pixzip.io.arguments import FileBytes


def encode(
    image: Image, model: Name | None = None, device: str = "auto", *, effort: int = DEFAULT_EFFORT,
    embed_model: bool = False,
) -> bytes:  # fmt: skip
    """A `.pxz` file of one image.

    Args:
        image: (H, W) or (H, W, C) uint8 or uint16, C = 1 to 4: grey, grey with alpha, RGB, RGBA; or a Pillow image; or
            the bytes or the path of a JPEG file, which is kept: `restore` returns it byte for byte.
        model: name of a shipped model ("large" is smallest, "fast" fastest), or path of a weights file; None for that
            of the effort.
        device: "auto" (CUDA if there is a device), "cpu" or "cuda".
        effort: 1, fastest, to 9, smallest files (`docs/shell.md`).
        embed_model: put the model into the file, so that no reader needs to have it (`docs/models.md`).
    Raises:
        TypeError: the image is no array, Pillow image or picture, but a path or text, for example.
        ValueError: the array has another shape or dtype; the effort is out of range.
        UnsupportedImageError: the format does not hold the image's mode, size or metadata.
        ModelMismatchError: there is no such model, or it does not run exactly here.
        OSError: the JPEG file cannot be read.

    >>> import numpy as np, pixzip
    >>> len(pixzip.encode(np.full((100, 100, 3), 128, np.uint8))) < 64
    True
    """
    return Codec(model, device, effort=effort, embed_model=embed_model).encode(image)


def decode(
    data: FileBytes, *, device: str = "auto", max_pixels: int | None = MAX_PIXELS, region: Region | None = None
) -> NDArray[Any]:
    """The samples of a `.pxz` file: the inverse of `encode`; of a kept JPEG, those that it decodes to.

    Args:
        data: the file, written with a shipped model; use `Codec(path).decode` for other weights.
        max_pixels: refuse larger images; None lifts the limit.
        region: (x, y, width, height) of a part to decode, from only the tiles that it needs; None for all.
    Returns:
        (H, W) or (H, W, C), uint8 for up to 8 bits per sample, else uint16; indices if the image has a palette.
        An array that `encode` took has the same shape again.
    Raises:
        TypeError: `data` is not the bytes of a file but its path, for example.
        BitstreamError: the file is damaged, truncated, foreign or hostile.
        ModelMismatchError: the file's model is missing, or does not run exactly here.
        UnsupportedImageError: the kept JPEG is none whose pixels are read, such as CMYK.
        PixzipError: the region is not inside the image.

    >>> import numpy as np, pixzip
    >>> pixzip.decode(pixzip.encode(np.eye(3, dtype=np.uint16)))
    array([[1, 0, 0],
           [0, 1, 0],
           [0, 0, 1]], dtype=uint16)
    """
    return Codec(device=device, max_pixels=max_pixels).decode(data, region)


def restore(data: FileBytes, *, max_pixels: int | None = MAX_PIXELS) -> bytes:
    """The JPEG file that a `.pxz` file keeps, byte for byte.

    Args:
        data: the file, which `encode` made of the bytes or the path of a JPEG.
        max_pixels: refuse larger images, and files out of proportion; None lifts the limits.
    Raises:
        TypeError: `data` is not the bytes of a file but its path, for example.
        BitstreamError: the file is damaged, truncated, foreign or hostile, or keeps no other file.

    >>> import io, pixzip
    >>> from PIL import Image
    >>> Image.new("L", (300, 200), 99).save(stream := io.BytesIO(), "JPEG")
    >>> data = pixzip.encode(stream.getvalue())
    >>> pixzip.restore(data) == stream.getvalue(), len(data) < len(stream.getvalue()), pixzip.decode(data).shape
    (True, True, (200, 300))
    """
    return Codec(max_pixels=max_pixels).restore(data)


def encode_batch(
    images: Sequence[Image], model: Name | None = None, device: str = "auto", *, effort: int = DEFAULT_EFFORT,
    embed_model: bool = False,
) -> list[bytes]:  # fmt: skip
    """A `.pxz` file of each image, coded together; see `encode`.

    The files equal those of `encode`.  Images may have different shapes and dtypes.

    >>> import numpy as np, pixzip
    >>> images = [np.zeros((5, 7), np.uint8), np.ones((3, 4, 4), np.uint8)]
    >>> pixzip.encode_batch(images) == [pixzip.encode(image) for image in images]
    True
    """
    return Codec(model, device, effort=effort, embed_model=embed_model).encode_batch(images)


def decode_batch(
    data: Sequence[FileBytes], *, device: str = "auto", max_pixels: int | None = MAX_PIXELS
) -> list[NDArray[Any]]:
    """The samples of each `.pxz` file, decoded together; see `decode`.

    >>> import numpy as np, pixzip
    >>> files = pixzip.encode_batch([np.zeros((5, 7), np.uint8), np.ones((3, 4, 4), np.uint8)])
    >>> [image.shape for image in pixzip.decode_batch(files)]
    [(5, 7), (3, 4, 4)]
    """
    return Codec(device=device, max_pixels=max_pixels).decode_batch(data)


def open(path: Name | BinaryIO) -> PillowImage.Image:  # noqa: A001 (as Pillow's)
    """A `.pxz` file as a Pillow image, whose pixels are decoded at first access; a kept JPEG as Pillow opens it.

    Args:
        path: the file's path; a URL of a store that fsspec knows, read at once; or a readable binary file that can
            seek.
    Raises:
        TypeError: the path is something else, such as the bytes of a file.
        PixzipError: fsspec or the package of a URL's store is missing.
        OSError: the file cannot be read, or is no `.pxz` file; at first access, pixels cannot be decoded.

    >>> import numpy as np, pixzip
    >>> folder = getfixture("tmp_path")
    >>> pixzip.save(np.zeros((6, 9, 3), np.uint8), folder / "black.pxz")
    >>> with pixzip.open(folder / "black.pxz") as image:
    ...     image.size
    (9, 6)
    """
    place = path if hasattr(path, "read") else stores.plain(arguments.text(path, "path"))
    if isinstance(place, str) and stores.is_url(place):
        place = upward.Whole(place)
    return PillowImage.open(place, formats=["PXZ"])


def save(
    image: Image, path: Name, model: Name | None = None, device: str = "auto", *, effort: int = DEFAULT_EFFORT,
    embed_model: bool = False,
) -> None:  # fmt: skip
    """Write a `.pxz` file completely or not at all, replacing an existing file; see `encode`.

    Args:
        path: the file's path, or a URL of a store that fsspec knows.
    Raises:
        PixzipError: the folder does not exist, the path is not that of a file, or fsspec or the package of a URL's
            store is missing.
        OSError: the file cannot be written.

    >>> import numpy as np, pixzip
    >>> path = getfixture("tmp_path") / "grey.pxz"
    >>> pixzip.save(np.full((4, 4), 7, np.uint8), path)
    >>> int(pixzip.decode(path.read_bytes()).sum())
    112
    """
    place = stores.plain(arguments.text(path, "path"))
    target = place if stores.is_url(place) else str(Path(place).absolute())
    files.write(target, encode(image, model, device, effort=effort, embed_model=embed_model), force=True)


def encode_stack(
    images: Sequence[NDArray[Any]] | NDArray[Any],
    model: Name | None = None,
    device: str = "auto",
    *,
    names: Sequence[str] = (),
    effort: int = DEFAULT_EFFORT,
    embed_model: bool = False,
) -> bytes:
    """One `.pxz` file of many small images, which share a header and a stream.

    Args:
        images: one or more, all (H, W) or all (H, W, 3) uint8, of any sizes: similar sizes should be adjacent.
            For a model of two levels, values are 0 or 1.
        model, device, effort, embed_model: see `encode`; a stage of the effort goes on from image to image, if it
            makes a sample of the images smaller.
        names: one per image, relative paths without "..", or none at all.
    Raises:
        ValueError: the images have other shapes or dtypes; the effort is out of range.
        UnsupportedImageError: a name or a side does not fit the format.
        BitstreamError: readers would refuse the file, because it is so small for its pixels that it might be hostile:
            `Codec(max_pixels=None)` writes and reads it.
        ModelMismatchError: there is no such model, or it does not run exactly here.

    >>> import numpy as np, pixzip
    >>> digits = np.zeros((50, 28, 28), np.uint8)
    >>> len(pixzip.encode_stack(digits, "fast")) < 200
    True
    """
    return Codec(model, device, effort=effort, embed_model=embed_model).encode_stack(images, names)


def decode_stack(data: FileBytes, *, device: str = "auto", max_pixels: int | None = MAX_PIXELS) -> Stack:
    """The images of a stack: the inverse of `encode_stack`.

    Args:
        max_pixels: refuse stacks of more pixels in all; None lifts the limit.
    Returns:
        A named tuple: `images`, a list of (H, W) or (H, W, 3) uint8; `names`, a tuple; `depth`, bits per sample.
    Raises:
        BitstreamError: the file is damaged, truncated, no stack or hostile.
        ModelMismatchError: the file's model is missing, or does not run exactly here.

    >>> import numpy as np, pixzip
    >>> data = pixzip.encode_stack([np.zeros((5, 7), np.uint8), np.ones((2, 3), np.uint8)], names=["a.png", "b.png"])
    >>> stack = pixzip.decode_stack(data)
    >>> [image.shape for image in stack.images], stack.names
    ([(5, 7), (2, 3)], ('a.png', 'b.png'))
    """
    return Codec(device=device, max_pixels=max_pixels).decode_stack(data)


def decode_pages(
    data: FileBytes, *, device: str = "auto", max_pixels: int | None = MAX_PIXELS
) -> list[NDArray[Any]]:  # fmt: skip
    """The samples of each page of a file that `pixzip compress` made of a TIFF of several pages, or of each frame.

    Frames are as they are in the file, not laid over each other; `info` says where they belong and how long they last.

    Args:
        max_pixels: refuse more pixels in all; None lifts the limit.
    Returns:
        (H, W) or (H, W, C) arrays like those of `decode`.
    Raises:
        BitstreamError: the file is damaged, truncated, of one image or hostile.
        ModelMismatchError: the file's model is missing, or does not run exactly here.

    >>> import io, numpy as np, pixzip, tifffile
    >>> file = io.BytesIO()
    >>> tifffile.imwrite(file, np.zeros((2, 4, 5), np.uint8), photometric="minisblack")
    >>> [page.shape for page in pixzip.decode_pages(pixzip.compress(file.getvalue()))]
    [(4, 5), (4, 5)]
    """
    return Codec(device=device, max_pixels=max_pixels).decode_pages(data)


def verify(data: FileBytes, *, device: str = "auto", max_pixels: int | None = MAX_PIXELS) -> None:
    """Decode a `.pxz` file, of one image or a stack, and check all its checksums; returns if the file is whole.

    Args:
        data: the file, written with a shipped model; use `Codec(path).verify` for other weights.
        max_pixels: refuse larger images; None lifts the limit.
    Raises:
        BitstreamError: the file is damaged, truncated, foreign or hostile.
        ModelMismatchError: the file's model is missing, or does not run exactly here.

    >>> import numpy as np, pixzip
    >>> pixzip.verify(pixzip.encode(np.zeros((6, 9, 3), np.uint8)))
    """
    Codec(device=device, max_pixels=max_pixels).verify(data)


def info(data: FileBytes, *, saved: bool = False) -> dict[str, Any]:
    """The facts in a `.pxz` file, without decoding it: width, height, mode, depth, models, bytes, ...

    Args:
        saved: decode it all the same, and measure what its stages save: bytes with them and without, and the share.
    Raises:
        BitstreamError: the file is damaged.
        ModelMismatchError: with `saved`, see `decode`.

    >>> import numpy as np, pixzip
    >>> facts = pixzip.info(pixzip.encode(np.zeros((6, 9, 3), np.uint8)))
    >>> facts["width"], facts["height"], facts["mode"], facts["depth"]
    (9, 6, 'RGB', 8)
    """
    own = arguments.file_bytes(data)
    return describe.facts(own) | (describe.saved(savings(own)) if saved else {})


def bits_map(
    image: Image | FileBytes, model: Name | None = None, device: str = "auto", *, effort: int = DEFAULT_EFFORT
) -> NDArray[np.float32]:  # fmt: skip
    """The bits that each pixel takes in the file.

    Bits without a place (ends of streams, blocks that no model coded) are spread evenly over their tile.

    Args:
        image: image for `encode`, or bytes of a `.pxz` file.
        model, device, effort: see `encode`.
    Returns:
        (H, W) bits; their sum is the size of the file without its header.

    >>> import numpy as np, pixzip
    >>> data = pixzip.encode(np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8), "fast")
    >>> facts = pixzip.info(data)
    >>> bits = pixzip.bits_map(data)
    >>> bits.shape, round(float(bits.sum())) == 8 * (facts["file_bytes"] - facts["header_bytes"])
    ((40, 30), True)
    """
    return Codec(model, device, effort=effort).bits_map(image)
