"""Axes of chunks: which are rows, columns and channels of images, and their form in a chunk, of any number of axes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pixcodecs.container import stack
from pixcodecs.primitives import crc32, varint

import pixzip
from pixzip.adapters import axes
from pixzip.adapters.chunks import ChunkCodec
from tests.adapters.test_chunks import files_of
from tests.helpers.support import photos

#: A chunk of shape (2, 1, 3, 4, 5), all 7, as the first version that had named axes wrote it.
CONSTANT = "26054e4e4e4857020103060115f9f80d98895058020005041db6a6c656e7b1e9f32d92a70107"


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 1, 1, 64, 64), "NNNHW"),
        ((2, 3, 4, 64, 3), "NNHWC"),
        ((2, 3, 64, 64), "NNHW"),
        ((1, 64, 64, 4), "NHWC"),
        ((64, 5), "HW"),
        ((1, 1, 2, 2), "NHWC"),
    ],
)
def test_axes_before_rows_and_columns_count_images(shape: tuple[int, ...], expected: str) -> None:
    assert axes.axes_of(shape) == expected


@given(st.lists(st.integers(1, 3), max_size=4), st.integers(0, 4), st.integers(0, 5), st.data())
def test_images_and_back_is_the_identity(lengths: list[int], channels: int, at: int, data: st.DataObject) -> None:
    names = list("N" * len(lengths))
    names.insert(data.draw(st.integers(0, len(names))), "HW")
    if channels:
        names.insert(data.draw(st.integers(0, len(names))), "C")
    found = "".join(names)
    counts = iter(lengths)
    shape = tuple({"H": 4, "W": 5, "C": channels}.get(name) or next(counts) for name in found)
    chunk = np.arange(math.prod(shape), dtype=np.uint16).reshape(shape)
    images = axes.to_images(chunk, found)

    assert images.shape == (math.prod(lengths), 4, 5, channels or 1)
    number, named = axes.pack(found, shape)
    again, kept = axes.unpack(number, axes.Reader(named))
    assert again == found
    np.testing.assert_array_equal(axes.from_images(images, again, kept), chunk)


@pytest.mark.parametrize("given", ["HNW", "H", "", "HWCC", "HHWW", "hw", "N" * 31 + "HW"])
def test_other_axes_are_none(given: str) -> None:
    assert not axes.is_valid(given)


def test_chunks_of_microscopes_are_a_stack_or_a_file_for_each_plane() -> None:
    codec = ChunkCodec("fast")
    for planes, shape, stacked in (
        (photos(6, 20, 24, 1)[..., 0], (1, 2, 3, 20, 24), True),
        (photos(2, 64, 64, 1)[..., 0].astype(np.uint16) * 9, (2, 1, 1, 64, 64), False),
        (photos(4, 20, 24), (2, 2, 20, 24, 3), True),
    ):
        chunk = planes.reshape(shape)
        data = codec.encode(chunk)
        np.testing.assert_array_equal(codec.decode(data), chunk)
        named = 1 + len(shape) + (2 if "C" in axes.axes_of(shape) else 3)  # after the first byte
        files = files_of(data[:1] + data[1 + named :])
        assert [stack.is_stack(file) for file in files] == ([True] if stacked else [False] * 2)
        assert data[0] & 7 == axes.NAMED


def test_a_channel_axis_among_others_makes_colour_images() -> None:
    planes = photos(4, 30, 40).transpose(0, 3, 1, 2).reshape(2, 2, 3, 30, 40)
    chunk = np.ascontiguousarray(planes.transpose(0, 2, 1, 3, 4))
    codec = ChunkCodec("fast", axes="NCNHW")
    data = codec.encode(chunk)
    np.testing.assert_array_equal(ChunkCodec("fast").decode(data), chunk)
    assert len(data) < 0.9 * len(ChunkCodec("fast").encode(chunk))


def test_a_chunk_of_named_axes_stays_readable() -> None:
    chunk = np.full((2, 1, 3, 4, 5), 7, np.uint8)
    np.testing.assert_array_equal(ChunkCodec("fast").decode(bytes.fromhex(CONSTANT)), chunk)


def forged(named: bytes, n: int) -> bytes:
    file = pixzip.encode(np.zeros((4, 6), np.uint8), "fast")
    start = bytes([axes.NAMED | 0x20]) + named + varint(n) + varint(1) + varint(len(file))
    return start + crc32(start).to_bytes(4, "little") + file


@pytest.mark.parametrize(
    ("named", "n", "why"),
    [
        (b"\x04NNHW" + b"\x02\x03", 5, r"its axes are NNHW \(2, 3\)"),
        (b"\x04NNHW" + b"\x00\x03", 6, r"its axes are NNHW \(0, 3\)"),
        (b"\x04NNWH" + b"\x02\x03", 6, "chunk has the axes 'NNWH'"),
        (b"\x03NHW" + b"\x06", 6, "chunk has the axes 'NHW'"),
        (b"\x00", 6, "chunk has the axes ''"),
        (b"\x04\xff\xffHW" + b"\x02\x03", 6, "chunk has the axes"),
        (b"\x21" + b"N" * 31 + b"HW" + b"\x01" * 31, 1, "chunk has the axes"),
        (b"\x05NNHWC" + b"\x02\x03", 6, "^$"),
    ],
)
def test_forged_axes_are_told(named: bytes, n: int, why: str) -> None:
    if why == "^$":
        assert ChunkCodec("fast").decode(forged(named, n)).shape == (2, 3, 4, 6, 1)
        return
    with pytest.raises(pixzip.BitstreamError, match=why):
        ChunkCodec("fast").decode(forged(named, n))


def test_every_flipped_bit_of_the_head_and_every_truncation_is_told() -> None:
    codec = ChunkCodec("fast")
    data = codec.encode(np.full((2, 1, 3, 4, 5), 7, np.uint8))
    for at in range(len(data)):
        for bit in range(8):
            with pytest.raises((pixzip.BitstreamError, pixzip.ModelMismatchError)):
                codec.decode(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])
        with pytest.raises(pixzip.BitstreamError):
            codec.decode(data[:at])
