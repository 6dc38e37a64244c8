"""A numcodecs codec for chunks of images, for arrays of Zarr format 2 and other programs that use numcodecs.

numcodecs finds the codec if pixzip is installed; otherwise, importing this module registers it.
"""

try:
    from pixzip.adapters.numcodecs_codec import Pixzip
except ImportError as e:
    raise ImportError(f"pixzip.numcodecs needs numcodecs: pip install numcodecs ({e})") from e

__all__ = ["Pixzip"]
