"""Good and bad golden files of pages: `golden` makes them, `test_golden_pages` reads them."""

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from pixcodecs.container.image import MAX_EXTRAS_BYTES
from pixcodecs.container.pages import Kind
from pixcodecs.primitives import crc32, deflate, varint

from pixzip import codec
from pixzip.codec.pages import compress_pages
from pixzip.image.pages import Page, Pages
from pixzip.image.picture import BEHIND_SAMPLES, Chunk, Picture
from tests.helpers import golden

_SIGNATURE = b"\x89PX\x05"
_METADATA = 0x20
_BLEND, _THUMBNAIL, _ASIDE, _OFFSET, _DURATION = 0x08, 0x10, 0x20, 0x40, 0x80


def _rolled(name: str, by: int) -> Picture:
    x = golden.picture(name)
    return replace(x, samples=np.ascontiguousarray(np.roll(x.samples, by, 0)), metadata=())


def _frames(name: str, **first: Any) -> tuple[Page, ...]:
    moved = {"x": 2, "y": 4, "disposal": 1, "blend": True, "duration": (1, 24)}
    return (
        Page(_rolled(name, 0), **first),
        Page(_rolled(name, 1), duration=(7, 100)),
        Page(_rolled(name, 2), **moved),  # type: ignore[arg-type]
    )


PAGES = {
    "v5-tiff": Pages(
        Kind.TIFF,
        (
            Page(golden.picture("v2-palette")),
            Page(_rolled("v2-grey16", 0), thumbnail=True),
            Page(_rolled("v2-rgb", 0)),
            Page(_rolled("v2-grey", 0), thumbnail=True),
            Page(_rolled("v2-grey", 1), thumbnail=True),
        ),
    ),
    "v5-png": Pages(
        Kind.PNG, _frames("v2-rgba", aside=True), 40, 30, 3, bytes(4),
        (Chunk(b"gAMA", b"\0\0\xb1\x8f"), Chunk(b"tEXt", b"Title\0golden"), BEHIND_SAMPLES, Chunk(b"tIME", bytes(7))),
    ),
    "v5-gif": Pages(Kind.GIF, _frames("v2-palette"), 40, 30, 0, b"\x05\0\0\0", (Chunk(b"tEXt", b"Comment\0c"),)),
    "v5-webp": Pages(Kind.WEBP, _frames("v2-rgb", duration=(0, 1000)), 40, 30, 1, b"\1\2\3\4"),
}  # fmt: skip


def encoded(name: str) -> bytes:
    return compress_pages(PAGES[name], codec.Options(golden.weights, models_only=True))


class BadPages(NamedTuple):
    """The function that makes a file, and a part of the error's message."""

    make: Callable[[], bytes]
    message: str


def member(data: bytes, flags: int = 0, fields: bytes = b"", crc: int | None = None, size: int | None = None) -> bytes:
    """An entry of the table."""
    length = varint(len(data) if size is None else size)
    return bytes([flags]) + fields + length + struct.pack("<I", crc32(data) if crc is None else crc)


def grey() -> bytes:
    return (golden.FOLDER / "v2-grey-model.pxz").read_bytes()


def file_v5(
    kind: int = 0, *, count: int | None = None, canvas: bytes = b"", metadata: bytes = b"",
    table: list[bytes] | None = None, members: list[bytes] | None = None, tail: bytes = b"", header_crc: int = 0,
) -> bytes:  # fmt: skip
    """A file of two pages, with changes; the checksum of the header is right unless `header_crc` is given."""
    files = [grey(), grey()] if members is None else members
    table = [member(file) for file in files] if table is None else table
    head = _SIGNATURE + bytes([kind]) + varint(len(files) if count is None else count) + canvas + metadata
    head += b"".join(table)
    return head + struct.pack("<I", crc32(head) ^ header_crc) + b"".join(files) + tail


def _canvas(width: int = 40, height: int = 30, loops: int = 0) -> bytes:
    return varint(width) + varint(height) + varint(loops) + bytes(4)


def _framed(*flags_and_fields: tuple[int, bytes]) -> bytes:
    return file_v5(2, canvas=_canvas(), table=[member(grey(), *each) for each in flags_and_fields])


def _with_metadata(body: bytes, packed: bool = False) -> bytes:
    return file_v5(_METADATA, metadata=varint(len(body) << 1 | packed) + body)


def _large() -> bytes:
    """Two members of 9459 x 9459 constant pixels, each of which is just within the limits."""
    sides = varint(9459) + varint(9459)
    block = b"\x01\x00"
    head = b"\x89PX\x02\x00" + sides + struct.pack("<II", crc32(block), 0)
    file = head + struct.pack("<I", crc32(head)) + block
    return file_v5(members=[file, file])


def _other(name: str) -> Callable[[], bytes]:
    return lambda: file_v5(members=[grey(), (golden.FOLDER / f"{name}.pxz").read_bytes()])


_TIME = varint(1) + varint(0)
BAD_PAGES = {
    "bad-v5-kind": BadPages(lambda: file_v5(4), "kind and flags 0x4 of pages are unknown"),
    "bad-v5-flags": BadPages(lambda: file_v5(0x40), "kind and flags 0x40 of pages are unknown"),
    "bad-v5-members-0": BadPages(lambda: file_v5(count=0), "header declares 0 members, expected 1 to 65536"),
    "bad-v5-members-many": BadPages(lambda: file_v5(count=65537), "header declares 65537 members"),
    "bad-v5-members-more": BadPages(lambda: file_v5(count=3), "header"),
    "bad-v5-canvas-0": BadPages(lambda: file_v5(1, canvas=_canvas(0)), "of 0x30, sides must be 1 to 65535"),
    "bad-v5-canvas-wide": BadPages(lambda: file_v5(3, canvas=_canvas(65536)), "of 65536x30"),
    "bad-v5-loops": BadPages(lambda: file_v5(2, canvas=_canvas(loops=1 << 32)), "header declares 4294967296 loops"),
    "bad-v5-metadata-cut": BadPages(lambda: _with_metadata(b"\x09gAMA"), "file ends too early, at the metadata"),
    "bad-v5-metadata-none": BadPages(lambda: _with_metadata(b""), "declares metadata and has none"),
    "bad-v5-metadata-deflate": BadPages(lambda: _with_metadata(b"\xff\xff", True), "metadata damaged"),
    "bad-v5-metadata-bomb": BadPages(
        lambda: _with_metadata(deflate(bytes(MAX_EXTRAS_BYTES + 1)), True), "metadata inflate to more than"
    ),
    "bad-v5-metadata-many": BadPages(
        lambda: _with_metadata(deflate(bytes(65537)), True), "file has more than 65536 pieces of metadata"
    ),
    "bad-v5-chunk": BadPages(lambda: _with_metadata(b"\x04PLTE"), "metadata has a chunk b'PLTE'"),
    "bad-v5-chunk-short": BadPages(lambda: _with_metadata(b"\x02ga"), "metadata has a chunk b'ga'"),
    "bad-v5-thumbnail": BadPages(
        lambda: file_v5(table=[member(grey(), _THUMBNAIL), member(grey())]), "member 0 is a thumbnail of nothing"
    ),
    "bad-v5-thumbnail-gif": BadPages(
        lambda: _framed((0, b""), (_THUMBNAIL, b"")), "member 1 is a thumbnail of nothing"
    ),
    "bad-v5-page-timed": BadPages(
        lambda: file_v5(table=[member(grey(), _DURATION, b"\1\1"), member(grey())]), "is a frame of an animation"
    ),
    "bad-v5-page-disposal": BadPages(
        lambda: file_v5(table=[member(grey(), 1), member(grey())]), "is a frame of an animation"
    ),
    "bad-v5-aside": BadPages(lambda: _framed((_ASIDE, b""), (0, b"")), "member 0 is no frame"),
    "bad-v5-duration": BadPages(lambda: _framed((_DURATION, _TIME), (0, b"")), "member 0 lasts 1/0 s"),
    "bad-v5-duration-long": BadPages(
        lambda: _framed((0, b""), (_DURATION, varint(1 << 32) + varint(1))), "member 1 lasts 4294967296/1 s"
    ),
    "bad-v5-offset": BadPages(lambda: _framed((_OFFSET, b"\0\0"), (0, b"")), "member 0 has an offset of 0,0"),
    "bad-v5-offset-far": BadPages(
        lambda: _framed((_OFFSET, varint(65536) + b"\0"), (0, b"")), "member 0 is at 65536,0"
    ),
    "bad-v5-header": BadPages(lambda: file_v5(header_crc=1), "header damaged: its checksum does not match"),
    "bad-v5-member": BadPages(
        lambda: file_v5(table=[member(grey()), member(grey(), crc=1)]), "member 1 damaged: its checksum does not match"
    ),
    "bad-v5-truncated": BadPages(lambda: file_v5()[:-1], "file is truncated"),
    "bad-v5-appended": BadPages(lambda: file_v5(tail=b"\0"), "file is too long"),
    "bad-v5-empty": BadPages(lambda: file_v5(members=[grey(), b""]), "starts with nothing"),
    "bad-v5-of-v1": BadPages(_other("grey-1x1"), "member 1 has format version 1, expected 2"),
    "bad-v5-of-stack": BadPages(_other("v3-grey"), "file has format version 3, a stack of images"),
    "bad-v5-of-pages": BadPages(lambda: file_v5(members=[grey(), file_v5()]), "format version 5, several pages"),
    "bad-v5-pixels": BadPages(_large, "pages have more pixels than the limit of 89478485"),
    "bad-v5-samples": BadPages(_other("bad-v2-samples"), "decoded pixels do not match"),
}
