"""The entropy coders by name; wire ids are written by hand and permanent."""

from pixcodecs.coders import range as range_coder
from pixcodecs.coders import range_numba, rans_numba
from pixcodecs.coders.base import EntropyCoder, Shape


def _range_encoder(shape: Shape) -> range_coder.Encoder:
    return range_coder.Encoder()


def _range_decoder(payload: bytes, shape: Shape) -> range_coder.Decoder:
    return range_coder.Decoder(payload, shape.subpixels)


def _rans_decoder(payload: bytes, shape: Shape) -> rans_numba.Decoder:
    return rans_numba.Decoder(payload)


#: The smallest payloads, decoded symbol by symbol.
RANGE = EntropyCoder(
    "range", 2, 9,
    encoder=_range_encoder,
    decoder=_range_decoder,
    from_edges=range_numba.from_edges,
)  # fmt: skip
#: Payloads about 0.05 % larger, which a GPU decodes with many threads in parallel.
RANS = EntropyCoder(
    "rans", 11, 12,
    encoder=rans_numba.Encoder,
    decoder=_rans_decoder,
    from_edges=rans_numba.from_edges,
    variants=rans_numba.with_all_lanes,
    most_pixels=4 << 20,  # 48 bytes of shares per pixel of 8-bit RGB
)  # fmt: skip

CODERS: dict[str, EntropyCoder] = {coder.name: coder for coder in (RANGE, RANS)}


def coder_of_kind(kind: int) -> EntropyCoder | None:
    """The coder whose blocks, of any depth, have this wire id; None if there is none."""
    return next((coder for coder in CODERS.values() if kind in (coder.kind, coder.high_depth_kind)), None)
