"""Quantised DCT coefficients of one channel, coded block by block; `docs/format.md`, section 17.5.

The order within a block and the predictions across its borders are those of Lepton [1]: first the 49 coefficients of
both frequencies, then the first row and the first column, which continuity with the blocks above and to the left
predicts, then DC, which the samples beside the borders predict.  Unlike [1], contexts are mixed.

[1] D. Horn et al., The design, implementation and deployment of a system to transparently compress hundreds of
    petabytes of image files for a file-storage service, NSDI 2017.
"""

import numpy as np

from pixcodecs.compiled import compiled, inlined
from pixcodecs.jpeg.constant import MOST, code_constant
from pixcodecs.jpeg.edges import code_edge
from pixcodecs.jpeg.inner import code_count, code_inner
from pixcodecs.jpeg.inverse import inverse
from pixcodecs.jpeg.numbers import Around

_MOST = MOST


@inlined
def _decode(here, quant, block):
    """What a block decodes to; whether its coefficients are in their range."""
    good = True
    for k in range(64):
        good = good and -_MOST <= here[k] <= _MOST
        block[k] = np.int64(here[k]) * quant[k]
    inverse(block)
    return good


@compiled
def code_plane(d, kind, coefficients, beside, luma, counts, samples, quant, order, ratios, block):
    """Code the coefficients of a channel.

    Args:
        kind: 0 for luma, 1 for Cb, 2 for Cr.
        coefficients: (rows, columns, 64) int16, row by row; read or written.
        beside: the coefficients of Cb, for Cr; any others otherwise.
        luma: `counts` of luma, for chroma; any otherwise.
        counts: (rows, columns, 3) int16, written: coefficients that are not zero, inner ones, and of the first row and
            the first column.
        samples: (8 rows, 8 columns) int16, written: what the coefficients decode to, less 128, without a limit.
        quant: (64,) int64.
        order: (49,) int64: places of the inner coefficients.
        ratios: (8,) int64, see `edges`.
        block: (64,) int64, for this function's use.
    """
    rows, columns = coefficients.shape[0], coefficients.shape[1]
    chroma = np.int64(kind > 0)
    for by in range(rows):
        for bx in range(columns):
            if d.control[2]:
                return
            up, aside, has_above, has_left = max(by - 1, 0), max(bx - 1, 0), np.int64(by > 0), np.int64(bx > 0)
            n_other = np.int64(0)
            if chroma:
                n_other = np.int64(luma[by * luma.shape[0] // rows, bx * luma.shape[1] // columns, 0])
            here = coefficients[by, bx]
            r = Around(
                here, coefficients[up, bx], coefficients[by, aside], coefficients[up, aside],
                beside[by, bx] if kind == 2 else here, has_above, has_left, np.int64(kind == 2), chroma, n_other,
            )  # fmt: skip
            n_above, n_left = counts[up, bx, 0] * has_above, counts[by, aside, 0] * has_left
            n = code_count(d, r, order, n_above, n_left)
            if n > 49:
                d.control[2] = 1
                return
            counts[by, bx, 0] = n
            code_inner(d, r, order, n)
            edge = np.int64(0)
            for side in range(2):
                n_above, n_left = counts[up, bx, 1 + side] * has_above, counts[by, aside, 1 + side] * has_left
                edge = code_edge(d, r, side, n, edge, n_above, n_left, quant, ratios)
                counts[by, bx, 1 + side] = edge
            dc = here[0]
            here[0] = 0
            good = _decode(here, quant, block)
            here[0] = dc
            n_all = n + counts[by, bx, 1] + counts[by, bx, 2]
            if not (good and code_constant(d, r, n_all, samples, 8 * by, 8 * bx, quant, block)):
                d.control[2] = 1
                return
            _decode(here, quant, block)
            for i in range(64):
                samples[8 * by + (i >> 3), 8 * bx + (i & 7)] = min(max(block[i], -2048), 2047)
