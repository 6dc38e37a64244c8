"""How much effort WebP is worth, of samples whose best block by other means is known."""

import numpy as np
from pixcodecs.container.blocks import Samples

from pixzip.codec import webp_png
from pixzip.codec.webp_png import WebpEffort

#: On photographs, WebP goes on from one effort to the next only within this factor of the best block so far.
_LEAST_HOPE, _SOME_HOPE = 1.15, 1.06
#: The same of drawings and small pictures.  Little effort says little there: more may take half of the bytes.  All of
#: it is tried only if WebP is near and has not lost by more effort.
_DRAWING_HOPE, _DRAWING_BYTES, _MORE_HOPE, _MORE_BYTES, _MOST_HOPE, _MOST_BYTES = 2.5, 100, 1.02, 20, 1.1, 64
#: On longer slivers than this side, libwebp takes ten times as long a pixel for more effort.
_WEBP_SIDE = 8
#: Tiles of more pixels are tried in part first: in one row of this many, in bands.
_WEBP_PART_PIXELS, _WEBP_PART, _WEBP_BAND = 1 << 17, 8, 32


def of_everything(samples: Samples) -> list[bytes]:
    """Blocks of WebP by every effort that takes no time out of proportion."""
    efforts = (WebpEffort.LEAST, WebpEffort.SOME) if _is_sliver(samples) else WebpEffort
    return [webp_png.webp_block(samples, effort) for effort in efforts]


def _is_sliver(samples: Samples) -> bool:
    """Whether more effort takes ten times as long a pixel."""
    return bool(min(samples.shape[:2]) < _WEBP_SIDE <= max(samples.shape[:2]) // 64)


def of_photograph(samples: Samples, best: int) -> list[bytes]:
    """Blocks of WebP, if it comes near the size of the best block with little effort."""
    least = webp_png.webp_block(samples, WebpEffort.LEAST)
    if len(least) > _LEAST_HOPE * best:
        return []
    part = _bands(samples)
    if part is not samples:  # what more effort gains in a part, it gains in the whole
        before, after = (len(webp_png.webp_block(part, effort)) for effort in (WebpEffort.LEAST, WebpEffort.SOME))
        if len(least) * after > _SOME_HOPE * best * before:
            return []
    some = webp_png.webp_block(samples, WebpEffort.SOME)
    return [] if len(some) > _SOME_HOPE * best else [some, webp_png.webp_block(samples)]


def of_drawing(samples: Samples, best: int) -> list[bytes]:
    """The same for drawings and small pictures, where effort is worth more, but sometimes gives a larger block."""
    some = webp_png.webp_block(samples, WebpEffort.SOME)
    if len(some) > _DRAWING_HOPE * best + _DRAWING_BYTES:
        return []
    if _is_sliver(samples):
        return [some]
    more = webp_png.webp_block(samples, WebpEffort.MORE)
    if min(len(some), len(more)) > _MOST_HOPE * best + _MOST_BYTES or len(more) > _MORE_HOPE * len(some) + _MORE_BYTES:
        return [some, more]
    return [some, more, webp_png.webp_block(samples)]


def _bands(samples: Samples) -> Samples:
    """Bands of rows from top to bottom of a large tile; a small tile itself."""
    height, width, _ = samples.shape
    count = height // (_WEBP_PART * _WEBP_BAND)
    if height * width < _WEBP_PART_PIXELS or not count:
        return samples
    starts = [(2 * i + 1) * height // (2 * count) - _WEBP_BAND // 2 for i in range(count)]
    return np.concatenate([samples[y : y + _WEBP_BAND] for y in starts])
