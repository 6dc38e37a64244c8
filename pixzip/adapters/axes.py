"""The axes of chunks: which are the rows, columns and channels of images, and which count images.

`docs/zarr.md` specifies their form in a chunk.
"""

import math
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pixcodecs.container.limits import MAX_PIXELS, MAX_SIDE
from pixcodecs.errors import BitstreamError
from pixcodecs.primitives import Reader, varint

Array = NDArray[np.unsignedinteger]

#: Axes with a number of their own in a chunk: images, rows, columns, channels.
PLAIN = ("HW", "HWC", "NHW", "NHWC", "CHW", "NCHW")
#: The number that stands for all others, which follow it by name.
NAMED = 6
#: Most axes of a chunk, as of an array of NumPy 1.
MOST = 32
MAX_CHANNELS = 4
_FORM = re.compile(r"[NC]*HW[NC]*")


def is_valid(axes: str) -> bool:
    """Whether a chunk can have these axes: rows and columns, side by side, at most one of channels, any of images."""
    return _FORM.fullmatch(axes) is not None and axes.count("C") <= 1 and len(axes) <= MOST


def axes_of(shape: tuple[int, ...], axes: str | None = None) -> str:
    """The axes of a chunk.

    By default, the last axis of three or more is that of channels if it is at most 4; rows and columns are before it,
    or else the last ones, and all others count images.

    Args:
        axes: axes to take instead of the default.
    Raises:
        ValueError: the shape does not match.
    """
    count = len(shape)
    end = "HWC" if count > 2 and shape[-1] <= MAX_CHANNELS else "HW"
    found = axes or "N" * (count - len(end)) + end
    if len(found) != count or not is_valid(found):
        raise ValueError(f"chunk has shape {shape}, expected {axes or 'HW, HWC, NHW, NHWC, or more axes N'}")
    if not 1 <= dict(zip(found, shape, strict=True)).get("C", 1) <= MAX_CHANNELS or 0 in shape:
        raise ValueError(f"chunk has shape {shape}, {found}: expected 1 to {MAX_CHANNELS} channels and no empty axis")
    return found


def check_count(count: int, axes: str | None) -> None:
    """
    Raises:
        ValueError: no chunk of so many axes is one of images.
    """
    if not 2 <= count <= MOST or (axes and len(axes) != count):
        raise ValueError(
            f"array has {count} axes, expected {axes or f'2 to {MOST}'}, of which two are rows and columns"
        )


def check_sizes(shape: tuple[int, ...], axes: str) -> None:
    """
    Raises:
        ValueError: a chunk has more rows, columns or pixels than can be coded.
    """
    sizes = dict(zip(axes, shape, strict=True))
    pixels = math.prod(shape) // sizes.get("C", 1)
    if max(sizes["H"], sizes["W"]) > MAX_SIDE or pixels > MAX_PIXELS:
        raise ValueError(
            f"chunk has shape {shape}, {axes}: expected at most {MAX_SIDE} rows and columns, and {MAX_PIXELS} pixels"
        )


def pack(axes: str, shape: tuple[int, ...]) -> tuple[int, bytes]:
    """The number of the axes, and what follows it in a chunk."""
    if axes in PLAIN:
        return PLAIN.index(axes), b""
    lengths = [size for name, size in zip(axes, shape, strict=True) if name == "N"]
    return NAMED, bytes([len(axes)]) + axes.encode() + b"".join(map(varint, lengths))


def unpack(number: int, reader: Reader) -> tuple[str, list[int] | None]:
    """The inverse of `pack`: the axes, and the lengths of those that count images; None if they are not in the chunk.

    Raises:
        BitstreamError: there are no such axes.
    """
    if number < len(PLAIN):
        return PLAIN[number], None
    if number != NAMED:
        raise BitstreamError(f"not a chunk: its axes have the number {number}")
    axes = reader.take(reader.byte("number of axes"), "axes").decode("latin-1")
    if not is_valid(axes) or axes in PLAIN:
        raise BitstreamError(f"chunk has the axes {axes[:MOST]!r}")
    return axes, [reader.varint("length of an axis") for _ in range(axes.count("N"))]


def to_images(chunk: NDArray[np.unsignedinteger], axes: str) -> Array:
    """The chunk as (N, H, W, C) in native byte order."""
    images = chunk.astype(chunk.dtype.newbyteorder("="), copy=False)
    order = sorted(range(len(axes)), key=lambda i: "NHWC".index(axes[i]))
    images = images.transpose(order)
    images = images if "C" in axes else images[..., np.newaxis]
    return np.ascontiguousarray(images).reshape(-1, *images.shape[-3:])


def from_images(images: Array, axes: str, lengths: Sequence[int] | None) -> Array:
    """The inverse of `to_images`, apart from the byte order.

    Args:
        lengths: of the axes that count images; None for the number of images in the one that there is.
    Raises:
        BitstreamError: the images have other axes.
    """
    n, *sides, channels = images.shape
    lengths = ([n] if "N" in axes else []) if lengths is None else lengths
    if math.prod(lengths) != n or ("C" not in axes and channels != 1):
        raise BitstreamError(f"chunk has images {images.shape}, its axes are {axes} {tuple(lengths)}")
    chunk = images.reshape(*lengths, *sides, *([channels] if "C" in axes else []))
    order = sorted(range(len(axes)), key=lambda i: "NHWC".index(axes[i]))
    return chunk.transpose(np.argsort(order).tolist())
