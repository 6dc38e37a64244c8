"""Lattices of colours: the bitmaps are those of the format, and recognition agrees with them."""

import numpy as np
import pytest

from pixzip.models.wavefront import lattices
from tests.oracles.lattices import lattice


@pytest.mark.parametrize(("number", "colours"), [(lattices.JFIF, 4_261_968), (lattices.PHOTO_YCC, 2_142_446)])
def test_bitmaps_and_recognition_are_those_of_the_format(number: int, colours: int) -> None:
    rng = np.random.default_rng(number)
    on = np.unpackbits(lattices.bitmap(number, (1, 0, 2)).astype("<u8").view(np.uint8), bitorder="little")
    assert np.array_equal(on, lattice(number, (1, 0, 2)))
    assert on.sum() == colours
    of_all = rng.integers(1, 255, (400, 3))
    expected = lattice(number, (1, 0, 2))[of_all @ (256, 65536, 1)].mean()
    assert lattices.share_on(number, of_all) == expected
    on = np.flatnonzero(lattice(number, (1, 0, 2)))
    members = rng.choice(on, 600)
    own = np.stack([members >> 8 & 255, members >> 16, members & 255], 1)
    assert lattices.share_on(number, own) == 1
    assert lattices.share_on(3 - number, own) < 0.5


def test_greys_and_clipped_colours_say_nothing() -> None:
    greys = np.repeat(np.arange(1, 255)[:, None], 3, 1)
    clipped = greys * (1, 1, 0)
    assert lattices.share_on(lattices.JFIF, greys) == lattices.share_on(lattices.JFIF, clipped) == 0
    assert lattices.share_on(lattices.JFIF, greys[:0]) == 0


def test_each_image_of_a_batch_has_its_bitmap() -> None:
    words, rows = lattices.bitmaps([0, 2, 1, 2], (1, 0, 2))
    assert rows.tolist() == [-1, 1, 0, 1]
    assert [np.array_equal(words[i], lattices.bitmap(i + 1, (1, 0, 2))) for i in range(2)] == [True, True]
    assert lattices.bitmaps([0, 0], (0, 1, 2))[0].shape == (0, lattices.WORDS)
    assert not lattices.bitmap(lattices.NONE).any()
