"""Golden files with records of their originals, and with records that lie.

The original of a good one needs no encoder whose version could matter: its PNG is stored or by an encoder that is part
of pixzip, as is that of its GIF, its BMP uncompressed.
"""

import hashlib
import io
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from pixcodecs.container import blocks
from pixcodecs.container.image import Extra, Layout, Tile
from pixcodecs.errors import BitstreamError, PixzipError
from pixcodecs.primitives import crc32, varint

from pixzip import originals
from pixzip.codec import as_picture
from pixzip.image.picture import Chunk
from pixzip.originals import RebuildError, patch, pieces, png_recipe
from pixzip.originals import png as png_family
from pixzip.originals.deflaters import Kind, Spec
from pixzip.originals.forms import Flag, Form
from pixzip.originals.gif import GifData
from pixzip.originals.imitations import Imitation
from pixzip.originals.png_recipe import Recipe
from pixzip.originals.record import Family, Reason, Record, not_kept
from pixzip.originals.source import Output
from tests.helpers.forging import Fields
from tests.helpers.image_files import png_file

_EXTRAS = 0x20
_SIDE = 6
SAMPLES = (np.arange(_SIDE * _SIDE, dtype=np.uint8) * 5).reshape(_SIDE, _SIDE)
_TEXT = b"tEXtTitle\0golden"


def stored(data: bytes, size: int) -> bytes:
    """A zlib stream of stored blocks."""
    out = b"\x78\x01"
    for at in range(0, len(data), size):
        part = data[at : at + size]
        out += (
            bytes([at + size >= len(data)])
            + len(part).to_bytes(2, "little")
            + (len(part) ^ 0xFFFF).to_bytes(2, "little")
        )
        out += part
    return out + zlib.adler32(data).to_bytes(4)


def png() -> bytes:
    """An original with rows of filters 0 and 1, in stored blocks of 20 bytes, a text and bytes at its end."""
    rows = [
        b"\1" + np.diff(row, prepend=np.uint8(0)).tobytes() if y % 2 else b"\0" + row.tobytes()
        for y, row in enumerate(SAMPLES)
    ]
    head = (b"IHDR", _SIDE.to_bytes(4) * 2 + b"\x08\0\0\0\0")
    idat = (b"IDAT", stored(b"".join(rows), 20))
    return png_file([head, idat, (_TEXT[:4], _TEXT[4:]), (b"IEND", b"")], b"rest")


def bmp() -> bytes:
    """An original of grey pixels: rows from bottom to top, of whole words."""
    rows = np.pad(SAMPLES[::-1], ((0, 0), (0, -_SIDE % 4))).tobytes()
    entries = b"".join(bytes([i, i, i, 0]) for i in range(256))
    head = b"BM" + (54 + 1024 + len(rows)).to_bytes(4, "little") + bytes(4) + (54 + 1024).to_bytes(4, "little")
    info = (40).to_bytes(4, "little") + _SIDE.to_bytes(4, "little") * 2 + b"\1\0\x08\0" + bytes(24)
    return head + info + entries + rows


_RECIPE = Recipe(
    False, b"\x78\x01", Spec(Kind.STORED, block=20), 0, b"\0\1\0\1\0\1", b"", b"",
    bytes([png_recipe.HEADER, png_recipe.SAMPLES, png_recipe.METADATA, png_recipe.END]), b"rest",
)  # fmt: skip


def _far_data() -> bytes:
    """Data whose only match goes back 5003 bytes, for three bytes."""
    state, out = 1, bytearray(b"xyz")
    for _ in range(5000):
        state = (state * 1103515245 + 12345) % 2**31
        out.append(32 + (state >> 16) % 64)
    return bytes(out) + b"xyz"


_FAR = Recipe(**{**vars(_RECIPE), "header": b"\x78\xda", "spec": Spec(Kind.ZLIB_FAR, 9, 0, 8, 15),
                 "surplus": _far_data()})  # fmt: skip


def far() -> bytes:
    """The same original with further data, in a stream of zlib as pngcrush builds it."""
    source, out = originals.of_picture(as_picture(SAMPLES)), io.BytesIO()
    source = replace(source, frame=replace(source.frame, metadata=(Chunk(_TEXT[:4], _TEXT[4:]),)))
    png_family.write(_FAR.pack(), source, Output(out, 1 << 20, None))
    return out.getvalue()


def _record(original: bytes, recipe: bytes, family: Family = Family.PNG, **changes: Any) -> bytes:
    fields: dict[str, Any] = {"size_bytes": len(original), "sha256": hashlib.sha256(original).digest(), **changes}
    return Record(family, recipe=recipe, **fields).pack()


def _bmp_recipe(form: Form, made: bytes) -> bytes:
    return Imitation(form).pack() + patch.make(made, _bmp_dictionary())


def _pieces(form: Form, script: bytes) -> bytes:
    head = b"\4" + Imitation(form).pack()[1:] + varint(len(script))
    return head + patch.make(script, _colours())


def _script() -> bytes:
    """The BMP as its head, and its rows in one piece."""
    found = pieces.find(io.BytesIO(bmp()), [_rows()])
    assert found is not None
    return found


def _rows() -> bytes:
    return np.pad(SAMPLES[::-1], ((0, 0), (0, -_SIDE % 4))).tobytes()


_GIF = GifData(True, 8, 20, ((0, 1), (9, 2)))


def gif() -> bytes:
    """An original of interlaced rows that clears its table early, in sub-blocks of 20 bytes."""
    side, source = _SIDE.to_bytes(2, "little"), originals.of_picture(as_picture(SAMPLES))
    (data,) = Imitation(_GIF).make(source)
    head = b"GIF89a" + side * 2 + b"\xf7\0\0" + b"".join(bytes([i] * 3) for i in range(256))
    return head + b"," + bytes(4) + side * 2 + b"\x40" + data[258:] + b";"


def _gif_recipe(data: GifData) -> bytes:
    (made,) = Imitation(_GIF).make(originals.of_picture(as_picture(SAMPLES)))
    return Imitation(data).pack() + patch.make(gif(), _colours() + made)


def _of_gif(recipe: bytes) -> bytes:
    return _file((Extra.ORIGINAL, _record(gif(), recipe, Family.GIF)))


def _bmp_dictionary() -> bytes:
    return _colours() + _rows()


def _colours() -> bytes:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, 1)
    entries, planes = np.pad(ramp, ((0, 0), (0, 1))).tobytes(), np.repeat(ramp.T, 2).tobytes()
    return ramp.tobytes() * 2 + entries + planes


_BMP = Form(Flag.BGR | Flag.BOTTOM_UP, 8, align=4)


def _file(*extras: tuple[int, bytes]) -> bytes:
    """A file of the samples with these extras."""
    block = blocks.raw(SAMPLES.ravel(), 8)
    body = b"".join(bytes([kind]) + varint(len(data)) + data for kind, data in extras)
    tile = Tile(0, 0, crc32(SAMPLES.tobytes()))
    return Fields(2, Layout.GREY | _EXTRAS, _SIDE, _SIDE, 8, _SIDE, _SIDE, [], body, [tile], [block]).write()


def _of_png(recipe: bytes, original: Callable[[], bytes] = png, **changes: Any) -> bytes:
    return _file((Extra.CHUNK, _TEXT), (Extra.ORIGINAL, _record(original(), recipe, **changes)))


@dataclass(frozen=True)
class Golden:
    """
    Attributes:
        make: makes the file.
        original: makes what it gives back; None if there is no record that counts.
    """

    make: Callable[[], bytes]
    original: Callable[[], bytes] | None = None


@dataclass(frozen=True)
class Bad:
    """
    Attributes:
        make: makes the file, whose picture is good.
        message: a part of the error about its original.
    """

    make: Callable[[], bytes]
    message: str
    error: type[PixzipError] = field(default=BitstreamError)


ORIGINALS: Mapping[str, Golden] = {
    "v2-original-png": Golden(lambda: _of_png(_RECIPE.pack()), png),
    "v2-original-far": Golden(lambda: _of_png(_FAR.pack(), far), far),
    "v2-original-bmp": Golden(
        lambda: _file((Extra.ORIGINAL, _record(bmp(), _bmp_recipe(_BMP, bmp()), Family.BMP))), bmp
    ),
    "v2-original-pieces": Golden(
        lambda: _file((Extra.ORIGINAL, _record(bmp(), _pieces(_BMP, _script()), Family.BMP))), bmp
    ),
    "v2-original-gif": Golden(lambda: _of_gif(_gif_recipe(_GIF)), gif),
    "v2-original-none": Golden(lambda: _file((Extra.ORIGINAL, not_kept(Reason.DEFLATE).pack()))),
    "v2-original-pages": Golden(lambda: _file((Extra.ORIGINAL, _record(b"", b"", Family.PAGES)))),
    "v2-original-later": Golden(lambda: _file((9, b"skipped"), (Extra.ORIGINAL, b"\2later"), (127, b""))),
}


def _changed(**changes: Any) -> bytes:
    return _of_png(Recipe(**{**vars(_RECIPE), **changes}).pack())


_PACKED = _RECIPE.pack()
BAD_ORIGINALS: Mapping[str, Bad] = {
    f"bad-v2-original-{name}": bad
    for name, bad in {
        "empty": Bad(lambda: _file((Extra.ORIGINAL, b"")), "file ends too early, at the version"),
        "cut": Bad(lambda: _file((Extra.ORIGINAL, _record(png(), b"")[:-1])), "at the SHA-256 of the original"),
        "twice": Bad(lambda: _file(*[(Extra.ORIGINAL, b"\1\0\1")] * 2), "file has 2 records of its original"),
        "digest": Bad(
            lambda: _of_png(_PACKED, sha256=bytes(32)), "the original's bytes do not come back", RebuildError
        ),
        "shorter": Bad(
            lambda: _of_png(_PACKED, size_bytes=len(png()) - 1), "they become more than they were", RebuildError
        ),
        "longer": Bad(
            lambda: _of_png(_PACKED, size_bytes=len(png()) + 1), "the original's bytes do not come back", RebuildError
        ),
        "huge": Bad(lambda: _of_png(_PACKED, size_bytes=1 << 34), "declares 17179869184 bytes, expected at most"),
        "flags": Bad(lambda: _of_png(b"\3" + _PACKED[1:]), "has the flags 3"),
        "encoder": Bad(lambda: _of_png(_PACKED[:3] + b"\x09" + _PACKED[4:]), "deflate encoder 9 is unknown"),
        "level": Bad(lambda: _of_png(_PACKED[:3] + b"\1\x0a\x8f" + _PACKED[5:]), "out of their ranges"),
        "far-level": Bad(lambda: _of_png(_PACKED[:3] + b"\5\x03\x8f" + _PACKED[5:]), "out of their ranges"),
        "far-strategy": Bad(lambda: _of_png(_PACKED[:3] + b"\5\x19\x8f" + _PACKED[5:]), "out of their ranges"),
        "stored": Bad(lambda: _changed(spec=Spec(Kind.STORED, block=65536)), "out of their ranges"),
        "chunks-many": Bad(lambda: _changed(idat=(1,) * 200), "they become more than they were", RebuildError),
        "filters-few": Bad(lambda: _changed(filters=b"\0\1\0\1\0"), "has 5 filters, expected 6"),
        "filters-many": Bad(lambda: _changed(filters=b"\0\1" * 4), "filters inflate to more than 6 bytes"),
        "filter": Bad(lambda: _changed(filters=b"\0\1\0\1\0\5"), "each 0 to 4"),
        "operation": Bad(lambda: _changed(chunks=b"\1\5\x09\0"), "operation 9 of a PNG is unknown"),
        "metadata": Bad(lambda: _changed(chunks=b"\1\5\4\4\0"), "operation 4 of a PNG is unknown, or names what"),
        "samples-twice": Bad(lambda: _changed(chunks=b"\1\5\5\0"), "operation 5 of a PNG is unknown, or names what"),
        "samples-none": Bad(lambda: _changed(chunks=b"\1\4\0"), "no place for the samples"),
        "imitation": Bad(lambda: _of_bmp(b"\3\1"), "imitation 3, 1 of the original is unknown"),
        "writer": Bad(lambda: _of_bmp(b"\2\xfa"), "imitation 2, 250 of the original is unknown"),
        "bits": Bad(lambda: _of_bmp(b"\1\0\x11\1\0\0\0"), "have 17 bits"),
        "tile": Bad(lambda: _of_bmp(b"\1\0\x08\1" + varint(65535) * 2 + b"\0"), "in tiles of 4294836225 bytes"),
        "patch": Bad(lambda: _of_bmp(Imitation(_BMP).pack() + b"\xff" * 9), "record of the original damaged"),
        "pieces-planes": Bad(lambda: _of_bmp(_pieces(replace(_BMP, flags=Flag.PLANAR), b"")), "at once, or all"),
        "pieces-length": Bad(
            lambda: _of_bmp(b"\4" + Imitation(_BMP).pack()[1:] + varint((1 << 24) + 1)), "has a script of 16777217"
        ),
        "pieces-many": Bad(lambda: _of_bmp(_pieces(_BMP, b"\x05\1\0\1")), "has 5 pieces of the original"),
        "pieces-few": Bad(lambda: _of_bmp(_pieces(_BMP, b"\1\5\0\0more")), "at the bytes between pieces"),
        "pieces-rest": Bad(lambda: _of_bmp(_pieces(_BMP, b"\1\1\0\x09more")), "3 bytes behind its end"),
        "pieces-past": Bad(
            lambda: _of_bmp(_pieces(_BMP, b"\1\0\0\x31")), "they become fewer than they were", RebuildError
        ),
        "gif-interlaced": Bad(lambda: _of_gif(b"\5\2\x08\xff\0"), "of 8 bits, interlacing 2"),
        "gif-bits": Bad(lambda: _of_gif(b"\5\0\x09\xff\0"), "is a GIF of 9 bits"),
        "gif-part": Bad(lambda: _of_gif(b"\5\0\x08\0\0"), "sub-blocks of 0 bytes"),
        "gif-runs": Bad(lambda: _of_gif(b"\5\0\x08\xff\x7f\0\1"), "is a GIF of 127 runs of clear codes"),
        "gif-clears": Bad(
            lambda: _of_gif(_gif_recipe(replace(_GIF, clears=((0, 292),)))), "of 36 pixels and 292 clear codes"
        ),
        "gif-symbols": Bad(lambda: _of_gif(_gif_recipe(replace(_GIF, bits=7))), "expected less than 2"),
        "patch-bomb": Bad(lambda: _of_bmp(_bmp_recipe(_BMP, bytes(1 << 24))), "record of the original damaged"),
    }.items()
}


def _of_bmp(recipe: bytes) -> bytes:
    return _file((Extra.ORIGINAL, _record(bmp(), recipe, Family.BMP)))


#: A recipe for the fuzzer to damage.
SAMPLE = bytes([Extra.ORIGINAL]) + varint(len(_record(png(), _PACKED))) + _record(png(), _PACKED)
