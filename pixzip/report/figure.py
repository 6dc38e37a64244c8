"""A figure of an image and the map of its bits, with a scale."""

import io
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pixcodecs.errors import PixzipError

from pixzip.image.colours import in_8_bits
from pixzip.image.picture import Picture
from pixzip.io.text import escaped

#: Dots per inch, chosen so that text is readable beside images of all sizes.
_DPI = 100
#: Largest long side and smallest short side of an image in the figure, in inches.
_LONGEST, _SHORTEST = 9.0, 3.0
#: Most pixels of a side for all pixels to be drawn.
_MOST_SIDE = 2048
#: Percentile of pixels at which the scale ends, so that a few expensive pixels do not darken the rest.
_PERCENTILE = 99.5


def top_of(bits: NDArray[np.float32]) -> float:
    """The end of a map's scale, in bits per pixel."""
    return max(float(np.percentile(bits, _PERCENTILE)), 1e-3)


def draw(picture: Picture, bits: NDArray[np.float32], title: str, form: str = "png") -> bytes:
    """A figure of an image and the map of its bits.

    Args:
        bits: (H, W) bits of each pixel.
        form: "png", "svg" or "pdf".
    Raises:
        PixzipError: matplotlib is not installed.
    """
    figure = _figure()
    height, width = bits.shape
    total, subpixels = float(bits.sum(dtype=np.float64)), bits.size * picture.layout.channels
    rates = f"{total / bits.size:.3f} bits a pixel, {total / subpixels:.3f} a sub-pixel"
    picture, bits = _reduced(picture, bits)
    side = min(max(max(width, height) / _DPI, _SHORTEST), _LONGEST)
    w, h = side * width / max(width, height), side * height / max(width, height)
    figure.set_size_inches(2 * max(w, 2.8) + 1.2, max(h, 1.4) + 0.5)
    left, right = figure.subplots(1, 2)
    smooth: Any = "nearest" if max(width, height) <= _LONGEST * _DPI else "antialiased"
    left.imshow(in_8_bits(picture), interpolation=smooth)
    drawn = right.imshow(bits, cmap="inferno", vmin=0, vmax=top_of(bits), interpolation=smooth)
    for axis in (left, right):
        axis.set_axis_off()
    figure.suptitle(f"{escaped(title)}\n{total / 8:,.0f} bytes, {rates}", fontsize=9, parse_math=False)
    extend: Any = "max" if float(bits.max()) > top_of(bits) else "neither"
    figure.colorbar(
        drawn, ax=right, label="bits a pixel", extend=extend, fraction=0.04, aspect=30, pad=0.02, shrink=0.98
    )
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # characters of the title that are missing in the font
        figure.savefig(out, format=form, dpi=_DPI)
    return out.getvalue()


def _reduced(picture: Picture, bits: NDArray[np.float32]) -> tuple[Picture, NDArray[np.float32]]:
    """Every n-th pixel of every n-th row, and the mean bits around it, of what is far larger than the figure.

    matplotlib takes tens of bytes for each pixel that it draws, of which none would be visible.
    """
    n = -(-max(bits.shape) // _MOST_SIDE)
    if n == 1:
        return picture, bits
    down, across = (min(n, side) for side in bits.shape)
    height, width = bits.shape[0] // down, bits.shape[1] // across
    rows = (bits[y * down : (y + 1) * down, : width * across] for y in range(height))
    mean = np.stack([row.mean(0).reshape(width, across).mean(1) for row in rows])
    samples = np.ascontiguousarray(picture.samples[::down, ::across][:height, :width])
    return replace(picture, samples=samples), mean


def _figure() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise PixzipError("heat maps need matplotlib: pip install matplotlib") from None
    return Figure(layout="constrained")
