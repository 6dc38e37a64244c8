"""The test images whose frequencies every machine must reproduce before it codes anything."""

import numpy as np

from pixzip.engine.batch import Samples


def known_answer_pattern(channels: int) -> Samples:
    """(24, 32, C) uint8 ramps, edges and noise, computed with integers only."""
    state, noise = 1, []
    for _ in range(channels * 24 * 32):
        state = state * 1103515245 + 12345 & 0x7FFFFFFF
        noise.append(state >> 16 & 255)
    y, x = np.mgrid[:24, :32]
    ramp = x * 5 + y * 3
    pattern = np.stack(
        [np.where(y < 8, ramp + 9 * c, np.where(x < 16, 255 * (x // 4 % 2), 0)) for c in range(channels)], -1
    )
    rough = np.array(noise).reshape(channels, 24, 32).transpose(1, 2, 0)
    return np.where((y >= 16)[..., None] & (x >= 8)[..., None], rough, pattern).astype(np.uint8)


def adapted_answer_pattern(channels: int) -> Samples:
    """(48, 96, C) uint8: `known_answer_pattern` six times, enough pixels for every part of the light stage."""
    return np.tile(known_answer_pattern(channels), (2, 3, 1))
