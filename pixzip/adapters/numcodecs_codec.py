"""The numcodecs codec for chunks of images: a compressor for Zarr arrays of format 2.

numcodecs finds the codec if pixzip is installed; otherwise, importing this module registers it.
"""

from typing import Any, Self

import numpy as np
from numcodecs import registry
from numcodecs.abc import Codec
from numcodecs.compat import ensure_bytes, ensure_ndarray_like, ndarray_copy
from numpy.typing import NDArray
from pixcodecs.errors import BitstreamError

from pixzip.adapters.chunks import ChunkCodec


class Pixzip(Codec):  # type: ignore[misc]  # numcodecs is untyped
    """Codes uint8 and uint16 chunks of images; see `pixzip.adapters.chunks.ChunkCodec`.

    numcodecs does not tell a codec the array's dtype and shape before the first chunk, so that others are refused then.

    Args:
        model: name of a shipped model ("large" is smallest, "fast" fastest), or path of a weights file.
        model_id: id of the model; None takes it from the installed model.
        axes: a letter for each axis, such as "NHWC"; None for the default of the shape.
        effort: 1, fastest, to 9, smallest; None for the default.

    >>> import numpy as np
    >>> codec = Pixzip("fast")
    >>> chunk = np.zeros((10, 32, 32, 3), ">u2")
    >>> decoded = codec.decode(codec.encode(chunk))
    >>> decoded.dtype, decoded.shape
    (dtype('>u2'), (10, 32, 32, 3))
    """

    codec_id = "pixzip"

    def __init__(
        self, model: str = "base", model_id: str | None = None, axes: str | None = None, effort: int | None = None
    ) -> None:  # fmt: skip
        self._chunks = ChunkCodec(model, model_id or "", axes, effort)

    def encode(self, buf: Any) -> bytes:
        """The bytes of a chunk.

        Raises:
            ValueError, PixzipError: see `pixzip.adapters.chunks.ChunkCodec.encode`.
        """
        return self._chunks.encode(np.asarray(ensure_ndarray_like(buf)))

    def decode(self, buf: Any, out: Any = None) -> NDArray[Any]:
        """The inverse of `encode`.

        Args:
            out: an array or buffer of the same number of bytes to fill.
        Raises:
            BitstreamError, ModelMismatchError: see `pixzip.adapters.chunks.ChunkCodec.decode`.
        """
        chunk = self._chunks.decode(ensure_bytes(buf))
        if out is None:
            return chunk
        size = ensure_ndarray_like(out).nbytes
        if size != chunk.nbytes:
            raise BitstreamError(f"chunk has {chunk.nbytes} bytes of pixels, expected {size}")
        filled: NDArray[Any] = ndarray_copy(chunk, out)
        return filled

    def get_config(self) -> dict[str, Any]:
        """The JSON metadata, including the model's id."""
        return {"id": self.codec_id, **self._chunks.config()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of `get_config`."""
        return cls(**{name: value for name, value in config.items() if name != "id"})

    def __repr__(self) -> str:
        fields = (f"{name}={value!r}" for name, value in self._chunks.config().items())
        return f"{type(self).__name__}({', '.join(fields)})"


registry.register_codec(Pixzip)
