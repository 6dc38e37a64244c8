"""Chunks of image arrays as bytes, for Zarr and whatever else cuts arrays into chunks.

`docs/zarr.md` says what the axes mean, what a chunk's bytes are, and when images become a stack.
Importing this imports no PyTorch: an array's metadata can be read without.
"""

import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pixcodecs.container import image as container
from pixcodecs.container import stack
from pixcodecs.container.image import MAX_PIXELS
from pixcodecs.container.limits import MAX_SIDE
from pixcodecs.errors import BitstreamError, ModelMismatchError, UnsupportedImageError
from pixcodecs.primitives import Reader, crc32, varint

if TYPE_CHECKING:
    from pixzip.api import Codec

Array = NDArray[np.unsignedinteger[Any]]

#: What the axes of a chunk can be: images, rows, columns, channels. The order is that of the ids in chunks.
AXES = ("HW", "HWC", "NHW", "NHWC", "CHW", "NCHW")
MAX_CHANNELS = 4
#: Images of fewer pixels are small: a header each would be much of their bytes.
SMALL_PIXELS = 4096
#: Of small images below one another in one picture, at most.
_COLUMN_PIXELS = 1 << 16
_AXES, _BIG_ENDIAN, _FORTRAN, _REPEATED, _RESERVED = 0x07, 0x08, 0x10, 0x20, 0xC0


def axes_of(shape: tuple[int, ...], axes: str | None = None) -> str:
    """What the axes of a chunk are.

    Two are HW. Three are HWC where the last is 4 or less, else NHW. Four are NHWC.

    Args:
        axes: one of `AXES`, where it is none of these.
    Raises:
        ValueError: the shape has other axes.
    """
    found = axes or {2: "HW", 3: "HWC" if shape[-1:] <= (MAX_CHANNELS,) else "NHW", 4: "NHWC"}.get(len(shape), "")
    if not found or len(found) != len(shape):
        raise ValueError(f"chunk has shape {shape}, expected {axes or 'HW, HWC, NHW or NHWC'}")
    sizes = dict(zip(found, shape, strict=True))
    if not 1 <= sizes.get("C", 1) <= MAX_CHANNELS or 0 in shape:
        raise ValueError(f"chunk has shape {shape}, {found}: expected 1 to {MAX_CHANNELS} channels and no empty axis")
    return found


@dataclass(frozen=True)
class ChunkCodec:
    """Arrays of images <-> bytes.

    Args:
        model: name of a shipped model, or path of a weights file.
        model_id: its id; "" for the one that is here.
        axes: one of `AXES`; None goes by the shape, as `axes_of` does.
    Raises:
        ValueError: the axes are none of these.
        ModelMismatchError: there is no such model; with an id only encoding needs one.
    """

    model: str
    model_id: str = ""
    axes: str | None = None

    def __post_init__(self) -> None:
        if self.axes is not None and self.axes not in AXES:
            raise ValueError(f"axes are {self.axes!r}, expected one of {', '.join(AXES)}")
        if not self.model_id:
            object.__setattr__(self, "model_id", _model_id(self.model))

    def config(self) -> dict[str, Any]:
        """What makes an equal codec."""
        axes = {"axes": self.axes} if self.axes else {}
        return {"model": self.model, "model_id": self.model_id, **axes}

    @cached_property
    def _encoder(self) -> "Codec":
        from pixzip.api import Codec

        found = _model_id(self.model)
        if found != self.model_id:
            raise ModelMismatchError(
                f"model {self.model} has the id {found} here, the array's is {self.model_id}: "
                "what is there can be read; to write, use the pixzip that it was made with, or a new array"
            )
        return Codec(self.model)

    @cached_property
    def _weights_files(self) -> list[Path]:
        """The weights file, where the model is no shipped one and the file is here."""
        from pixzip.models import library

        return [path] if self.model not in library.shipped_paths() and (path := Path(self.model)).is_file() else []

    @cached_property
    def _decoder(self) -> "Codec":
        from pixzip.api import Codec
        from pixzip.models import library

        return Codec(self.model if self._weights_files else library.DEFAULT)

    def encode(self, chunk: NDArray[Any]) -> bytes:
        """The bytes of a chunk.

        Args:
            chunk: uint8 or uint16 of either byte order, of axes that `axes_of` takes.
        Raises:
            ValueError: it is none of these.
            UnsupportedImageError: it is too large.
            ModelMismatchError: the model is not here, or another has its name.
        """
        if chunk.dtype.kind != "u" or chunk.dtype.itemsize > 2:
            raise ValueError(f"chunk is {chunk.dtype}, expected uint8 or uint16")
        axes = axes_of(chunk.shape, self.axes)
        big = chunk.dtype.itemsize > 1 and chunk.dtype == chunk.dtype.newbyteorder(">")
        images = _to_images(chunk, axes)
        if images[..., 0].size > MAX_PIXELS:
            raise UnsupportedImageError(
                f"chunk has {images[..., 0].size} pixels, more than {MAX_PIXELS}: make the array's chunks smaller"
            )
        repeated = len(images) > 1 and bool((images == images[0]).all())
        files = self._encoder.encode_batch(list(images[:1])) if repeated else self._files(images)
        head = AXES.index(axes) | (_BIG_ENDIAN if big else 0) | (_REPEATED if repeated else 0)
        if chunk.flags.f_contiguous and not chunk.flags.c_contiguous:
            head |= _FORTRAN
        start = bytes([head]) + varint(len(images)) + varint(len(files)) + b"".join(varint(len(f)) for f in files)
        return start + crc32(start).to_bytes(4, "little") + b"".join(files)

    def _files(self, images: Array) -> list[bytes]:
        """What holds the rows of (N, H, W, C) images, from the first to the last."""
        n, h, w, c = images.shape
        if n == 1 or h * w >= SMALL_PIXELS or c in (2, 4) or images.dtype != np.uint8:
            return self._encoder.encode_batch(list(images))
        from pixzip.codec.stack import compress_stack
        from pixzip.models import library

        stacked = compress_stack(list(images), library.resolve(self.model, c), self._encoder.options.executor)
        if len(zlib.compress(images.tobytes(), 1)) > len(stacked):
            return [stacked]
        # a stack has nothing but its model: where that is beaten so easily, the images are worth a look as drawings
        high = max(1, min(_COLUMN_PIXELS // (h * w), MAX_SIDE // h))
        columns = self._encoder.encode_batch([images[i : i + high].reshape(-1, w, c) for i in range(0, n, high)])
        return min([stacked], columns, key=lambda files: sum(map(len, files)))

    def decode(self, data: bytes) -> NDArray[Any]:
        """The inverse of `encode`, shape, dtype, byte order and order of axes in memory included.

        Raises:
            BitstreamError: the bytes are damaged, truncated, foreign or hostile.
            ModelMismatchError: their model is not here, or does not run exactly here.
        """
        reader = Reader(data)
        head, n, count = reader.byte("axes"), reader.varint("number of images"), reader.varint("number of files")
        if head & _RESERVED or head & _AXES >= len(AXES) or not n or not count:
            raise BitstreamError(f"not a chunk: it starts with {data[:4].hex()}")
        if count > len(data):
            raise BitstreamError(f"chunk declares {count} files in {len(data)} bytes")
        sizes = [reader.varint("length of a file") for _ in range(count)]
        expected = crc32(data[: reader.at])
        if int.from_bytes(reader.take(4, "checksum"), "little") != expected:
            raise BitstreamError("chunk damaged: the checksum of its lengths does not match")
        if sum(sizes) != len(data) - reader.at:
            raise BitstreamError(f"chunk has {len(data) - reader.at} bytes of files, expected {sum(sizes)}")
        files = [reader.take(size, "files") for size in sizes]
        repeats = n if head & _REPEATED else 1
        _check_pixels(files, repeats)
        rows = self._rows(files)
        if len(rows) * repeats % n:
            raise BitstreamError(f"chunk has {len(rows)} rows for {n} images")
        images = rows.reshape(n // repeats, -1, *rows.shape[1:])
        return _from_images(np.repeat(images, repeats, 0), head)

    def _rows(self, files: list[bytes]) -> Array:
        """(rows, W, C), of all files below one another."""
        if stack.is_stack(files[0]) and len(files) == 1:
            from pixzip.codec.options import Options
            from pixzip.codec.stack import decompress_stack

            options = Options.decoding(self._decoder.device, self._weights_files)
            parts: list[Array] = [*decompress_stack(files[0], options).images]
        else:
            parts = [picture.samples for picture in self._decoder.decode_pictures(files)]
        kinds = {(part.shape[1:], part.dtype) for part in parts}
        if len(kinds) != 1:
            raise BitstreamError("chunk has images of several kinds")
        return np.concatenate(parts)


def _model_id(model: str) -> str:
    from pixzip.models import library

    return library.find(model).model_id.hex()


def _to_images(chunk: NDArray[Any], axes: str) -> Array:
    """(N, H, W, C) of the machine's byte order."""
    images = chunk.astype(chunk.dtype.newbyteorder("="), copy=False)
    present = [axes.index(name) for name in "NHWC" if name in axes]
    images = images.transpose(present)
    images = images if "N" in axes else images[np.newaxis]
    return np.ascontiguousarray(images if "C" in axes else images[..., np.newaxis])


def _from_images(images: Array, head: int) -> NDArray[Any]:
    """The inverse of `_to_images`.

    Raises:
        BitstreamError: the images have other axes.
    """
    axes = AXES[head & _AXES]
    if ("N" not in axes and len(images) != 1) or ("C" not in axes and images.shape[3] != 1):
        raise BitstreamError(f"chunk has images {images.shape}, its axes are {axes}")
    if head & _BIG_ENDIAN and images.dtype.itemsize == 1:
        raise BitstreamError("chunk declares a byte order for single bytes")
    chunk: NDArray[Any] = images if "C" in axes else images[..., 0]
    chunk = chunk if "N" in axes else chunk[0]
    given = [name for name in "NHWC" if name in axes]
    chunk = chunk.transpose([given.index(name) for name in axes])
    dtype = chunk.dtype.newbyteorder(">" if head & _BIG_ENDIAN else "<")
    return chunk.astype(dtype, order="F" if head & _FORTRAN else "C", copy=False)


def _check_pixels(files: list[bytes], repeats: int) -> None:
    """
    Raises:
        BitstreamError: files together have more pixels than a decoder takes.
    """
    pixels = 0
    for file in files:
        if stack.is_stack(file):
            pixels += stack.read_header(file, None).pixels
        else:
            header = container.read_header(file, None)
            pixels += header.width * header.height
    if pixels * repeats > MAX_PIXELS:
        raise BitstreamError(f"chunk has {pixels * repeats} pixels, more than the limit of {MAX_PIXELS}")
