"""Zarr: a codec for chunks of images, a serializer for arrays of format 3; and copies of arrays that are coded by it.

Zarr finds the codec if pixzip is installed; otherwise, importing this module registers it.
"""

try:
    from pixzip.adapters.recompress import Recompressed, recompress
    from pixzip.adapters.zarr_codec import PixzipCodec
except ImportError as e:
    raise ImportError(f"pixzip.zarr needs zarr 3 and numcodecs: pip install 'zarr>=3' numcodecs ({e})") from e

__all__ = ["PixzipCodec", "Recompressed", "recompress"]
