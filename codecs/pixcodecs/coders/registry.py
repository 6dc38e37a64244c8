"""The entropy coders by name; wire ids are written by hand and permanent."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from pixcodecs.coders.base import EntropyCoder, Shape


def _call(module: str, name: str, *args: Any) -> Any:
    return getattr(import_module(f"pixcodecs.coders.{module}"), name)(*args)


def _later(module: str, name: str) -> Callable[..., Any]:
    """A function of a module of this package, which is imported at the first call: kernels take long to load."""
    return partial(_call, module, name)


def _range_encoder(shape: Shape) -> Any:
    return _call("range", "Encoder")


def _range_decoder(payload: bytes, shape: Shape) -> Any:
    return _call("range", "Decoder", payload, shape.subpixels)


def _rans_decoder(payload: bytes, shape: Shape) -> Any:
    return _call("rans_numba", "Decoder", payload)


#: The smallest payloads, decoded symbol by symbol.
RANGE = EntropyCoder(
    "range", 2, 9,
    encoder=_range_encoder,
    decoder=_range_decoder,
    from_edges=_later("range_numba", "from_edges"),
)  # fmt: skip
#: Payloads about 0.05 % larger, which a GPU decodes with many threads in parallel.
RANS = EntropyCoder(
    "rans", 11, 12,
    encoder=_later("rans_numba", "Encoder"),
    decoder=_rans_decoder,
    from_edges=_later("rans_numba", "from_edges"),
    variants=_later("rans_numba", "with_all_lanes"),
    most_pixels=4 << 20,  # 48 bytes of shares per pixel of 8-bit RGB
)  # fmt: skip

CODERS: dict[str, EntropyCoder] = {coder.name: coder for coder in (RANGE, RANS)}


def coder_of_kind(kind: int) -> EntropyCoder | None:
    """The coder whose blocks, of any depth, have this wire id; None if there is none."""
    return next((coder for coder in CODERS.values() if kind in (coder.kind, coder.high_depth_kind)), None)
