"""The inputs of the trunk: differences of a pixel's neighbours from its MED prediction (compiled)."""

import numpy as np
from pixcodecs.compiled import compiled

from pixzip.models.wavefront.taps import MASK_A, NORTH, NORTH_WEST, WEST

_WEST, _NORTH, _NORTH_WEST = WEST, NORTH, NORTH_WEST
#: Runs of taps that are adjacent in memory: number of the first tap, and length.
_RUNS = np.array(
    [(MASK_A.index((dy, dx)), sum(row == dy for row, _ in MASK_A)) for dy, dx in MASK_A if (dy, dx - 1) not in MASK_A],
    np.int64,
)


@compiled
def features(pixels, inside, address, image, offsets, units, levels, repeated, centre, out):
    """Write MED predictions into `centre` (M, C) int32 and the first layer's inputs into `out` (M, F) int16.

    Args:
        pixels: (P, C) uint16 padded buffer.
        inside: (P,) bool: whether an address is a pixel of an image.
        address, image: (M,) int64 addresses of the pixels and numbers of their images.
        offsets: (N, T) int64 offsets of the taps' addresses.
        units: (N,) int64: a grey level of an image is 2^unit samples wide; none if all images have 8 bits.
        levels: (N,) int64: bits to shift a sample right to get 8 bits.
        repeated: (T C,) int32 scratch: the prediction for each sample of a run.
    """
    channels, taps = pixels.shape[1], offsets.shape[1]
    flat = pixels.reshape(-1)
    for i in range(address.shape[0]):
        at, off, row = address[i], offsets[image[i]], out[i]
        unit, level = 0, 0
        if units.shape[0]:
            unit, level = units[image[i]], levels[image[i]]
        half = np.int32((1 << unit) >> 1)
        for c in range(channels):
            w, n = np.int32(pixels[at + off[_WEST], c]), np.int32(pixels[at + off[_NORTH], c])
            gradient = w + n - np.int32(pixels[at + off[_NORTH_WEST], c])
            med = max(min(w, n), min(max(w, n), gradient))
            centre[i, c] = med
            row[taps * channels + c] = max(-127, (med >> level) - 128)
            for k in range(taps):
                repeated[k * channels + c] = med - half
        for r in range(_RUNS.shape[0]):
            first, length = _RUNS[r, 0], _RUNS[r, 1]
            start, target = at + off[first], first * channels
            if inside[start] and inside[start + length - 1]:
                source = flat[start * channels : (start + length) * channels]
                for j in range(length * channels):
                    difference = (np.int32(source[j]) - repeated[j]) >> unit
                    row[target + j] = max(np.int32(-127), min(np.int32(127), difference))
                continue
            for k in range(length):
                for c in range(channels):
                    difference = (np.int32(pixels[start + k, c]) - repeated[c]) >> unit
                    difference = max(np.int32(-127), min(np.int32(127), difference))
                    row[target + k * channels + c] = difference if inside[start + k] else np.int32(0)
