"""Lossless image compression by a learned model, decoded bit for bit on any machine.

Importing this package registers `.pxz` files with Pillow.  PyTorch is imported at the first call that needs it.
"""

from typing import TYPE_CHECKING, Any

from pixcodecs import forking as _forking  # noqa: F401 (from now on, forks wait for what they must not interrupt)

from pixzip.adapters import pillow as _pillow_plugin

if TYPE_CHECKING:
    from pixcodecs.errors import BitstreamError, ModelMismatchError, PixzipError, UnsupportedImageError

    from pixzip.api import (
        Codec,
        bits_map,
        compress,
        compress_tree,
        decode,
        decode_batch,
        decode_pages,
        decode_stack,
        decompress,
        encode,
        encode_batch,
        encode_stack,
        info,
        open,  # noqa: A004
        restore,
        save,
        verify,
    )

__all__ = [
    "BitstreamError", "Codec", "ModelMismatchError", "PixzipError", "UnsupportedImageError",
    "bits_map", "compress", "compress_tree", "decode", "decode_batch", "decode_pages", "decode_stack", "decompress",
    "encode", "encode_batch", "encode_stack", "info", "open", "restore", "save", "verify",
]  # fmt: skip

_pillow_plugin.register()


def __getattr__(name: str) -> Any:
    """Import a public name at first access."""
    from importlib import import_module

    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "pixcodecs.errors" if name.endswith("Error") else "pixzip.api"
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
