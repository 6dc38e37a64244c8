"""PNG files of samples alone by libpng (imagecodecs), with room for every image.

imagecodecs writes into a buffer of fixed size, and its own estimate of that size leaves out the filter byte of each
row: noise of few columns does not fit, and some such files end early without an error.
"""

import imagecodecs
import numpy as np
import png

from pixzip.image.picture import Samples


def encode(samples: Samples, level: int | None = None) -> bytes:
    """The PNG file of samples, filtered as libpng chooses.

    Args:
        samples: (H, W, C) uint8 or uint16.
        level: compression level of zlib, 0 to 9; None for libpng's own.
    """
    filtered = len(samples) + samples.nbytes  # a byte per row names its filter
    room = filtered + filtered // 4 + 4096  # deflate adds less than 1/7, and the head of a chunk is 12 bytes of 8192
    squeezed = np.ascontiguousarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    return bytes(imagecodecs.png_encode(squeezed, level=level, out=room))


def idat(file: bytes) -> list[bytes]:
    """The bodies of a PNG file's IDAT chunks; joined, they are its zlib stream."""
    return [bytes(body) for kind, body in png.Reader(bytes=file).chunks() if kind == b"IDAT"]
