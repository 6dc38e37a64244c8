"""A picture with contradictory fields cannot be created."""

from typing import Any

import numpy as np
import pytest

from pixzip.image.picture import Chunk, Layout, Picture
from tests.helpers.pictures import EVERY, picture

GREY = np.zeros((2, 3, 1), np.uint8)
RGB = np.zeros((2, 3, 3), np.uint8)


@pytest.mark.parametrize(("layout", "depth"), EVERY)
def test_every_layout_and_depth_makes_a_picture(layout: Layout, depth: int) -> None:
    x = picture(layout, depth)
    assert (x.height, x.width) == (5, 7)
    assert x.samples.shape[2] == layout.channels
    assert x.samples.dtype == (np.uint8 if depth <= 8 else np.uint16)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ((GREY, Layout.GREY, 0), "depth is 0"),
        ((GREY, Layout.GREY, 17), "expected 1 to 16"),
        ((GREY, Layout.PALETTE, 16, bytes(3)), "expected 1 to 8 for PALETTE"),
        ((GREY, Layout.GREY, 16), "uint8, expected uint16"),
        ((GREY.astype(np.uint16), Layout.GREY, 8), "uint16, expected uint8"),
        ((GREY.astype(np.int8), Layout.GREY, 8), "int8"),
        ((GREY[..., 0], Layout.GREY, 8), r"shape \(2, 3\)"),
        ((GREY, Layout.RGB, 8), r"expected \(H, W, 3\)"),
        ((GREY[:0], Layout.GREY, 8), "shape"),
        ((RGB[:, ::2], Layout.RGB, 8), "contiguous"),
        ((GREY + 4, Layout.GREY, 2), r"up to 4, expected less than 2\*\*2"),
        ((GREY.astype(np.uint16) + 4096, Layout.GREY, 12), "up to 4096"),
        ((GREY, Layout.PALETTE, 8), "palette has 0 bytes"),
        ((GREY, Layout.PALETTE, 8, bytes(4)), "palette has 4 bytes"),
        ((GREY, Layout.PALETTE, 1, bytes(9)), "1 to 2 entries"),
        ((GREY, Layout.GREY, 8, bytes(3)), "expected none"),
        ((GREY, Layout.PALETTE, 8, bytes(3), b"ab"), "2 bytes for a palette of 1 entries"),
        ((GREY, Layout.GREY, 8, b"", b"abc"), "expected 0 or 2"),
        ((RGB, Layout.RGB, 8, b"", b"ab"), "expected 0 or 6"),
        ((np.zeros((2, 3, 4), np.uint8), Layout.RGBA, 8, b"", b"ab"), "expected 0"),
    ],
)
def test_contradictions_are_refused(fields: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Picture(*fields)


@pytest.mark.parametrize("name", [b"tRNS", b"acTL", b"fdAT", b"PLTE", b"abc", b"abcde", b"ab1d", b"ab\xe9d"])
def test_metadata_is_of_ancillary_chunks_alone(name: bytes) -> None:
    with pytest.raises(ValueError, match="ancillary"):
        Picture(GREY, Layout.GREY, 8, metadata=(Chunk(name, b""),))


def test_pictures_are_equal_if_all_of_them_is() -> None:
    x = Picture(GREY, Layout.GREY, 8)
    assert x == Picture(GREY.copy(), Layout.GREY, 8)
    assert hash(x) == hash(Picture(GREY.copy(), Layout.GREY, 8))
    for other in (
        Picture(GREY + 1, Layout.GREY, 8),
        Picture(GREY, Layout.GREY, 7),
        Picture(GREY.reshape(3, 2, 1), Layout.GREY, 8),
        Picture(GREY, Layout.GREY, 8, transparency=b"ab"),
        Picture(GREY, Layout.GREY, 8, metadata=(Chunk(b"gAMA", b"abcd"),)),
        "a picture",
    ):
        assert x != other
