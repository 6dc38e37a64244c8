"""Image files as bytes to `.pxz` files and back, byte for byte where that can be."""

from pixcodecs.container.image import MAX_PIXELS

from pixzip.api.codec import Codec, Name
from pixzip.codec.efforts import DEFAULT_EFFORT
from pixzip.io.arguments import FileBytes


def compress(
    file: FileBytes, model: Name | None = None, device: str = "auto", *, effort: int = DEFAULT_EFFORT,
    original: bool = True, embed_model: bool = False,
) -> bytes:  # fmt: skip
    """A `.pxz` file of an image file, with all that the file needs to come back byte for byte, if it can.

    Args:
        file: the bytes of the image file, of any format that pixzip reads.
        model, device, effort, embed_model: see `encode`.
        original: keep what gives back the file's bytes; `info` says whether it could be kept.
    Raises:
        TypeError: `file` is not bytes, but a path, for example.
        UnsupportedImageError: the image cannot be read, or the format does not hold it.
        ModelMismatchError: there is no such model, or it does not run exactly here.

    >>> import io, numpy as np, pixzip
    >>> from PIL import Image
    >>> file = io.BytesIO()
    >>> Image.fromarray(np.eye(20, dtype=np.uint8)).save(file, "PNG")
    >>> pixzip.decompress(pixzip.compress(file.getvalue())) == file.getvalue()
    True
    """
    return Codec(model, device, effort=effort, embed_model=embed_model).compress(file, original=original)


def decompress(data: FileBytes, *, device: str = "auto", max_pixels: int | None = MAX_PIXELS) -> bytes:
    """The image file in a `.pxz` file: the inverse of `compress`.

    Args:
        data: the file, written with a shipped model; use `Codec(path).decompress` for other weights.
        max_pixels: refuse larger images; None lifts the limit.
    Returns:
        The original's very bytes, whose SHA-256 was checked, if the file keeps it; otherwise a PNG, or for several
        pages or frames a file of their kind.
    Raises:
        BitstreamError: the file is damaged, truncated, foreign or hostile.
        ModelMismatchError: the file's model is missing, or does not run exactly here.
        PixzipError: the original's bytes do not come back on this machine; `decode` gives the samples.

    >>> import numpy as np, pixzip
    >>> pixzip.decompress(pixzip.encode(np.zeros((6, 9, 3), np.uint8)))[1:4]  # an array has no original
    b'PNG'
    """
    return Codec(device=device, max_pixels=max_pixels).decompress(data)
