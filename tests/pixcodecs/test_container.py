"""The container: round trips, and refusal of all damage."""

import dataclasses
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pixcodecs import primitives
from pixcodecs.container import image as container
from pixcodecs.container.image import Extra, Header, Layout, Tile, crc32, pack_header, read_header
from pixcodecs.errors import BitstreamError, UnsupportedImageError

SIDES = st.one_of(st.sampled_from([1, 127, 128, 16383, 16384, 65535]), st.integers(1, container.MAX_SIDE))
CRC = st.integers(0, 2**32 - 1)


@st.composite
def headers(draw: st.DrawFn) -> tuple[Header, bytes]:
    """Draw a header and its blocks."""
    width, height = draw(SIDES), draw(SIDES)
    across, down = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    tile_width = max(container.MIN_TILE, -(-width // across)) if width > container.MIN_TILE else width
    tile_height = max(container.MIN_TILE, -(-height // down)) if height > container.MIN_TILE else height
    windows = list(container.windows(width, height, tile_width, tile_height))
    if len(windows) == 1:
        tile_width, tile_height = width, height
    elif min(tile_width, tile_height) < container.MIN_TILE:
        tile_width, tile_height, windows = width, height, [(0, 0, width, height)]
    blocks = [draw(st.binary(min_size=1, max_size=20)) for _ in windows]
    layout = draw(st.sampled_from(Layout))
    depth = draw(st.integers(1, 8 if layout is Layout.PALETTE else 16))
    extras = draw(st.lists(st.tuples(st.sampled_from(Extra), st.binary(max_size=300)), max_size=3))
    models = draw(st.lists(st.binary(min_size=8, max_size=8), max_size=3))
    tiles = tuple(Tile(len(b), crc32(b), draw(CRC)) for b in blocks)
    header = Header(width, height, layout, depth, tuple(models), tuple(extras), tile_width, tile_height, tiles)
    return header, b"".join(blocks)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(headers())
def test_headers_and_blocks_round_trip(case: tuple[Header, bytes]) -> None:
    header, blocks = case
    head = pack_header(header)
    data = head + blocks
    found = read_header(data, None)
    assert found == dataclasses.replace(header, size_bytes=len(head))
    container.check_length(data, found)
    whole = b"".join(container.block(data, found, i) for i in range(len(found.tiles)))
    assert whole == blocks
    covered = sum(w * h for _, _, w, h in found.windows)
    assert covered == header.width * header.height


ONE = (b"\x00abcdef",)
FOUR = (b"\x00ab", b"\x01c", b"\x02def", b"\x03")


def sample(blocks: tuple[bytes, ...], **changes: object) -> bytes:
    """A file of 40 x 35 pixels, one tile or four."""
    side = (40, 35) if len(blocks) == 1 else (20, 18)
    tiles = tuple(Tile(len(b), crc32(b), 7) for b in blocks)
    extras = ((Extra.PALETTE, bytes(range(9))), (Extra.CHUNK, b"tEXthello"))
    header = Header(40, 35, Layout.PALETTE, 4, (b"model-id",), extras, *side, tiles)
    return pack_header(dataclasses.replace(header, **changes)) + b"".join(blocks)  # type: ignore[arg-type]


def read(data: bytes) -> list[bytes]:
    header = read_header(data)
    container.check_length(data, header)
    return [container.block(data, header, i) for i in range(len(header.tiles))]


@pytest.mark.parametrize("blocks", [ONE, FOUR])
def test_every_truncation_is_rejected(blocks: tuple[bytes, ...]) -> None:
    data = sample(blocks)
    assert read(data) == list(blocks)
    for n in range(len(data)):
        with pytest.raises(BitstreamError):
            read(data[:n])
    with pytest.raises(BitstreamError):
        read(data + b"\0")


@pytest.mark.parametrize("blocks", [ONE, FOUR])
def test_every_flipped_byte_is_rejected_in_every_way(blocks: tuple[bytes, ...]) -> None:
    data = sample(blocks)
    for i in range(len(data)):
        for flip in range(1, 256):
            damaged = bytearray(data)
            damaged[i] ^= flip
            with pytest.raises(BitstreamError):
                read(bytes(damaged))


def test_bytes_are_those_of_the_specification() -> None:
    head = bytes.fromhex("895058 02 09 ac02 05 01") + b"model-id" + struct.pack("<II", crc32(b"\x00xy"), 0xDEADBEEF)
    header = Header(300, 5, Layout.RGB, 8, (b"model-id",), (), 300, 5, (Tile(3, crc32(b"\x00xy"), 0xDEADBEEF),))
    assert pack_header(header) == head + struct.pack("<I", crc32(head))


def forged(body: bytes) -> bytes:
    """A file with an arbitrary header and its correct checksum."""
    head = b"\x89PX\x02" + body
    return head + struct.pack("<I", crc32(head))


TABLE = struct.pack("<II", 0, 0)
DEFLATED = primitives.deflate(b"\xc9\x00")
BODIES = {
    "layout 5": b"\x05\x04\x04" + TABLE,
    "depth 8 written out": b"\x80\x04\x04\x08" + TABLE,
    "depth 0": b"\x80\x04\x04\x00" + TABLE,
    "depth 17": b"\x80\x04\x04\x11" + TABLE,
    "palette of 9 bits": b"\x84\x04\x04\x09" + TABLE,
    "width 0": b"\x00\x00\x04" + TABLE,
    "width 65536": b"\x00\x80\x80\x04\x04" + TABLE,
    "a long form of 4": b"\x00\x84\x00\x04" + TABLE,
    "six bytes of width": b"\x00\xff\xff\xff\xff\xff\x01\x04" + TABLE,
    "tiles of 15": b"\x40\x14\x14\x0f\x10" + (b"\x00" + TABLE) * 4,
    "one tile written out": b"\x40\x14\x14\x14\x14\x00" + TABLE,
    "unknown model reference": b"\x08\x04\x04\x02model-id" + TABLE,
    "extras that do not inflate": b"\x20\x04\x04\x07abc" + TABLE,
    "extras that go on": b"\x20\x04\x04" + bytes([2 * len(DEFLATED) + 3]) + DEFLATED + b"x" + TABLE,
    "unknown extra": b"\x20\x04\x04" + bytes([2 * len(DEFLATED) + 1]) + DEFLATED + TABLE,
}


def test_forged_files_are_well_formed() -> None:
    assert read_header(forged(b"\x00\x04\x04" + TABLE)).width == 4  # otherwise the refusals below prove nothing


@pytest.mark.parametrize("name", BODIES)
def test_headers_outside_the_format_are_rejected(name: str) -> None:
    with pytest.raises(BitstreamError):
        read_header(forged(BODIES[name]))


def test_pixel_limit_is_checked_first_and_can_be_lifted() -> None:
    data = forged(b"\x00\xff\xff\x03\xff\xff\x03" + TABLE)
    with pytest.raises(BitstreamError, match="more than the limit"):
        read_header(data)
    assert read_header(data, None).width == 65535


def test_hostile_declarations_allocate_little() -> None:
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    big = bomb.compress(b"\x03" + primitives.varint(256 << 20) + bytes(256 << 20)) + bomb.flush()
    hostile = [
        b"\x89PX\x02\x40\xff\xff\x03\xff\xff\x03\x10\x10" + b"\x00" * 64,  # sixteen million tiles
        b"\x89PX\x02\x20\x04\x04\xff\xff\xff\xff\x0f",  # extras of four gigabytes
    ]
    tracemalloc.start()
    for data in hostile:
        with pytest.raises(BitstreamError):
            read_header(data, None)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    with pytest.raises(BitstreamError, match="inflate to more"):
        read_header(forged(b"\x20\x04\x04" + primitives.varint(2 * len(big) + 1) + big + TABLE))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * container.MAX_EXTRAS_BYTES


def test_extras_without_end_are_refused_before_they_fill_memory() -> None:
    packed = primitives.deflate(b"\x03\x00" * (container.MAX_EXTRAS + 1))  # 64 kB could be 33 million
    data = forged(b"\x20\x04\x04" + primitives.varint(2 * len(packed) + 1) + packed + TABLE)
    with pytest.raises(BitstreamError, match="more than 65536 extras"):
        read_header(data)


def test_extras_that_no_reader_takes_are_not_written() -> None:
    most = [(Extra.CHUNK, b"tEXt")] * container.MAX_EXTRAS
    container.check_extras(most)
    with pytest.raises(UnsupportedImageError, match="65537 pieces"):
        container.check_extras([*most, (Extra.CHUNK, b"tEXt")])
    container.check_extras([(Extra.CHUNK, bytes(container.MAX_EXTRAS_BYTES - 5))])
    with pytest.raises(UnsupportedImageError, match="at most"):
        container.check_extras([(Extra.CHUNK, bytes(container.MAX_EXTRAS_BYTES - 4))])


def test_finding_a_block_does_not_depend_on_how_many_there_are() -> None:
    """Ten thousand blocks of a 90 kB file once took fifty million additions."""
    tiles = (Tile(1, crc32(b"x"), 0),) * 10_000
    head = pack_header(Header(1600, 1600, Layout.GREY, 8, (), (), 16, 16, tiles))
    data = head + b"x" * len(tiles)
    header = read_header(data)
    assert header.starts is header.starts
    assert header.starts == list(range(len(head), len(data) + 1))
    assert container.block(data, header, 9_999) == b"x"


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 0}, {"height": 65536}, {"depth": 17}, {"models": (b"short",)}, {"models": (b"model-id",) * 4},
        {"tiles": ()}, {"tile_width": 8, "tile_height": 8},
    ],
)  # fmt: skip
def test_fields_outside_the_format_are_a_callers_bug(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"expected|must be"):
        sample(ONE, **changes)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(1, 16), st.integers(0, 40), st.integers(0, 2**31))
def test_bits_round_trip(depth: int, count: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 1 << depth, count).astype(np.uint8 if depth <= 8 else np.uint16)
    data = primitives.pack_bits(values, depth)
    assert len(data) == -(-count * depth // 8)
    assert np.array_equal(primitives.unpack_bits(data, count, depth), values)
    with pytest.raises(BitstreamError):
        primitives.unpack_bits(data + b"\0", count, depth)
