"""Samples of a subsampled channel at a pixel: libjpeg's "fancy" interpolation [1] and plain repetition.

[1] libjpeg-turbo, jdsample.c: `h2v1_fancy_upsample`, `h1v2_fancy_upsample`, `h2v2_fancy_upsample`.
"""

from pixcodecs.compiled import inlined


@inlined
def sample_at(plane, y, x, vertical, horizontal, fancy, rows, columns):
    """The sample of a channel at a pixel of the picture.

    Args:
        plane: samples of the channel, in whole blocks.
        y, x: the pixel.
        vertical, horizontal: pixels for each sample, 1 or 2.
        fancy: whether to interpolate.
        rows, columns: samples of the plane to use; beyond them the last one is repeated.
    """
    row, column = y // vertical, x // horizontal
    near = plane[row, column]
    if not fancy or (vertical == 1 and horizontal == 1) or (horizontal == 2 and columns <= 2):
        return near
    odd_y, odd_x = y & 1, x & 1
    below = min(max(row + 2 * odd_y - 1, 0), rows - 1)
    beside = min(max(column + 2 * odd_x - 1, 0), columns - 1)
    if horizontal == 1:
        return (3 * near + plane[below, column] + 1 + odd_y) >> 2
    if vertical == 1:
        return (3 * near + plane[row, beside] + 1 + odd_x) >> 2
    here = 3 * near + plane[below, column]
    there = 3 * plane[row, beside] + plane[below, beside]
    return (3 * here + there + 8 - odd_x) >> 4
