"""The Zarr 3 codec for chunks of images: a serializer for arrays of format 3, specified in `docs/zarr-codec/`."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pixcodecs.errors import BitstreamError
from zarr.abc.codec import ArrayBytesCodec
from zarr.registry import register_codec

from pixzip.adapters.chunks import ChunkCodec

if TYPE_CHECKING:
    from zarr.core.array_spec import ArraySpec
    from zarr.core.buffer import Buffer, NDBuffer
    from zarr.core.chunk_grids import ChunkGrid
    from zarr.core.dtype import ZDType

NAME = "pixzip"


@dataclass(frozen=True)
class PixzipCodec(ArrayBytesCodec):
    """Codes uint8 and uint16 chunks of images; see `pixzip.adapters.chunks.ChunkCodec`.

    Arrays of other dtypes or of fewer than two axes raise a ValueError when they are created.

    Args:
        model: name of a shipped model ("large" is smallest, "fast" fastest), or path of a weights file.
        model_id: id of the model; None takes it from the installed model.
        axes: a letter for each axis, such as "NHWC"; None for the default of the shape.
        effort: 1, fastest, to 9, smallest; None for the default.
        dtype: "uint8" or "uint16", if filters before the codec convert the array's dtype to it; None for the array's.

    >>> import numpy as np, zarr
    >>> images = np.zeros((20, 32, 32, 3), np.uint8)
    >>> array = zarr.create_array(
    ...     {}, data=images, chunks=(10, 32, 32, 3), serializer=PixzipCodec("fast"), compressors=None
    ... )
    >>> bool((array[5:15] == images[5:15]).all())
    True
    """

    is_fixed_size = False

    model: str = "base"
    model_id: str | None = None
    axes: str | None = None
    effort: int | None = None
    dtype: str | None = None
    _chunks: ChunkCodec = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_chunks", ChunkCodec(self.model, self.model_id or "", self.axes, self.effort))
        object.__setattr__(self, "model", self._chunks.model)
        object.__setattr__(self, "model_id", self._chunks.model_id)
        if self.dtype not in (None, "uint8", "uint16"):
            raise ValueError(f"dtype is {self.dtype!r}, expected uint8 or uint16")

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The codec described by metadata."""
        return cls(**data.get("configuration", {}))

    def to_dict(self) -> dict[str, Any]:
        """The metadata, including the model's id."""
        converted = {} if self.dtype is None else {"dtype": self.dtype}
        return {"name": NAME, "configuration": {**self._chunks.config(), **converted}}

    def validate(
        self, *, shape: tuple[int, ...], dtype: "ZDType[Any, Any]", chunk_grid: "ChunkGrid"
    ) -> None:  # fmt: skip
        """Check an array that is created or opened.

        Raises:
            ValueError: no chunk of such an array can be coded.
        """
        self._chunks.check(len(shape), np.dtype(self.dtype) if self.dtype else dtype.to_native_dtype())

    def evolve_from_array_spec(self, array_spec: "ArraySpec") -> Self:
        """The codec itself, after `validate`, which Zarr does not call for the codecs within shards."""
        self.validate(shape=array_spec.shape, dtype=array_spec.dtype, chunk_grid=None)  # type: ignore[arg-type]
        return self

    def _encode_sync(self, chunk: "NDBuffer", spec: "ArraySpec") -> "Buffer":
        return spec.prototype.buffer.from_bytes(self._chunks.encode(chunk.as_numpy_array()))

    def _decode_sync(self, data: "Buffer", spec: "ArraySpec") -> "NDBuffer":
        chunk = self._chunks.decode(data.to_bytes())
        dtype = spec.dtype.to_native_dtype()
        if chunk.shape != spec.shape or chunk.dtype.itemsize != dtype.itemsize:
            found, expected = f"{chunk.dtype} {chunk.shape}", f"{dtype} {spec.shape}"
            raise BitstreamError(f"chunk has {found}, the array's have {expected}")
        return spec.prototype.nd_buffer.from_numpy_array(np.asarray(chunk, dtype))

    async def _encode_single(self, chunk_data: "NDBuffer", chunk_spec: "ArraySpec") -> "Buffer":
        return await asyncio.to_thread(self._encode_sync, chunk_data, chunk_spec)

    async def _decode_single(self, chunk_data: "Buffer", chunk_spec: "ArraySpec") -> "NDBuffer":
        return await asyncio.to_thread(self._decode_sync, chunk_data, chunk_spec)

    def compute_encoded_size(self, input_byte_length: int, chunk_spec: "ArraySpec") -> int:
        """Raise NotImplementedError: the shape does not determine the size."""
        raise NotImplementedError


register_codec(NAME, PixzipCodec)
