"""Files that cost as much as possible for their size, for tests (small) and for `bench/costs.py` (1 MB)."""

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from pixcodecs.coders.registry import RANGE
from pixcodecs.container import blocks
from pixcodecs.container import image as container
from pixcodecs.container.blocks import Kind
from pixcodecs.container.image import Extra, Layout
from pixcodecs.container.stack import BATCH_PIXELS
from pixcodecs.primitives import crc32, deflate, varint

from pixzip.codec import webp_png
from pixzip.engine.executor import MIN_SUBPIXEL_BITS
from pixzip.models import library
from tests.helpers.forging import file_v1, file_v3

#: Pixels of the largest image that is read by default, nearly square.
LARGEST = 9459, 9459
_MODELS = {1: "graphics-grey", 3: "base"}


class Block(NamedTuple):
    """A block and the CRC-32 of its samples."""

    data: bytes
    samples_crc: int = 0


def model_id(channels: int) -> bytes:
    """The id of a shipped model."""
    return library.load(library.WEIGHTS / f"{_MODELS[channels]}.safetensors").model_id


def least(pixels: int) -> bytes:
    """The shortest payload that a reader takes for sub-pixels; it decodes to something, or is found to be damaged."""
    return bytes(-(-max(0, int(pixels * MIN_SUBPIXEL_BITS) - 63) // 32) * 4)


def dense(pixels: int) -> bytes:
    """A payload of half a bit a sub-pixel, which the range decoder takes to its end: every symbol is the first."""
    return bytes(-(-pixels // 64) * 4)


def image(
    width: int, height: int, tiles: Sequence[Block], *, layout: Layout = Layout.RGB, depth: int = 8,
    side: tuple[int, int] | None = None, models: Sequence[bytes] = (), extras: bytes = b"",
) -> bytes:  # fmt: skip
    """A file of these blocks, with correct checksums of header and blocks."""
    flags = layout | len(models) << 3 | (0x80 if depth != 8 else 0) | (0x40 if side else 0) | (0x20 if extras else 0)
    head = bytearray(b"\x89PX\x02" + bytes([flags]) + varint(width) + varint(height))
    head += bytes([depth]) if depth != 8 else b""
    head += varint(side[0]) + varint(side[1]) if side else b""
    head += b"".join(b"\1" + model for model in models)
    head += varint(len(extras) << 1 | 1) + extras if extras else b""
    checksums: dict[bytes, int] = {}
    for block in tiles:
        if block.data not in checksums:
            checksums[block.data] = crc32(block.data)
        head += varint(len(block.data)) if side else b""
        head += struct.pack("<II", checksums[block.data], block.samples_crc)
    return bytes(head) + struct.pack("<I", crc32(bytes(head))) + b"".join(block.data for block in tiles)


def tiled(size: int, block: Callable[[int, int], Block], layout: Layout, models: Sequence[bytes] = ()) -> bytes:
    """A file of about `size` bytes of tiles of 16 x 16 pixels."""
    one = block(16, 16)
    count = min(size // (len(one.data) + 9), LARGEST[0] * LARGEST[1] // 256)
    columns = max(2, int(count**0.5))
    rows = max(1, count // columns)
    return image(16 * columns, 16 * rows, [one] * (columns * rows), layout=layout, side=(16, 16), models=models)


def _constant(width: int, height: int) -> Block:
    return Block(bytes([Kind.CONSTANT, 7]), zlib.crc32(bytes([7]) * (width * height)))


def _equal_pixels(width: int, height: int) -> bytes:
    """An image of 4 channels in tiles that are as large as a reader takes, of one pixel value."""
    side = min(4096, width - 1)
    tiles = [
        Block(bytes([Kind.CONSTANT, 0, 0, 0, 0]), zlib.crc32(bytes(4 * w * h)))
        for _, _, w, h in container.windows(width, height, side, side)
    ]
    return image(width, height, tiles, layout=Layout.RGBA, side=(side, side))


def _nested(width: int, height: int) -> bytes:
    """A block of 4 x 16 bits: alpha, of high and low bytes, of five tables of levels each, of WebP."""

    def side(channels: int) -> bytes:
        eight = blocks.foreign(Kind.CONSTANT, bytes(channels))
        webp = (
            webp_png.webp_block(np.zeros((height, width, channels), np.uint8)[..., :channels])
            if max(height, width) <= 16383
            else eight
        )
        table = deflate(b"\xff" * (channels * 32))
        levels = bytes([Kind.LEVELS]) + varint(len(table)) + table + b"\x08"
        return blocks.high_low(8, 4 * levels + webp, 4 * levels + webp)

    return blocks.alpha(side(3), side(1))


def _extras(size: int, chunk: bytes) -> bytes:
    """Deflated extras, as many as there may be of one chunk."""
    one = bytes([Extra.CHUNK]) + varint(len(chunk)) + chunk
    return deflate(one * min(1 << 16, max(1, (1 << 26) // len(one)), max(1, 64 * size // len(one))))


def _with_extras(size: int, chunk: bytes) -> bytes:
    grey = Block(bytes([Kind.CONSTANT, 0]), zlib.crc32(bytes(256)))
    return image(16, 16, [grey], layout=Layout.GREY, extras=_extras(size, chunk))


def _profile(megabytes: int) -> bytes:
    return b"iCCPicc\0\0" + zlib.compress(bytes(megabytes << 20), 9)


def _stack(sizes: Sequence[tuple[int, int, int]], names: bytes = b"", payload: bytes | None = None) -> bytes:
    pixels = sum(n * w * h for n, w, h in sizes)
    flags = 0x20 if names else 0
    return file_v3(
        flags=flags, images=sum(n for n, _, _ in sizes), batch=1024, runs=sizes, model_id=model_id(1), names=names,
        payload=least(pixels) if payload is None else payload,
    )  # fmt: skip


def _names(count: int, name: Callable[[int], str]) -> bytes:
    packed = deflate("\n".join(map(name, range(count))).encode())
    return varint(len(packed) << 1) + packed


def names(size: int, name: Callable[[int], str], most: int) -> bytes:
    """A stack of equal pixels with as many names as `size` bytes, 2^25 bytes of names and `most` images allow."""
    bytes_a_name = len(deflate("\n".join(map(name, range(1000))).encode())) / 1000
    count = int(min(most, (1 << 25) // (len(name(most - 1)) + 1), size / bytes_a_name))
    return _stack([(count, 1, 1)], _names(count, name))


def _deep(i: int) -> str:
    return f"{i:x}" + 31 * "/a"


def _alternating(size: int, first: tuple[int, int], second: tuple[int, int], most_pixels: int) -> bytes:
    """A stack whose every image is a run."""
    pair = first[0] * first[1] + second[0] * second[1]
    count = int(min(size / (6 + 2 * MIN_SUBPIXEL_BITS), most_pixels / pair)) or 1
    return _stack([(1, *first), (1, *second)] * count)


def _slivers(size: int) -> bytes:
    return _alternating(size, (1, 65535), (2, 65535), 80 << 20)


def _webp(width: int, height: int, layout: Layout) -> bytes:
    """One WebP block of a pattern that it repeats."""
    tile = np.random.default_rng(0).integers(0, 256, (64, 64, layout.channels), np.uint8)
    samples = np.tile(tile, (-(-height // 64), -(-width // 64), 1))[:height, :width]
    block = webp_png.webp_block(np.ascontiguousarray(samples), webp_png.WebpEffort.LEAST)
    return image(width, height, [Block(block, zlib.crc32(np.ascontiguousarray(samples).data))], layout=layout)


def _png(width: int, height: int, layout: Layout) -> bytes:
    """One PNG block of equal pixels of 16 bits."""
    row = bytes(1 + width * layout.channels * 2)
    coder = zlib.compressobj(9)
    body = b"".join(coder.compress(row) for _ in range(height)) + coder.flush()
    crc = 0
    for _ in range(height):
        crc = zlib.crc32(row[1:], crc)
    return image(width, height, [Block(bytes([Kind.PNG]) + body, crc)], layout=layout, depth=16)


def _one_model(width: int, height: int, channels: int, payload: bytes, stage: int = 0, lattice: int = 0) -> bytes:
    layout = Layout.RGB if channels == 3 else Layout.GREY
    block = blocks.model(0, payload, RANGE)
    data = blocks.adapted(stage, block, lattice) if stage else block
    return image(width, height, [Block(data)], layout=layout, models=[model_id(channels)])


def _many_models(size: int, side: int) -> bytes:
    """Tiles that a model codes, as many as the limit of pixels allows, of as few bytes as the limit of time allows."""
    block = Block(blocks.model(0, dense(3 * side * side)))
    count = int(min(size // (len(block.data) + 11), LARGEST[0] * LARGEST[1] // side**2))
    columns = max(2, int(count**0.5))
    rows = max(1, count // columns)
    tiles = [block] * (columns * rows)
    return image(side * columns, side * rows, tiles, side=(side, side), models=[model_id(3)])


def cases(size: int) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """(name, maker) of the worst files of at most about `size` bytes."""
    scale = size / (1 << 20)
    width, height = (max(64, int(n * scale**0.5)) for n in LARGEST)
    pixels = BATCH_PIXELS * scale
    yield "samples of 358 MB", lambda: _equal_pixels(width, height)
    yield "tiles of one pixel value", lambda: tiled(size, _constant, Layout.GREY)
    yield (
        "tiles of a model, 16 x 16",
        lambda: tiled(size, lambda w, h: Block(blocks.model(0, least(w * h))), Layout.GREY, [model_id(1)]),
    )
    yield "tiles of a model, 256 x 256", lambda: _many_models(size, 256)
    yield "one tile of a model", lambda: _one_model(width, height, 3, least(3 * width * height))
    for n, payload in ((4, dense), (1, dense)):
        side = int((pixels * n) ** 0.5)
        yield f"one tile of a model that adapts, {n} MP", lambda s=side, p=payload: _one_model(s, s, 3, p(3 * s * s), 1)  # type: ignore[misc]
        yield f"one tile of a model, {n} MP", lambda s=side, p=payload: _one_model(s, s, 3, p(3 * s * s))  # type: ignore[misc]
    side = int(pixels**0.5)
    yield (
        "one tile of a model that adapts, with a lattice, 1 MP",
        lambda: _one_model(side, side, 3, dense(3 * side * side), 1, 1),
    )
    yield "one tile of a model that adapts", lambda: _one_model(width, height, 3, least(3 * width * height), 1)
    yield "one column of a model", lambda: _one_model(1, max(16, int(65535 * scale)), 3, least(0))
    yield (
        "version 1",
        lambda: file_v1(
            width=varint(width), height=varint(height), model_id=model_id(3), payload=least(3 * width * height)
        ),
    )
    big = int((max(1, (1 << 25) * scale)) ** 0.5)
    yield "one WebP, RGB", lambda: _webp(big, big, Layout.RGB)
    yield "one WebP, RGB with alpha", lambda: _webp(big, big, Layout.RGBA)
    yield "one PNG, 4 x 16 bits", lambda: _png(big, big, Layout.RGBA)
    yield "one PNG, 16 bits", lambda: _png(big, big, Layout.GREY)
    deep = int(((40 << 20) * scale) ** 0.5) // 16
    yield (
        "nested blocks, 4 x 16 bits",
        lambda: image(
            16 * deep,
            16 * deep,
            [Block(_nested(deep, deep), zlib.crc32(bytes(8 * deep * deep)))] * 256,
            layout=Layout.RGBA,
            depth=16,
            side=(deep, deep),
        ),
    )
    for megabytes in (1, 16):
        yield f"profiles of {megabytes} MB", lambda m=megabytes: _with_extras(size, _profile(m))  # type: ignore[misc]
    yield "profiles, damaged at their end", lambda: _with_extras(size, _profile(1)[:-4] + b"\0\0\0\0")
    text = zlib.compress(bytes((1 << 20) - 1), 9)
    yield "texts of 1 MB", lambda: _with_extras(size, b"zTXtk\0\0" + text)
    yield "texts, damaged at their end", lambda: _with_extras(size, b"zTXtk\0\0" + text[:-4] + b"\0\0\0\0")
    yield (
        "XMP, damaged at its end",
        lambda: _with_extras(size, b"iTXtXML:com.adobe.xmp\0\1\0\0\0" + text[:-4] + b"\0\0\0\0"),
    )
    yield "empty chunks", lambda: _with_extras(size, b"teSt")
    yield "names of 32 parts", lambda: names(size, _deep, 1 << 21)
    yield "names, as many as there may be", lambda: names(size, lambda i: f"{i:x}", 1 << 21)
    yield "images of one pixel", lambda: _stack([(int((1 << 21) * scale), 1, 1)])
    yield "sizes that alternate", lambda: _alternating(size, (1, 1), (2, 1), 80 << 20)
    yield "columns that alternate", lambda: _slivers(size)
    yield "one large image in a stack", lambda: _stack([(1, width, height)])
