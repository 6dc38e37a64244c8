"""The causal neighbourhood of a pixel: taps of the masked convolutions.

A tap is an offset ``(dy, dx)`` to an earlier pixel.  Pixel ``(y, x)`` is coded at wavefront step
``t = x + 2 y`` (the skewed map of PixelRNN's Diagonal LSTM [1] with a slope of two), so a tap is legal
when ``dx + 2 dy < 0``: then every pixel of a step depends only on earlier steps.  The centre ``(0, 0)`` is
legal for features (mask B) and illegal for pixels (mask A).

[1] van den Oord, Kalchbrenner, Kavukcuoglu, Pixel Recurrent Neural Networks, 2016 (arXiv 1601.06759).
"""

SLOPE = 2

#: Taps of the first layer, which reads pixels: four to the left, then neighbours in up to six rows above.
MASK_A: tuple[tuple[int, int], ...] = (
    *((0, dx) for dx in range(-4, 0)),
    *((-1, dx) for dx in range(-4, 2)),
    *((-2, dx) for dx in range(-4, 4)),
    *((-3, dx) for dx in range(-2, 4)),
)

#: Positions in `MASK_A` of the neighbours for the MED prediction.
WEST, NORTH, NORTH_WEST = (MASK_A.index(tap) for tap in ((0, -1), (-1, 0), (-1, -1)))

#: Taps of deeper layers, which read features: the centre and its four causal neighbours.
MASK_B: tuple[tuple[int, int], ...] = ((0, 0), (0, -1), (-1, -1), (-1, 0), (-1, 1))

#: Taps of a 1x1 layer, which reads features of its own pixel only.
CENTRE: tuple[tuple[int, int], ...] = ((0, 0),)
