"""The handler of webdataset for the fields of samples that are `.pxz` files."""

from typing import Any

from pixcodecs.container.image import MAX_PIXELS
from pixcodecs.container.signature import is_stack

SUFFIX = ".pxz"


def pxz(key: str, data: bytes, *, model: str | None = None, max_pixels: int | None = MAX_PIXELS) -> Any:
    """Decode a field whose name ends in `.pxz`: `webdataset.WebDataset(urls).decode(pxz)`.

    `functools.partial` sets the other arguments; both forms can be pickled, for workers that are spawned.

    Args:
        key: the field's name, from its first dot.
        model: weights file of the images' model, if it is not a shipped one.
        max_pixels: refuse larger images; None lifts the limit.
    Returns:
        (H, W) or (H, W, C) uint8 or uint16; a list of such arrays for a stack; None for other fields, as webdataset
        wants it.
    Raises:
        BitstreamError, ModelMismatchError: see `pixzip.decode`; webdataset wraps them in its `DecodingError`.

    >>> import numpy as np, pixzip
    >>> pxz(".jpg", b"...") is None
    True
    >>> pxz(".left.pxz", pixzip.encode(np.zeros((3, 4), np.uint8))).shape
    (3, 4)
    """
    if not key.lower().endswith(SUFFIX):
        return None
    from pixzip.api import Codec

    codec = Codec(model, "cpu", max_pixels=max_pixels)
    return codec.decode_stack(data).images if is_stack(data[:4]) else codec.decode(data)
