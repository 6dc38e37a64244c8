"""Convert chunks of image arrays to bytes and back, for Zarr and other chunked arrays.

`docs/zarr.md` specifies the axes, the bytes of a chunk, and when images become a stack.  This module does not
import PyTorch, so that an array's metadata can be read without it.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pixcodecs.container import image as container
from pixcodecs.container import stack
from pixcodecs.container.image import MAX_PIXELS
from pixcodecs.container.limits import MAX_SIDE
from pixcodecs.errors import BitstreamError, ModelMismatchError, UnsupportedImageError
from pixcodecs.forking import cached_property
from pixcodecs.primitives import Reader, crc32, varint

from pixzip.adapters import axes as chunk_axes
from pixzip.io import arguments

if TYPE_CHECKING:
    from pixzip.api import Codec

Array = NDArray[np.unsignedinteger[Any]]

#: Images with fewer pixels are small: a header per image would be a large part of their bytes.
SMALL_PIXELS = 4096
#: Most pixels of a picture that stacks small images vertically.
_COLUMN_PIXELS = 1 << 16
#: Number of the full stage in files.
_FULL = 2
_AXES, _BIG_ENDIAN, _FORTRAN, _REPEATED, _RESERVED = 0x07, 0x08, 0x10, 0x20, 0xC0


@dataclass(frozen=True)
class ChunkCodec:
    """Converts arrays of images to bytes and back.

    Args:
        model: name of a shipped model, or path of a weights file.
        model_id: expected id of the model; "" for any.
        axes: a letter for each axis: H and W, rows and columns, side by side; C, channels, at most once; N, images, any
            number of times.  None for the default of `axes.axes_of`.
        effort: 1 to 9, for the stage and the search of encoders (`docs/shell.md`); None for the default.
    Raises:
        TypeError: the model or its id is no text, or the effort no integer.
        ValueError: there are no such axes, or the effort is out of range.
        ModelMismatchError: there is no such model; with an id, only encoding raises this.
    """

    model: str
    model_id: str = ""
    axes: str | None = None
    effort: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", arguments.text(self.model, "model"))
        object.__setattr__(self, "model_id", arguments.text(self.model_id, "model_id"))
        if self.axes is not None and not chunk_axes.is_valid(arguments.text(self.axes, "axes")):
            raise ValueError(f"axes are {self.axes!r}, expected {', '.join(chunk_axes.PLAIN)}, or more axes N")
        if self.effort is not None:
            object.__setattr__(self, "effort", arguments.effort(self.effort))
        if not self.model_id:
            object.__setattr__(self, "model_id", _model_id(self.model))

    def config(self) -> dict[str, Any]:
        """The arguments that create an equal codec."""
        given = {"axes": self.axes, "effort": self.effort}
        return {"model": self.model, "model_id": self.model_id, **{k: v for k, v in given.items() if v is not None}}

    def check(self, axes: int, dtype: np.dtype[Any]) -> None:
        """Check, before there are chunks, for errors that `encode` would raise for all chunks of an array.

        Args:
            axes: number of axes.
        Raises:
            ValueError: the array has another dtype, or another number of axes.
        """
        _check_dtype("array", dtype)
        chunk_axes.check_count(axes, self.axes)

    @cached_property
    def _encoder(self) -> "Codec":
        from pixzip.api import Codec

        found = _model_id(self.model)
        if found != self.model_id:
            raise ModelMismatchError(
                f"model {self.model} has the id {found} here, the array's is {self.model_id}: "
                "what is there can be read; to write, use the pixzip that it was made with, or a new array"
            )
        return Codec(self.model) if self.effort is None else Codec(self.model, effort=self.effort)

    @cached_property
    def _weights_files(self) -> list[Path]:
        """The weights file, if it exists and the model is not a shipped one."""
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
            chunk: uint8 or uint16 of either byte order, with axes that `axes.axes_of` accepts.
        Raises:
            ValueError: the chunk has another dtype or other axes.
            UnsupportedImageError: the chunk is too large.
            ModelMismatchError: the model is missing, or its name belongs to another model.
        """
        _check_dtype("chunk", chunk.dtype)
        axes = chunk_axes.axes_of(chunk.shape, self.axes)
        big = chunk.dtype.itemsize > 1 and chunk.dtype == chunk.dtype.newbyteorder(">")
        images = chunk_axes.to_images(chunk, axes)
        if images[..., 0].size > MAX_PIXELS:
            raise UnsupportedImageError(
                f"chunk has {images[..., 0].size} pixels, more than {MAX_PIXELS}: make the array's chunks smaller"
            )
        repeated = len(images) > 1 and bool((images == images[0]).all())
        files = self._pictures(images[:1]) if repeated else self._files(images)
        number, named = chunk_axes.pack(axes, chunk.shape)
        head = number | (_BIG_ENDIAN if big else 0) | (_REPEATED if repeated else 0)
        if chunk.flags.f_contiguous and not chunk.flags.c_contiguous:
            head |= _FORTRAN
        start = (
            bytes([head]) + named + varint(len(images)) + varint(len(files)) + b"".join(varint(len(f)) for f in files)
        )
        return start + crc32(start).to_bytes(4, "little") + b"".join(files)

    def _pictures(self, images: Iterable[Array]) -> list[bytes]:
        """A file of each (H, W, C) image."""
        from pixzip.codec import compress

        return compress(list(images), self._encoder.options)

    def _files(self, images: Array) -> list[bytes]:
        """The files that hold the rows of (N, H, W, C) images, from first to last."""
        n, h, w, c = images.shape
        if n == 1 or h * w >= SMALL_PIXELS or c in (2, 4) or images.dtype != np.uint8:
            return self._pictures(images)
        stacked = self._stacked(images)
        # a stack codes with its model only: if that is so easily beaten, try the images as drawings
        if stacked and len(zlib.compress(images.tobytes(), 1)) > len(stacked) * (2 if _learns(stacked) else 1):
            return [stacked]
        high = max(1, min(_COLUMN_PIXELS // (h * w), MAX_SIDE // h))
        columns = self._pictures([images[i : i + high].reshape(-1, w, c) for i in range(0, n, high)])
        return min([stacked] if stacked else columns, columns, key=lambda files: sum(map(len, files)))

    def _stacked(self, images: Array) -> bytes:
        """The stack of (N, H, W, C) images; empty where readers would refuse it: so many pixels in so few bytes."""
        try:
            return self._encoder.encode_stack(images[..., 0] if images.shape[3] == 1 else images)
        except BitstreamError:
            return b""

    def decode(self, data: bytes) -> NDArray[Any]:
        """The inverse of `encode`, including shape, dtype, byte order and memory layout.

        Raises:
            BitstreamError: the bytes are damaged, truncated, foreign or hostile.
            ModelMismatchError: the model is missing, or does not run exactly here.
        """
        reader = Reader(data)
        head = reader.byte("axes")
        axes, lengths = chunk_axes.unpack(head & _AXES, reader)
        n, count = reader.varint("number of images"), reader.varint("number of files")
        if head & _RESERVED or not n or not count:
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
        return _in_memory(chunk_axes.from_images(np.repeat(images, repeats, 0), axes, lengths), head)

    def _rows(self, files: list[bytes]) -> Array:
        """(rows, W, C) samples of all files, stacked vertically."""
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


def _learns(stacked: bytes) -> bool:
    """Whether a stack has the full stage, which makes small files of drawings, too."""
    return stack.read_header(stacked, None).stage == _FULL


def _model_id(model: str) -> str:
    from pixzip.models import library

    return library.find(model).model_id.hex()


def _check_dtype(what: str, dtype: np.dtype[Any]) -> None:
    if dtype.kind != "u" or dtype.itemsize > 2:
        raise ValueError(f"{what} is {dtype}, expected uint8 or uint16")


def _in_memory(chunk: Array, head: int) -> NDArray[Any]:
    """A chunk in the byte order and memory layout that its head declares.

    Raises:
        BitstreamError: single bytes have no byte order.
    """
    if head & _BIG_ENDIAN and chunk.dtype.itemsize == 1:
        raise BitstreamError("chunk declares a byte order for single bytes")
    dtype = chunk.dtype.newbyteorder(">" if head & _BIG_ENDIAN else "<")
    return chunk.astype(dtype, order="F" if head & _FORTRAN else "C", copy=False)


def _check_pixels(files: list[bytes], repeats: int) -> None:
    """
    Raises:
        BitstreamError: the files have more pixels in total than a decoder accepts.
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
