"""Limits of the memory for decoded samples, in proportion to the file: `docs/format.md`, section 1.0."""

from pixcodecs.container.image import Buffer, Header
from pixcodecs.container.limits import LIFT, MAX_SAMPLE_BYTES, MAX_TILE_PIXELS, SAMPLE_BYTES_A_BYTE
from pixcodecs.errors import BitstreamError


def check_memory(data: Buffer, header: Header, pixel_bytes: int = 0) -> None:
    """Refuse files whose samples take memory out of proportion.

    Args:
        pixel_bytes: further bytes for each pixel that are kept beside the samples.
    Raises:
        BitstreamError: the samples are more than a reader takes by default.
    """
    most = MAX_SAMPLE_BYTES + SAMPLE_BYTES_A_BYTE * len(data)
    needed = header.subpixels * (1 if header.depth <= 8 else 2) + header.width * header.height * pixel_bytes
    if needed > most:
        found = f"{needed} bytes of samples in {len(data)} bytes"
        raise BitstreamError(f"image has {found}, more than the limit of {most}: {LIFT}")


def check_tile(header: Header) -> None:
    """
    Raises:
        BitstreamError: tiles are larger than a reader takes by default.
    """
    tile = min(header.tile_width, header.width) * min(header.tile_height, header.height)
    if tile > MAX_TILE_PIXELS:
        raise BitstreamError(f"image has a tile of {tile} pixels, more than the limit of {MAX_TILE_PIXELS}: {LIFT}")
