"""Constants of JPEG: the zigzag, the standard tables of quantisation and their scaling by a quality.

[1] ITU-T Recommendation T.81, figure A.6 and annex K.1; libjpeg, jcparam.c, `jpeg_quality_scaling`.
"""

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.int64]

#: Place (row by row) of each coefficient in the order of a JPEG.
ZIGZAG: Table = np.array(sorted(range(64), key=lambda k: (
    k // 8 + k % 8, k // 8 if (k // 8 + k % 8) % 2 else k % 8
)), np.int64)  # fmt: skip
#: The same without the first row and column.
INNER: Table = np.array([k for k in ZIGZAG if k >= 8 and k % 8], np.int64)
#: cos(pi k / 16) sqrt(2) of frequency k > 0, and 1 for 0, of 2^13.
RATIOS: Table = np.array([8192, 11363, 10703, 9633, 8192, 6436, 4433, 2260], np.int64)

_LUMA = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_CHROMA = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99, *(99,) * 32,
)  # fmt: skip


def standard(quality: int, chroma: bool) -> Table:
    """The (64,) standard table of a quality, 1 to 100, row by row."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((np.array(_CHROMA if chroma else _LUMA, np.int64) * scale + 50) // 100, 1, 255)
