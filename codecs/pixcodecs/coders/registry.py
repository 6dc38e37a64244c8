"""The entropy coders by name; wire ids are written by hand and permanent."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from pixcodecs.coders.base import EntropyCoder


def _later(module: str, name: str) -> Callable[..., Any]:
    """A function of a module of this package, which is imported at the first call: kernels take long to load."""
    return lambda *args: getattr(import_module(f"pixcodecs.coders.{module}"), name)(*args)


#: The smallest payloads, decoded symbol by symbol.
RANGE = EntropyCoder(
    "range", 2, 9,
    encoder=lambda shape: _later("range", "Encoder")(),
    decoder=lambda payload, shape: _later("range", "Decoder")(payload, shape.subpixels),
    from_edges=_later("range_numba", "from_edges"),
)  # fmt: skip
#: Payloads about 0.05 % larger, which a GPU decodes with many threads in parallel.
RANS = EntropyCoder(
    "rans", 11, 12,
    encoder=_later("rans_numba", "Encoder"),
    decoder=lambda payload, shape: _later("rans_numba", "Decoder")(payload),
    from_edges=_later("rans_numba", "from_edges"),
    variants=_later("rans_numba", "with_all_lanes"),
    most_pixels=4 << 20,  # 48 bytes of shares per pixel of 8-bit RGB
)  # fmt: skip

CODERS: dict[str, EntropyCoder] = {coder.name: coder for coder in (RANGE, RANS)}


def coder_of_kind(kind: int) -> EntropyCoder | None:
    """The coder whose blocks, of any depth, have this wire id; None if there is none."""
    return next((coder for coder in CODERS.values() if kind in (coder.kind, coder.high_depth_kind)), None)
