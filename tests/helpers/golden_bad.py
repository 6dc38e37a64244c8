"""Bad golden files: the error in each, and the messages of every way of reading it.

Checksums of headers and blocks are correct unless they are the error, so each file reaches the intended check.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from pixcodecs.container import blocks
from pixcodecs.container import image as container
from pixcodecs.container.blocks import Kind
from pixcodecs.container.image import Layout, Tile
from pixcodecs.errors import BitstreamError, ModelMismatchError, PixzipError
from pixcodecs.primitives import crc32, deflate, varint

from pixzip.codec import webp_png
from tests.helpers import golden, golden_jpeg
from tests.helpers.forging import Fields, file_v1

_DEEP, _EXTRAS, _TILED = 0x80, 0x20, 0x40
_NOTHING = "nothing can be recovered"


class Bad(NamedTuple):
    """The function that makes a file, and a part of the error's message."""

    make: Callable[[], bytes]
    message: str
    #: Part of the message when salvaging; None if there is something to salvage.
    salvaged: str | None
    error: type[PixzipError] = BitstreamError
    #: Part of the command line's message, if it differs, because the command line also reads stacks.
    command: str | None = None


def _good(name: str) -> bytes:
    return (golden.FOLDER / f"{name}.pxz").read_bytes()


def _block(name: str) -> bytes:
    return container.block(_good(name), container.read_header(_good(name)), 0)


def _fields(flags: int = 0, **changes: Any) -> Fields:
    """A file of 4 x 3 grey pixels and one raw block, with changes."""
    block = blocks.raw(np.arange(12, dtype=np.uint8), 8)
    plain = {
        "version": 2, "flags": flags, "width": 4, "height": 3, "depth": 8, "tile_width": 4, "tile_height": 3,
        "models": [], "extras": b"", "tiles": [Tile(0, 0, crc32(block[1:]))], "blocks": [block],
    }  # fmt: skip
    return Fields(**{**plain, **changes})


def _whole(message: str, make: Callable[[], bytes]) -> Bad:
    """A file that no way of reading accepts."""
    return Bad(make, message, message)


def _header(message: str, flags: int = 0, **changes: Any) -> Bad:
    return _whole(message, lambda: _fields(flags, **changes).write())


def _two_tiles(**changes: Any) -> Fields:
    """Like `_fields`, for 20 x 16 pixels, all 0, in tiles of 16 x 16 and 4 x 16."""
    tiles = [Tile(0, 0, crc32(bytes(256))), Tile(0, 0, crc32(bytes(64)))]
    sides = {"width": 20, "height": 16, "tile_width": 16, "tile_height": 16}
    return _fields(_TILED, **{**sides, "tiles": tiles, "blocks": [b"\1\0", b"\1\0"], **changes})


def _sealed(head: bytes) -> bytes:
    """A header of arbitrary bytes after the version, with a correct checksum."""
    head = b"\x89PX\2" + head
    return head + crc32(head).to_bytes(4, "little")


def _inflating(packed: bytes) -> bytes:
    """A file with these deflated bytes as extras."""
    return _sealed(bytes([_EXTRAS, 4, 3]) + varint(len(packed) << 1 | 1) + packed + bytes(8))


def _code(
    message: str, make: Callable[[], bytes], layout: Layout = Layout.GREY, depth: int = 8, model: int = 0,
    sides: tuple[int, int] = (4, 3),
) -> Bad:  # fmt: skip
    """A bad block, for 4 x 3 pixels of a layout and a depth, with the model for `channels` channels."""

    def file() -> bytes:
        models = [golden.weights(model).model_id] if model else []
        flags = layout | len(models) << 3 | (_DEEP if depth != 8 else 0)
        width, height = sides
        return _fields(flags, width=width, height=height, depth=depth, models=models, blocks=[make()]).write()

    return Bad(file, message, _NOTHING)


def _payload(edit: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    """The block of an edited good payload of 20 x 18 grey pixels."""
    return lambda: _block("v2-grey-model")[:2] + edit(_block("v2-grey-model")[2:])


def _rans(edit: Callable[[bytes], bytes], name: str = "v2-rans-grey") -> Callable[[], bytes]:
    """Like `_payload`, coded by rANS."""
    return lambda: _block(name)[:2] + edit(_block(name)[2:])


def _adapted(edit: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    """Like `_payload`, with a stage that did not code the payload."""
    return lambda: blocks.adapted(1, _payload(edit)())


def _state(lane: int, value: int, payload: bytes) -> bytes:
    at = 1 + 8 * lane
    return payload[:at] + value.to_bytes(8, "little") + payload[at + 8 :]


def _webp(*shape: int) -> bytes:
    return blocks.foreign(Kind.WEBP, webp_png.webp(golden.image(shape)))


def _png(*shape: int) -> bytes:
    return blocks.foreign(Kind.PNG, webp_png.png(golden.image(shape)))


def _nested(depth: int) -> bytes:
    return b"\1\0" if depth == 8 else blocks.narrow(depth - 1, _nested(depth - 1))


def _levels(table: bytes, depth: int = 1, inner: bytes = b"\1\x80", packed: bool = False) -> bytes:
    packed_table = table if packed else deflate(table)
    return bytes([Kind.LEVELS]) + varint(len(packed_table)) + packed_table + bytes([depth]) + inner


def _flip(at: int, data: bytes) -> bytes:
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


_CHECKSUM = "header damaged: its checksum"
_SIDES = "sides must be 1 to 65535"
_LIMIT = "pixels, more than the limit of"
_MISSING = "file needs model 6d6f64656c2d6964, which is not here"
_GREY = {"model": 1, "sides": (20, 18)}

#: Errors independent of the version, in damaged files of version 1.
_ANY = {
    "bad-empty": _whole("not a pixzip file", lambda: b""),
    "bad-signature": _whole("not a pixzip file", lambda: b"\x88" + _good("rgb-7x9")[1:]),
    "bad-version": _whole(_CHECKSUM, lambda: _good("rgb-7x9")[:3] + b"\2" + _good("rgb-7x9")[4:]),
    "bad-version-3": _whole(
        "format version 3, a stack of images", lambda: _good("rgb-7x9")[:3] + b"\3" + _good("rgb-7x9")[4:]
    )._replace(command="header damaged: the height"),
    "bad-version-4": _whole(_CHECKSUM, lambda: _good("rgb-7x9")[:3] + b"\4" + _good("rgb-7x9")[4:]),
    "bad-version-5": _whole(
        "format version 5, several pages or frames", lambda: _good("rgb-7x9")[:3] + b"\5" + _good("rgb-7x9")[4:]
    )._replace(command="member 1 is no frame"),
    "bad-version-6": _whole(
        "format version 6, a model that other files need", lambda: _good("rgb-7x9")[:3] + b"\6" + _good("rgb-7x9")[4:]
    ),
    "bad-version-7": _whole("reads versions 1 to 6", lambda: _good("rgb-7x9")[:3] + b"\7" + _good("rgb-7x9")[4:]),
}
_VERSION_1 = {
    "bad-header": _whole(_CHECKSUM, lambda: _flip(8, _good("rgb-7x9"))),
    "bad-payload": Bad(lambda: _flip(-1, _good("rgb-7x9")), "block damaged: its checksum", _NOTHING),
    "bad-truncated": Bad(lambda: _good("rgb-7x9")[:-4], "file is truncated", _NOTHING),
    "bad-appended": Bad(lambda: _good("rgb-7x9") + b"\0", "file is too long", None),
    "bad-v1-reference": _whole("model reference 2 (a model embedded in the file)", lambda: file_v1(reference=2)),
    "bad-v1-coder": _whole("payload coder 2", lambda: file_v1(layout=0x21)),
    "bad-v1-format": _whole("pixel format 2", lambda: file_v1(layout=0x12)),
    "bad-v1-side": _whole(_SIDES, lambda: file_v1(width=b"\0")),
    "bad-v1-side-form": _whole("width is not in its shortest form", lambda: file_v1(width=b"\x85\0")),
    "bad-v1-pixels": _whole(_LIMIT, lambda: file_v1(width=varint(65535), height=varint(65535))),
    "bad-v1-model": _whole(_MISSING, file_v1)._replace(error=ModelMismatchError),
    "bad-v1-samples": Bad(
        lambda: file_v1(
            layout=0x10, model_id=golden.weights(1).model_id, width=b"\1", height=b"\1", payload=_good("grey-1x1")[27:]
        ),
        "decoded pixels do not match", _NOTHING,
    ),
}  # fmt: skip
_HEADERS = {
    "header": _whole(_CHECKSUM, lambda: _flip(-14, _fields().write())),
    "truncated": Bad(lambda: _fields().write()[:-1], "block damaged: its checksum", _NOTHING),
    "appended": Bad(lambda: _fields().write() + b"\0", "block damaged: its checksum", _NOTHING),
    "samples": Bad(lambda: _fields(tiles=[Tile(0, 0, 0)]).write(), "decoded pixels do not match", _NOTHING),
    "layout": _header("layout 7 is unknown", 7),
    "depth-0": _header("header declares 0 bits a sample for GREY", _DEEP, depth=0),
    "depth-8": _header("header declares 8 bits a sample for GREY", _DEEP, depth=8),
    "depth-17": _header("header declares 17 bits a sample for GREY", _DEEP, depth=17),
    "depth-palette": _header("header declares 9 bits a sample for PALETTE", _DEEP | Layout.PALETTE, depth=9),
    "width-0": _header(f"header declares 0x3 pixels, {_SIDES}", width=0),
    "height-65536": _header(f"header declares 4x65536 pixels, {_SIDES}", height=65536),
    "side-form": _whole("width is not in its shortest form", lambda: _sealed(b"\0\x84\0\3" + bytes(8))),
    "side-long": _whole("width is longer than five bytes", lambda: _sealed(b"\0" + b"\xff" * 5 + b"\3" + bytes(8))),
    "pixels": _header(_LIMIT, width=65535, height=65535),
    "tiles-small": _whole("header declares tiles of 15x16", lambda: _two_tiles(tile_width=15).write()),
    "tiles-one": _whole("header declares tiles of 20x16", lambda: _two_tiles(tile_width=20).write()),
    "table-short": _whole(
        "file ends too early, at the table of tiles", lambda: _two_tiles(tiles=[Tile(2, 0, 0)], blocks=[b""]).write()
    ),
    "tiles-cut": Bad(lambda: _two_tiles().write()[:-1], "file is truncated", None),
    "tile": Bad(lambda: _flip(-1, _two_tiles().write()), "block of tile 1 damaged: its checksum", None),
    "model-reference": _whole("model reference 2 is unknown", lambda: _sealed(b"\x08\4\3\2model-id" + bytes(8))),
    "model-missing": _header(_MISSING, 0x08, models=[b"model-id"])._replace(error=ModelMismatchError),
    "extras-bomb": _whole(
        f"extras inflate to more than {container.MAX_EXTRAS_BYTES} bytes",
        lambda: _inflating(deflate(bytes(container.MAX_EXTRAS_BYTES + 1))),
    ),
    "extras-many": _whole(
        f"more than {container.MAX_EXTRAS} extras", lambda: _inflating(deflate(b"\2\0" * (container.MAX_EXTRAS + 1)))
    ),
    "extras-deflate": _whole("extras damaged", lambda: _inflating(b"\xff\xff\xff")),
    "extras-tail": _whole("does not end where it should", lambda: _inflating(deflate(b"") + b"\0")),
    "extras-cut": _header("file ends too early, at the extras", _EXTRAS, extras=b"\3\x09gAMA"),
    "extra": _header("extra 200 is unknown", _EXTRAS, extras=b"\xc8\0"),
    "chunk": _header("file contradicts itself: metadata has a chunk", _EXTRAS, extras=b"\3\4IHDR"),
    "palette": _header("file contradicts itself: palette has 0 bytes", Layout.PALETTE),
    "palette-grey": _header("file contradicts itself: palette has 3 bytes", _EXTRAS, extras=b"\1\3abc"),
    "transparency": _header("file contradicts itself: transparency has 3 bytes", _EXTRAS, extras=b"\2\3abc"),
}
_BLOCKS = {
    "empty": _code("file ends too early, at the kind of a block", lambda: b""),
    "kind": _code("block kind 255 is unknown", lambda: b"\xff"),
    "raw-short": _code("raw samples take 11 bytes, expected 12", lambda: bytes(12)),
    "raw-long": _code("raw samples take 13 bytes, expected 12", lambda: bytes(14)),
    "raw-bits": _code("bits after the last are not zero", lambda: b"\0\0\1", depth=1),
    "constant": _code("raw samples take 2 bytes, expected 1", lambda: b"\1\0\0"),
    "model-position": _code("block asks for model 1 of 1", lambda: b"\2\1" + bytes(40), model=1),
    "model-none": _code("block asks for model 0 of 0", lambda: b"\2\0" + bytes(40)),
    "model-channels": _code("file has 1 channels, its model 3", lambda: b"\2\0" + bytes(40), model=3),
    "model-depth": _code("a model codes 1 or 3 channels of 8 bits, block has 1 of 4", lambda: b"\2\0", depth=4),
    "model-alpha": _code("a model codes 1 or 3 channels of 8 bits, block has 2", lambda: b"\2\0", Layout.GREY_ALPHA),
    "model-least": _code("4000x3000 pixels take at least", lambda: b"\2\0", sides=(4000, 3000), model=1),
    "model-empty": _code("payload ends before its last pixel", _payload(lambda p: b""), **_GREY),
    "model-odd": _code("expected a multiple of 4", _payload(lambda p: p[:-1]), **_GREY),
    "model-cut": _code("payload ends before its last pixel", _payload(lambda p: p[:40]), **_GREY),
    "model-long": _code("payload goes on after its last pixel", _payload(lambda p: p + b"\1\2\3\4" * 2), **_GREY),
    "deep-shallow": _code("a model codes 1 or 3 channels of 9 to 16 bits, block has 1 of 8", lambda: b"\x09\0\0"),
    "deep-unit": _code("block has grey levels of 2^5 samples at 12 bits", lambda: b"\x09\0\5", depth=12),
    "deep-empty": _code("payload ends before its last pixel", lambda: b"\x09\0\0", depth=12, **_GREY),
    "deep-cut": _code("file ends too early, at the unit", lambda: b"\x09\0", depth=12),
    "deep-channels": _code("file has 1 channels, its model 3", lambda: b"\x09\0\0" + bytes(40), depth=12, model=3),
    "rans-depth": _code("a model codes 1 or 3 channels of 8 bits, block has 1 of 12", lambda: b"\x0b\0", depth=12),
    "rans-shallow": _code("a model codes 1 or 3 channels of 9 to 16 bits, block has 1 of 8", lambda: b"\x0c\0\0"),
    "rans-unit": _code("block has grey levels of 2^5 samples at 12 bits", lambda: b"\x0c\0\5", depth=12),
    "rans-least": _code("4000x3000 pixels take at least", lambda: b"\x0b\0", sides=(4000, 3000), model=1),
    "rans-empty": _code("payload has 0 bytes, expected 9", _rans(lambda p: b""), **_GREY),
    "rans-lanes": _code("payload has 2^9 lanes", _rans(lambda p: b"\x09" + p[1:] + bytes(4096)), **_GREY),
    "rans-states-cut": _code("payload has 8 bytes, expected 9", _rans(lambda p: p[:8]), **_GREY),
    "rans-odd": _code("expected 9 and words of 4", _rans(lambda p: p[:-1]), **_GREY),
    "rans-state-low": _code("a state is out of its range", _rans(partial(_state, 0, (1 << 31) - 1)), **_GREY),
    "rans-state-high": _code("a state is out of its range", _rans(partial(_state, 0, 1 << 63)), **_GREY),
    "rans-cut": _code("payload ends before its last pixel", _rans(lambda p: p[:-4]), **_GREY),
    "rans-long": _code("payload goes on after its last pixel", _rans(lambda p: p + bytes(4)), **_GREY),
    "rans-end": _code(
        "its states do not end where an encoder starts",
        _rans(partial(_state, 15, (1 << 31) + 1), "v2-rans-spare-lanes"), **_GREY,
    ),
    "stage-0": _code("stage 0 is unknown to this version", lambda: b"\x0d\0\2\0"),
    "stage-3": _code("stage 3 is unknown to this version", lambda: b"\x0d\3\2\0"),
    "stage-lattice-3": _code("stage 49 is unknown to this version", lambda: b"\x0d\x31\2\0"),
    "stage-lattice-0": _code("stage 32 is unknown to this version", lambda: b"\x0d\x20\2\0"),
    "stage-lattice-grey": _code(
        "a lattice is of 3 channels of 8 bits, block has 1 of 8", lambda: b"\x0d\x11\2\0" + bytes(8)
    ),
    "stage-lattice-depth": _code(
        "a lattice is of 3 channels of 8 bits, block has 3 of 12", lambda: b"\x0d\x22\x09\0\0" + bytes(8),
        Layout.RGB, 12,
    ),
    "stage-cut": _code("file ends too early, at the number of a stage", lambda: b"\x0d"),
    "stage-of-nothing": _code("file ends too early, at the kind of a block", lambda: b"\x0d\1"),
    "stage-of-raw": _code("stage 1 adapts a block of kind 0, which is no model's", lambda: b"\x0d\1" + bytes(13)),
    "stage-of-stage": _code("adapts a block of kind 13, which is no model's", lambda: b"\x0d\1\x0d\1\2\0"),
    "stage-of-unknown": _code("adapts a block of kind 255, which is no model's", lambda: b"\x0d\1\xff"),
    "stage-depth": _code("block has 1 of 12", lambda: b"\x0d\1\2\0", depth=12),
    "stage-least": _code("4000x3000 pixels take at least", lambda: b"\x0d\1\2\0", sides=(4000, 3000), model=1),
    "stage-payload": _code("payload goes on after its last pixel", _adapted(lambda p: p), **_GREY),
    "webp-size": _code("WebP block is not one of 4x3 pixels", lambda: _webp(3, 5, 1)),
    "webp-cut": _code("WebP block damaged", lambda: _webp(3, 4, 1)[:-6]),
    "webp-above": _code("WebP block has samples above 4 bits", lambda: _webp(3, 4, 1), depth=4),
    "webp-deep": _code("WebP block is not one of 4x3 pixels of at most 8 bits", lambda: _webp(3, 4, 1), depth=16),
    "webp-body-size": _code("decoded pixels do not match", lambda: b"\x0a" + _webp(9, 8, 1)[6:]),
    "webp-body-cut": _code("WebP block damaged", lambda: b"\x0a" + _webp(3, 4, 1)[6:-6]),
    "webp-body-above": _code("WebP block has samples above 4 bits", lambda: b"\x0a" + _webp(3, 4, 1)[6:], depth=4),
    "webp-body-wide": _code("sides are at most 16384", lambda: b"\x0a" + _webp(3, 4, 1)[6:], sides=(16385, 1)),
    "webp-body-deep": _code("WebP block is not one of 4x3 pixels", lambda: b"\x0a" + _webp(3, 4, 1)[6:], depth=16),
    "png-size": _code("PNG block damaged: it holds another number of samples", lambda: _png(3, 5, 1)),
    "png-cut": _code("PNG block damaged", lambda: _png(3, 4, 1)[:-6]),
    "png-shallow": _code("PNG block has samples of 4 bits", lambda: _png(3, 4, 1), depth=4),
    **{name: _code(message, make, **fields) for name, (message, make, fields) in golden_jpeg.bad(_block).items()},
    "alpha-channels": _code("block splits off alpha, but has 1 channels", lambda: blocks.alpha(b"\1\0", b"\1\0")),
    "alpha-cut": _code("file ends too early, at the block of colours", lambda: b"\5\x09\1\0", Layout.GREY_ALPHA),
    "alpha-inner": _code("raw samples take 3 bytes, expected 1", lambda: b"\5\4\1\0\0\0\1\0", Layout.GREY_ALPHA),
    "shift-0": _code("block splits 16 bits at 0", lambda: blocks.high_low(0, b"\1\0", b"\1\0"), depth=16),
    "shift-9": _code("block splits 16 bits at 9", lambda: blocks.high_low(9, b"\1\0", b"\1\0"), depth=16),
    "shift-3": _code("block splits 12 bits at 3", lambda: blocks.high_low(3, b"\1\0", b"\1\0"), depth=12),
    "shift-shallow": _code("block splits 8 bits at 4", lambda: blocks.high_low(4, b"\1\0", b"\1\0")),
    "high-cut": _code("file ends too early, at the block of high bits", lambda: b"\6\x08\x09\1\0", depth=16),
    "narrow-same": _code("block narrows 8 bits to 8", lambda: blocks.narrow(8, b"\1\0")),
    "narrow-more": _code("block narrows 4 bits to 5", lambda: blocks.narrow(5, b"\1\0"), depth=4),
    "narrow-0": _code("block narrows 8 bits to 0", lambda: blocks.narrow(0, b"\1\0")),
    "levels-short": _code("levels take 31 bytes, expected 32", lambda: _levels(bytes(31))),
    "levels-long": _code("levels inflate to more than 32 bytes", lambda: _levels(bytes(33))),
    "levels-deflate": _code("levels damaged", lambda: _levels(b"\xff\xff\xff", packed=True)),
    "levels-cut": _code("file ends too early, at the table of levels", lambda: b"\x08\x09ab"),
    "levels-depth": _code("ranks of 8-bit levels take 9 bits", lambda: _levels(b"\xc0" + bytes(31), depth=9)),
    "levels-rank": _code("channel 0 uses a rank above its 1 levels", lambda: _levels(b"\x80" + bytes(31))),
    "levels-none": _code("channel 0 uses a rank above its 0 levels", lambda: _levels(bytes(32), inner=b"\1\0")),
    "nested": _code("blocks are nested too deep", lambda: _nested(16), depth=16),
}  # fmt: skip

#: Name of a golden file -> its error.
BAD = {**_ANY, **_VERSION_1, **{f"bad-v2-{name}": bad for name, bad in {**_HEADERS, **_BLOCKS}.items()}}
