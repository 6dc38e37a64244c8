"""A file is read whole and by rows to the same picture, or refused both ways, whatever was done to it."""

import contextlib
import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import png
import pytest
import tifffile
from PIL import Image
from pixcodecs.errors import UnsupportedImageError

from pixzip import image
from pixzip.image.picture import Layout
from tests.helpers.image_rows import by_rows, check_same
from tests.helpers.image_rows import small_bands as small_bands
from tests.helpers.pictures import picture, saved

SEEDS = [(Layout.GREY, 1), (Layout.GREY, 8), (Layout.GREY, 16), (Layout.RGB, 8), (Layout.RGBA, 16), (Layout.PALETTE, 4)]
COUNTS = {"PNG": 300, "TIFF": 120, "PNM": 150}


def written(suffix: str) -> Iterator[bytes]:
    """Files of every seed that the format holds."""
    for layout, depth in SEEDS:
        x = picture(layout, depth, 11, 13)
        try:
            yield image.write(x, suffix)
        except UnsupportedImageError:
            continue
        yield by_rows(x, suffix, 3)


def tiffs() -> Iterator[bytes]:
    """Other layouts, compressions and byte orders."""
    grey, rgb = (picture(layout, 8, 33, 35).samples for layout in (Layout.GREY, Layout.RGB))
    for options in ({}, {"rowsperstrip": 5}, {"tile": (16, 16)}):
        for compression in (None, "lzw", "packbits", "zlib", "zstd", "jpeg"):
            for x in (grey[..., 0], rgb):
                yield tiff(x, compression=compression, **options)
    planes = np.moveaxis(rgb, 2, 0).copy()
    yield tiff(planes, photometric="rgb", planarconfig="separate", rowsperstrip=4, compression="zlib")
    yield tiff(grey[..., 0], photometric="miniswhite", rowsperstrip=4, byteorder=">")
    for compression in ("group3", "group4", "raw"):
        yield saved(Image.fromarray(grey[..., 0] > 99), "TIFF", compression=compression)


def tiff(x: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, x, **options)
    return out.getvalue()


def files(kind: str) -> list[bytes]:
    if kind == "PNG":
        return [*written(".png")]
    if kind == "TIFF":
        return [*written(".tif"), *tiffs()]
    plain = [b"P4\n9 3\n\x80\x80\x40\0\1\2", b"P5#c\r 2#c\n1 # c\n4095\n\x0f\xff\0\1", b"P5 3 2 7\n\7\0\1\2\3\4"]
    return [*written(".ppm"), *written(".pgm"), *written(".pam"), *plain]


def mutated(data: bytes, rng: Random) -> bytes:
    """A file with a few bytes changed, removed or added, or its end cut off; mostly near the begin or the end."""
    out = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        near = rng.randrange(min(len(out), 250))
        at = rng.choice([rng.randrange(len(out)), near, len(out) - 1 - near])
        match rng.randrange(5):
            case 0:
                out[at] = rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])
            case 1:
                out[at] ^= 1 << rng.randrange(8)
            case 2:
                del out[at : at + rng.choice([1, 2, 8])]
            case 3:
                out[at:at] = rng.randbytes(rng.choice([1, 2, 8]))
            case 4:
                del out[rng.choice([at, len(out) - rng.randint(1, 8)]) :]
        if len(out) < 16:
            return bytes(data)
    return bytes(out)


def with_other_stream(data: bytes, rng: Random) -> bytes:
    """A PNG whose filtered rows or zlib stream are damaged, with the right CRCs, in pieces of any size."""
    chunks = [*png.Reader(bytes=data).chunks()]
    rows = bytearray(zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT")))
    how = rng.randrange(6)
    if how == 0:
        del rows[rng.randrange(len(rows)) :]
    elif how == 1:
        rows += rng.randbytes(rng.randrange(60))
    elif how == 2:
        rows[rng.randrange(len(rows))] = rng.randrange(256)
    deflater = zlib.compressobj(rng.choice([0, 1, 9]), zlib.DEFLATED, rng.choice([9, 12, 15]))
    end = rng.choice([zlib.Z_FINISH, zlib.Z_FINISH, zlib.Z_SYNC_FLUSH])  # the last one leaves out the checksum
    stream = bytearray(deflater.compress(bytes(rows)) + deflater.flush(end))
    if how == 3:
        stream[rng.choice([0, 1, len(stream) - 1, rng.randrange(len(stream))])] ^= 1 << rng.randrange(8)
    elif how == 4:
        del stream[-rng.randint(1, 8) :]
    size = rng.randrange(1, 50)
    parts = [(b"IDAT", bytes(stream[i : i + size])) for i in range(0, len(stream), size)]
    first = next(i for i, (kind, _) in enumerate(chunks) if kind == b"IDAT")
    others = [chunk for chunk in chunks if chunk[0] != b"IDAT"]
    out = io.BytesIO()
    png.write_chunks(out, [*others[:first], *parts, *others[first:]])
    return out.getvalue()


def with_crcs(data: bytes) -> bytes:
    """A PNG with the right CRCs, as far as its chunks can be told apart."""
    out, at = bytearray(data[:8]), 8
    while at + 12 <= len(data) and (end := at + 8 + int.from_bytes(data[at : at + 4])) + 4 <= len(data):
        out += data[at:end] + struct.pack(">I", zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return bytes(out) + data[at:]


@pytest.mark.parametrize("kind", COUNTS)
def test_mutated_files_are_read_or_refused_alike_by_rows_and_at_once(kind: str, tmp_path: Path) -> None:
    seeds, read = files(kind), 0
    for number in range(COUNTS[kind]):
        rng = Random(f"{kind} {number}")
        data = rng.choice(seeds)
        if kind == "PNG":
            data = with_other_stream(data, rng) if number % 2 else with_crcs(mutated(data, rng))
        else:
            data = mutated(data, rng)
        (tmp_path / "image").write_bytes(data)
        with contextlib.suppress(UnsupportedImageError):  # `check_same` looks at it
            reader = image.open_rows(tmp_path / "image", 1 << 20)
            if reader is None:
                continue  # a file that only `load` reads
            reader.close()
        read += check_same(data, tmp_path)
    assert read > COUNTS[kind] // 10


@pytest.mark.parametrize("kind", COUNTS)
def test_files_that_are_not_damaged_are_read(kind: str, tmp_path: Path) -> None:
    for data in files(kind):
        (tmp_path / "image").write_bytes(data)
        assert image.load(data).picture.samples.size
        if reader := image.open_large(tmp_path / "image", 1):
            reader.close()
            assert check_same(data, tmp_path)


def test_a_tiff_that_does_not_say_how_deep_its_jpeg_is_is_refused_both_ways(tmp_path: Path) -> None:
    data = tiff(picture(Layout.GREY, 8, 33, 35).samples[..., 0], compression="jpeg")
    entry = struct.pack("<HHI", 258, 3, 1)  # BitsPerSample, which is 1 if it is absent
    assert data.count(entry) == 1
    assert not check_same(data.replace(entry, struct.pack("<HHI", 63234, 3, 1)), tmp_path)
