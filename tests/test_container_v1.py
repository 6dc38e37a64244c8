"""Version 1 of the container: what was packed comes back, and whatever is damaged is refused."""

import dataclasses
import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pixcodecs import container_v1 as container
from pixcodecs.container_v1 import Header, PixelFormat, crc32, pack, read_header, unpack
from pixcodecs.errors import BitstreamError, UnsupportedImageError

SIDES = st.one_of(st.sampled_from([1, 127, 128, 16383, 16384, 65535]), st.integers(1, container.MAX_SIDE))
HEADERS = st.builds(
    Header,
    width=SIDES,
    height=SIDES,
    pixel_format=st.sampled_from(PixelFormat),
    model_id=st.binary(min_size=8, max_size=8),
    pixels_crc=st.integers(0, 2**32 - 1),
)
SAMPLE = Header(300, 5, PixelFormat.RGB8, b"model-id", 0xDEADBEEF)
PAYLOAD = bytes(range(100, 140))


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def forged(
    *, version: int = 1, reference: int = 1, layout: int = 0x11, width: bytes = b"\x05", height: bytes = b"\x07",
    length: bytes = b"\x04", payload: bytes = b"abcd",
) -> bytes:  # fmt: skip
    """A file whose checksums are right, whatever it says."""
    head = b"\x89PX" + bytes([version, reference, layout]) + b"model-id" + width + height + length
    head += struct.pack("<II", 0, crc32(payload))
    return head + struct.pack("<H", crc32(head) & 0xFFFF) + payload


@settings(max_examples=200, deadline=None, derandomize=True)
@given(HEADERS, st.binary(max_size=300))
def test_pack_and_unpack_round_trip(header: Header, payload: bytes) -> None:
    data = pack(header, payload)
    found, found_payload = unpack(data, max_pixels=None)
    assert found_payload == payload
    assert found == dataclasses.replace(header, payload_bytes=len(payload), payload_crc=crc32(payload))
    assert read_header(data)[1] == len(data) - len(payload)
    assert found.subpixels == header.width * header.height * header.pixel_format.channels


def test_bytes_are_those_of_the_specification() -> None:
    head = bytes.fromhex("895058 01 01 11") + b"model-id" + bytes.fromhex("ac02 05 28 efbeadde")
    head += struct.pack("<I", crc32(PAYLOAD))
    assert pack(SAMPLE, PAYLOAD) == head + struct.pack("<H", crc32(head) & 0xFFFF) + PAYLOAD


def test_forged_files_are_well_formed() -> None:
    assert unpack(forged())[0].width == 5  # else the refusals below would prove nothing


def test_every_truncation_is_rejected() -> None:
    data = pack(SAMPLE, PAYLOAD)
    for n in range(len(data)):
        with pytest.raises(BitstreamError):
            unpack(data[:n])


def test_every_flipped_byte_is_rejected_in_every_way() -> None:
    data = pack(SAMPLE, PAYLOAD)
    for i in range(len(data)):
        for flip in range(1, 256):
            damaged = bytearray(data)
            damaged[i] ^= flip
            with pytest.raises(BitstreamError):
                unpack(bytes(damaged))


def test_appended_bytes_are_rejected() -> None:
    data = pack(SAMPLE, PAYLOAD)
    for tail in (b"\0", b"\xff", b"\0" * 4, data):
        with pytest.raises(BitstreamError, match="too long"):
            unpack(data + tail)


def test_removed_and_swapped_bytes_are_rejected() -> None:
    data = pack(SAMPLE, PAYLOAD)
    for i in range(len(data) - 1):
        swapped = data[:i] + data[i + 1 : i + 2] + data[i : i + 1] + data[i + 2 :]
        for damaged in (data[:i] + data[i + 1 :], data[:i] + b"\0" + data[i:], swapped):
            if damaged != data:
                with pytest.raises(BitstreamError):
                    unpack(damaged)


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n" + bytes(60), b"RIFF" + bytes(60), bytes(64)])
def test_foreign_files_are_rejected(data: bytes) -> None:
    with pytest.raises(BitstreamError, match="not a pixzip file"):
        unpack(data)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"version": 2}, "format version 2"),
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
        unpack(forged(**fields))  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["width", "height", "length"])
@pytest.mark.parametrize(
    ("raw", "message"),
    [(b"\x84\x00", "shortest form"), (b"\x80\x00", "shortest form"), (b"\x84\x80\x80\x80\x00", "shortest form"),
     (b"\x84\x80\x80\x80\x80\x00", "longer than five"), (b"\xff" * 12, "longer than five")],
)  # fmt: skip
def test_numbers_that_are_not_in_their_shortest_form_are_rejected(field: str, raw: bytes, message: str) -> None:
    with pytest.raises(BitstreamError, match=message):
        unpack(forged(**{field: raw}))  # type: ignore[arg-type]


@pytest.mark.parametrize("side", [0, 65536, 2**35 - 1])
@pytest.mark.parametrize("field", ["width", "height"])
def test_sides_out_of_range_are_rejected(field: str, side: int) -> None:
    with pytest.raises(BitstreamError, match="sides must be 1 to 65535"):
        unpack(forged(**{field: varint(side)}))  # type: ignore[arg-type]


def test_a_file_that_declares_huge_sizes_allocates_nothing() -> None:
    huge = varint(65535)
    cases = [forged(width=huge, height=huge), forged(length=varint(2**35 - 1))]
    tracemalloc.start()
    try:
        for data in cases:
            with pytest.raises(BitstreamError):
                unpack(data)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_pixel_limit_is_inclusive_and_can_be_lifted() -> None:
    data = forged(width=varint(1000), height=varint(50))
    assert unpack(data, max_pixels=50_000)[0].width == 1000
    with pytest.raises(BitstreamError, match="50000 pixels, more than the limit of 49999"):
        unpack(data, max_pixels=49_999)
    assert unpack(forged(width=varint(65535), height=varint(65535)), max_pixels=None)[0].height == 65535


def test_overhead_is_at_most_32_bytes_below_16384_pixels_a_side() -> None:
    assert len(pack(dataclasses.replace(SAMPLE, width=1, height=1), b"")) == 27
    payload = bytes(2**21)  # four bytes of length
    assert len(pack(dataclasses.replace(SAMPLE, width=16383, height=16383), payload)) - len(payload) <= 32


@pytest.mark.parametrize("change", [{"width": 0}, {"height": 65536}, {"model_id": b"short"}])
def test_pack_refuses_what_the_format_cannot_hold(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"expected|must be"):
        pack(dataclasses.replace(SAMPLE, **change), b"")  # type: ignore[arg-type]


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
