"""Samples of subsampled chroma, from chroma at each pixel: the inverse of "fancy" upsampling by least squares.

Upsampling by weights of 3/4 and 1/4 has singular values between 1/2 and 2 in each direction, so that Chebyshev's
iteration [1] inverts it in a few steps of a known number, without sums over the picture.

[1] G. Golub, R. Varga, Chebyshev semi-iterative methods, Numerische Mathematik 3, 1961.
"""

import numpy as np
from numpy.typing import NDArray

from pixcodecs.compiled import compiled

Plane = NDArray[np.float32]

#: Squares of singular values, for two directions.
_LEAST, _MOST = 0.22, 4.2


@compiled
def upsample(samples, vertical, horizontal, fancy, rows, columns, line, out):
    """Upsampling without rounding, of samples that need not be integers.

    Args:
        samples: (rows of blocks, columns) float32.
        rows, columns: samples that are used.
        line: (columns,) float32, for this function's use.
        out: (H, W) float32 in the picture of luma's blocks, written.
    """
    width = out.shape[1]
    for y in range(out.shape[0]):
        row = min(y // vertical, samples.shape[0] - 1)
        below = min(max(row + 2 * (y & 1) - 1, 0), rows - 1) if fancy and vertical == 2 else row
        for j in range(samples.shape[1]):
            line[j] = np.float32(0.75) * samples[row, j] + np.float32(0.25) * samples[below, j]
        if horizontal == 1:
            for x in range(width):
                out[y, x] = line[x]
        elif not fancy:
            for x in range(width):
                out[y, x] = line[x >> 1]
        else:
            for x in range(width):
                column = min(x >> 1, samples.shape[1] - 1)
                beside = min(max(column + 2 * (x & 1) - 1, 0), columns - 1)
                out[y, x] = np.float32(0.75) * line[column] + np.float32(0.25) * line[beside]


@compiled
def _fold(full, vertical, horizontal, fancy, rows, columns, line, out):
    """The transpose of `upsample`: what pixels add to samples."""
    out[:] = 0
    for y in range(full.shape[0]):
        row = min(y // vertical, out.shape[0] - 1)
        below = min(max(row + 2 * (y & 1) - 1, 0), rows - 1) if fancy and vertical == 2 else row
        if horizontal == 1:
            for x in range(full.shape[1]):
                line[x] = full[y, x]
        else:
            line[:] = 0
            for x in range(full.shape[1]):
                column = min(x >> 1, out.shape[1] - 1)
                beside = min(max(column + 2 * (x & 1) - 1, 0), columns - 1) if fancy else column
                line[column] += np.float32(0.75) * full[y, x]
                line[beside] += np.float32(0.25) * full[y, x]
        for j in range(out.shape[1]):
            out[row, j] += np.float32(0.75) * line[j]
            out[below, j] += np.float32(0.25) * line[j]


@compiled
def _remains(full, is_known, out):
    """What known pixels lack to `out`, into `out`; 0 elsewhere."""
    for y in range(full.shape[0]):
        for x in range(full.shape[1]):
            out[y, x] = full[y, x] - out[y, x] if is_known[y, x] else np.float32(0)


def unfold(
    full: Plane, is_known: NDArray[np.uint8], samples: Plane, vertical: int, horizontal: int, fancy: bool,
    rows: int, columns: int, steps: int = 18,
) -> None:  # fmt: skip
    """Improve samples until their upsampling comes nearest to the known pixels.

    Args:
        full: (H, W): chroma at each pixel.
        is_known: (H, W): pixels that count.
        samples: (rows of blocks, columns), a first guess, which is changed; samples that no pixel shows stay.
        rows, columns: samples that are used.
    """
    line, out, fold = np.empty(full.shape[1], np.float32), np.empty_like(full), np.empty_like(samples)
    middle, half = (_MOST + _LEAST) / 2, (_MOST - _LEAST) / 2
    step, alpha = np.zeros_like(samples), 0.0
    for n in range(steps):
        upsample(samples, vertical, horizontal, fancy, rows, columns, line, out)
        _remains(full, is_known, out)
        _fold(out, vertical, horizontal, fancy, rows, columns, line, fold)
        beta = 0.0 if n == 0 else (half * alpha) ** 2 / (2 if n == 1 else 4)
        before, alpha = alpha, 1 / (middle - (beta / alpha if n else 0.0))
        step *= np.float32(alpha * beta / before if n else 0.0)
        step += np.float32(alpha) * fold
        samples += step
