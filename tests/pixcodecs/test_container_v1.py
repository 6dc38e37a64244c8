"""Version 1 of the container: round trips, and refusal of all damage."""

import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pixcodecs.container import image as container
from pixcodecs.container.image import Header, Layout, Tile
from pixcodecs.errors import BitstreamError, UnsupportedImageError
from pixcodecs.primitives import crc32, varint

from tests.helpers.forging import file_v1

SIDES = st.one_of(st.sampled_from([1, 127, 128, 16383, 16384, 65535]), st.integers(1, container.MAX_SIDE))
PAYLOAD = bytes(range(100, 140))
SAMPLE = file_v1(width=varint(300), pixels_crc=0xDEADBEEF, payload=PAYLOAD)


def unpack(data: bytes, max_pixels: int | None = container.MAX_PIXELS) -> tuple[Header, bytes]:
    """The parts that a decoder reads and verifies before it decodes."""
    header = container.read_header(data, max_pixels)
    container.check_length(data, header)
    return header, container.block(data, header, 0)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    SIDES, SIDES, st.sampled_from([Layout.GREY, Layout.RGB]), st.binary(min_size=8, max_size=8),
    st.integers(0, 2**32 - 1), st.binary(max_size=300),
)  # fmt: skip
def test_what_was_packed_comes_back(
    width: int, height: int, layout: Layout, model: bytes, crc: int, payload: bytes
) -> None:
    data = file_v1(
        layout=0x10 | (layout is Layout.RGB), model_id=model, width=varint(width), height=varint(height),
        pixels_crc=crc, payload=payload,
    )  # fmt: skip
    tile, size = Tile(len(payload), crc32(payload), crc), len(data) - len(payload)
    assert unpack(data, max_pixels=None) == (
        Header(width, height, layout, 8, (model,), (), width, height, (tile,), 1, size), payload
    )  # fmt: skip


def test_bytes_are_those_of_the_specification() -> None:
    head = bytes.fromhex("895058 01 01 11") + b"model-id" + bytes.fromhex("ac02 07 28 efbeadde")
    head += struct.pack("<I", crc32(PAYLOAD))
    assert head + struct.pack("<H", crc32(head) & 0xFFFF) + PAYLOAD == SAMPLE


def test_forged_files_are_well_formed() -> None:
    assert unpack(file_v1())[0].width == 5  # otherwise the refusals below prove nothing


def test_every_truncation_is_rejected() -> None:
    for n in range(len(SAMPLE)):
        with pytest.raises(BitstreamError):
            unpack(SAMPLE[:n])


def test_every_flipped_byte_is_rejected_in_every_way() -> None:
    for i in range(len(SAMPLE)):
        for flip in range(1, 256):
            damaged = bytearray(SAMPLE)
            damaged[i] ^= flip
            with pytest.raises(BitstreamError):
                unpack(bytes(damaged))


def test_appended_bytes_are_rejected() -> None:
    for tail in (b"\0", b"\xff", b"\0" * 4, SAMPLE):
        with pytest.raises(BitstreamError, match="too long"):
            unpack(SAMPLE + tail)


def test_removed_and_swapped_bytes_are_rejected() -> None:
    for i in range(len(SAMPLE) - 1):
        swapped = SAMPLE[:i] + SAMPLE[i + 1 : i + 2] + SAMPLE[i : i + 1] + SAMPLE[i + 2 :]
        for damaged in (SAMPLE[:i] + SAMPLE[i + 1 :], SAMPLE[:i] + b"\0" + SAMPLE[i:], swapped):
            if damaged != SAMPLE:
                with pytest.raises(BitstreamError):
                    unpack(damaged)


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n" + bytes(60), b"RIFF" + bytes(60), bytes(64)])
def test_foreign_files_are_rejected(data: bytes) -> None:
    with pytest.raises(BitstreamError, match="not a pixzip file"):
        unpack(data)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"version": 3}, "format version 3"),
        ({"version": 0}, "format version 0"),
        ({"reference": 0}, "model reference 0"),
        ({"reference": 2}, "model embedded in the file"),
        ({"reference": 3}, "stack of many images"),
        ({"reference": 255}, "model reference 255"),
        ({"layout": 0x01}, "payload coder 0"),
        ({"layout": 0x21}, "payload coder 2"),
        ({"layout": 0x12}, "pixel format 2"),
        ({"layout": 0x1F}, "pixel format 15"),
    ],
)
def test_unknown_types_are_refused_by_name(fields: dict[str, int], message: str) -> None:
    with pytest.raises(BitstreamError, match=message):
        unpack(file_v1(**fields))  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["width", "height", "length"])
@pytest.mark.parametrize(
    ("raw", "message"),
    [(b"\x84\x00", "shortest form"), (b"\x80\x00", "shortest form"), (b"\x84\x80\x80\x80\x00", "shortest form"),
     (b"\x84\x80\x80\x80\x80\x00", "longer than five"), (b"\xff" * 12, "longer than five")],
)  # fmt: skip
def test_numbers_that_are_not_in_their_shortest_form_are_rejected(field: str, raw: bytes, message: str) -> None:
    with pytest.raises(BitstreamError, match=message):
        unpack(file_v1(**{field: raw}))  # type: ignore[arg-type]


@pytest.mark.parametrize("side", [0, 65536, 2**35 - 1])
@pytest.mark.parametrize("field", ["width", "height"])
def test_sides_out_of_range_are_rejected(field: str, side: int) -> None:
    with pytest.raises(BitstreamError, match="sides must be 1 to 65535"):
        unpack(file_v1(**{field: varint(side)}))  # type: ignore[arg-type]


def test_a_file_that_declares_huge_sizes_allocates_nothing() -> None:
    huge = varint(65535)
    cases = [file_v1(width=huge, height=huge), file_v1(length=varint(2**35 - 1))]
    tracemalloc.start()
    try:
        for data in cases:
            with pytest.raises(BitstreamError):
                unpack(data)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_pixel_limit_is_inclusive_and_can_be_lifted() -> None:
    data = file_v1(width=varint(1000), height=varint(50))
    assert unpack(data, max_pixels=50_000)[0].width == 1000
    with pytest.raises(BitstreamError, match="50000 pixels, more than the limit of 49999"):
        unpack(data, max_pixels=49_999)
    assert unpack(file_v1(width=varint(65535), height=varint(65535)), max_pixels=None)[0].height == 65535


def test_overhead_is_at_most_32_bytes_below_16384_pixels_a_side() -> None:
    assert len(file_v1(payload=b"")) == 27
    payload = bytes(2**21)  # its length takes four bytes
    assert len(file_v1(width=varint(16383), height=varint(16383), payload=payload)) - len(payload) <= 32


@pytest.mark.parametrize(("width", "height"), [(0, 1), (1, 0), (65536, 1), (1, 65536)])
def test_check_shape_refuses_sides_out_of_range(width: int, height: int) -> None:
    with pytest.raises(UnsupportedImageError):
        container.check_shape(width, height)
    container.check_shape(65535, 65535)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=80))
def test_arbitrary_bytes_after_a_good_start_end_in_bitstream_error(tail: bytes) -> None:
    with pytest.raises(BitstreamError):
        unpack(b"\x89PX\x01\x01\x11" + tail)
