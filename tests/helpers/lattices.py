"""Pictures whose colours are on a lattice, as a decoder of luma and chroma makes them."""

import numpy as np

from pixzip.engine.batch import Samples
from pixzip.models.wavefront.lattices import LATTICES
from tests.helpers.support import scene


def on_lattice(number: int, height: int, width: int, seed: int, changed: float = 0.0) -> Samples:
    """(H, W, 3) R, G, B: a scene of luma and chroma, decoded.

    Args:
        changed: share of the pixels whose blue is changed after that, by as much as 1.
    """
    lattice, rng = LATTICES[number], np.random.default_rng(seed)
    luma, u, v = np.moveaxis(scene(3, height, width, seed).astype(np.int64), 2, 0)
    planes = lattice.convert(luma // 2 + 30, (u - 128) // 3, (v - 128) // 3)  # hardly any is clipped
    pixels = np.clip(np.stack(planes, 2), 0, 255)
    pixels[..., 2] ^= rng.random((height, width)) < changed
    return pixels.astype(np.uint8)
