"""Golden files of pages with records of their originals, and with records that lie.

The originals of good ones need no encoder whose version could matter: strips without compression, zlib streams of
stored blocks, LZW by pixzip's own encoder.
"""

import io
import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from pixcodecs.container import blocks
from pixcodecs.container import pages as container
from pixcodecs.container.image import Extra, Layout, Tile
from pixcodecs.container.pages import Kind, Member, PagesHeader
from pixcodecs.primitives import crc32, varint

from pixzip import image
from pixzip.image.pages import Pages
from pixzip.originals import Family, Reason, RebuildError, Record
from pixzip.originals import pages as whole
from pixzip.originals.forms import Coding, Flag, Form
from pixzip.originals.pages import recipe as recipes
from pixzip.originals.pages.rebuild import KINDS
from pixzip.originals.pages.recipe import Recipe, Run
from pixzip.originals.pages.tiff import Strips
from pixzip.originals.record import not_kept
from tests.helpers.forging import Fields
from tests.helpers.golden_originals import SAMPLES, Bad, stored
from tests.helpers.image_files import png_file

_EXTRAS = 0x20
_ROLLED = [np.ascontiguousarray(np.roll(SAMPLES, by, 0)) for by in range(3)]


def tiff() -> bytes:
    """Two pages of two strips, of which the second has its strips in the other order, and a thumbnail between them."""
    strips = [x.tobytes() for x in (_ROLLED[0][:4], _ROLLED[0][4:], SAMPLES[::2, ::2], _ROLLED[1][4:], _ROLLED[1][:4])]
    begins = [8 + sum(map(len, strips[:i])) for i in range(6)]
    out = b"MM\0*" + struct.pack(">I", begins[5]) + b"".join(strips)

    def directory(at: int, side: int, offsets: list[int], sizes: list[int], below: int, behind: int) -> bytes:
        fields = [(256, 3, side), (257, 3, side), (258, 3, 8), (259, 3, 1), (262, 3, 1), (278, 3, 4)]
        tags = [(code, kind, 1, struct.pack(">HH", value, 0)) for code, kind, value in fields]
        outside = at + 2 + 12 * (8 + bool(below)) + 4
        if len(offsets) > 1:
            tags += [(273, 4, 2, struct.pack(">I", outside)), (279, 3, 2, struct.pack(">HH", *sizes))]
        else:
            tags += [(273, 4, 1, struct.pack(">I", *offsets)), (279, 3, 1, struct.pack(">HH", *sizes, 0))]
        tags += [(330, 4, 1, struct.pack(">I", below))] if below else []
        body = b"".join(struct.pack(">HHI", *tag[:3]) + tag[3] for tag in sorted(tags))
        more = struct.pack(">II", *offsets) if len(offsets) > 1 else b""
        return struct.pack(">H", len(tags)) + body + struct.pack(">I", behind) + more

    second = begins[5] + 2 + 12 * 9 + 4 + 8
    third = second + 2 + 12 * 8 + 4
    out += directory(begins[5], 6, begins[:2], [24, 12], second, third)
    out += directory(second, 3, begins[2:3], [9], 0, 0)
    return out + directory(third, 6, [begins[4], begins[3]], [24, 12], 0, 0)


def png() -> bytes:
    """Three frames in stored blocks, the last in two chunks, a text behind them and bytes at the end."""

    def control(number: int) -> tuple[bytes, bytes]:
        return b"fcTL", struct.pack(">IIIIIHHBB", number, 6, 6, 0, 0, 1, 25, 0, 0)

    first, second, third = (stored(b"".join(b"\0" + row.tobytes() for row in x), 20) for x in _ROLLED)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 6, 6, 8, 0, 0, 0, 0)), (b"acTL", struct.pack(">II", 3, 0)), control(0),
        (b"IDAT", first), control(1), (b"fdAT", struct.pack(">I", 2) + second), control(3),
        (b"fdAT", struct.pack(">I", 4) + third[:30]), (b"fdAT", struct.pack(">I", 5) + third[30:]),
        (b"tEXt", b"Title\0golden"), (b"IEND", b""),
    ]  # fmt: skip
    return png_file(chunks, b"rest")


def gif() -> bytes:
    """Two frames."""
    colours = bytes(i for i in range(256) for _ in range(3))
    out = b"GIF89a\6\0\6\0\xf7\0\0" + colours[:-3] + b"\xff\xfe\xff"
    for x in _ROLLED[:2]:
        out += b"\x21\xf9\4\0\7\0\0\0\x2c\0\0\0\0\6\0\6\0\0" + _codes(x)
    return out + b";"


def _codes(x: Any) -> bytes:
    """LZW codes of 9 bits for so few pixels: a code to clear, the pixels one by one, and one for the end."""
    value, bits = 0, 0
    for code in (256, *x.ravel().tolist(), 257):
        value |= code << bits
        bits += 9
    data = value.to_bytes(-(-bits // 8), "little")
    return b"\x08" + bytes([len(data)]) + data + b"\0"


_MAKERS = {Kind.TIFF: tiff, Kind.PNG: png, Kind.GIF: gif}


@cache
def pages(kind: Kind) -> Pages:
    found = image.load_pages(_MAKERS[kind]())
    assert found is not None
    return found.pages


@cache
def record(kind: Kind) -> Record:
    return whole.make(io.BytesIO(_MAKERS[kind]()), pages(kind))


def _member(x: Any, layout: Layout, extras: list[tuple[int, bytes]]) -> bytes:
    body = b"".join(bytes([kind]) + varint(len(data)) + data for kind, data in extras)
    flags, (height, width, _) = layout | (_EXTRAS if extras else 0), x.shape
    tile = Tile(0, 0, crc32(x.tobytes()))
    return Fields(2, flags, width, height, 8, width, height, [], body, [tile], [blocks.raw(x.ravel(), 8)]).write()


def file(kind: Kind, *bodies: bytes) -> bytes:
    """A file of pages with records."""
    own, members = pages(kind), []
    for i, page in enumerate(own.pages):
        p = page.picture
        extras = [(Extra.PALETTE, p.palette)] if p.palette else []
        extras += [(Extra.CHUNK, chunk.type + chunk.data) for chunk in p.metadata]
        extras += [(Extra.ORIGINAL, body) for body in bodies] if i == 0 else []
        members.append(_member(p.samples, p.layout, extras))
    table = tuple(
        Member(p.duration, p.x, p.y, p.disposal, p.blend, p.thumbnail, p.aside, len(data), crc32(data))
        for p, data in zip(own.pages, members, strict=True)
    )
    metadata = tuple(chunk.type + chunk.data for chunk in own.metadata)
    header = PagesHeader(own.kind, own.width, own.height, own.loops, own.background, metadata, table)
    return container.pack_header(header) + b"".join(members)


def _recipe(kind: Kind) -> Recipe:
    frames = [page.picture.frame for page in pages(kind).pages]
    return recipes.read(record(kind).recipe, frames, KINDS[kind].read)


def _with(kind: Kind = Kind.TIFF, recipe: bytes | None = None, **changes: Any) -> bytes:
    """A file with a changed record, or a changed recipe."""
    own = {name: changes.pop(name) for name in ("size_bytes", "sha256") if name in changes}
    packed = replace(_recipe(kind), **changes).pack() if recipe is None else recipe
    return file(kind, replace(record(kind), recipe=packed, **own).pack())


#: Name -> a file, and its original, if there is a record that counts.
PAGE_ORIGINALS: Mapping[str, tuple[Callable[[], bytes], Callable[[], bytes] | None]] = {
    "v5-original-tiff": (lambda: file(Kind.TIFF, record(Kind.TIFF).pack()), tiff),
    "v5-original-png": (lambda: file(Kind.PNG, record(Kind.PNG).pack()), png),
    "v5-original-gif": (lambda: file(Kind.GIF, record(Kind.GIF).pack()), gif),
    "v5-original-none": (lambda: file(Kind.TIFF, not_kept(Reason.DEFLATE).pack()), None),
    "v5-original-of-one": (lambda: file(Kind.TIFF, replace(record(Kind.TIFF), family=Family.TIFF).pack()), None),
}

_PLAIN = Form(Flag(0), 8)


def _cut(form: Form) -> bytes:
    return b"\1" + varint(3) + b"\1" + form.pack() + b"\0\0"


def _runs(*runs: Run) -> bytes:
    return _with(runs=runs)


BAD_PAGE_ORIGINALS: Mapping[str, Bad] = {
    f"bad-v5-original-{name}": bad
    for name, bad in {
        "twice": Bad(lambda: file(Kind.TIFF, *[record(Kind.TIFF).pack()] * 2), "file has 2 records of its original"),
        "digest": Bad(lambda: _with(sha256=bytes(32)), "the original's bytes do not come back", RebuildError),
        "shorter": Bad(lambda: _with(size_bytes=len(tiff()) - 1), "they become more than they were", RebuildError),
        "longer": Bad(lambda: _with(size_bytes=len(tiff()) + 1), "the original's bytes do not come back", RebuildError),
        "huge": Bad(lambda: _with(size_bytes=1 << 34), "declares 17179869184 bytes, expected at most"),
        "empty": Bad(lambda: _with(recipe=b""), "at the flags of pages"),
        "pages-none": Bad(lambda: _with(recipe=b"\0\0\0"), "recipe has 0 pages of kind 0, 3 are left"),
        "pages-many": Bad(lambda: _with(recipe=b"\0\4\0"), "recipe has 4 pages of kind 0, 3 are left"),
        "kind": Bad(lambda: _with(recipe=b"\0\3\2"), "recipe has 3 pages of kind 2, 3 are left"),
        "form": Bad(lambda: _with(recipe=_cut(replace(_PLAIN, bits=17))), "have 17 bits"),
        "text": Bad(
            lambda: _with(recipe=_cut(replace(_PLAIN, coding=Coding.TEXT))), "strips of the original are text, or"
        ),
        "tile": Bad(
            lambda: _with(cuts=(Strips(replace(_PLAIN, width=65535, height=65535)), None, None)),
            "in tiles of 4294836225 bytes",
        ),
        "runs-many": Bad(lambda: _with(recipe=b"\0\3\0" + varint(99)), "declares 99 runs of segments"),
        "run-empty": Bad(lambda: _runs(Run(0, 0, 0)), "recipe has segments 0 to -1 of 5, or twice"),
        "run-far": Bad(lambda: _runs(Run(0, 4, 2)), "recipe has segments 4 to 5 of 5, or twice"),
        "run-before": Bad(lambda: _runs(Run(0, -1, 1)), "recipe has segments -1 to -1 of 5, or twice"),
        "run-twice": Bad(lambda: _runs(Run(0, 0, 3), Run(0, 2, 1)), "recipe has segments 2 to 2 of 5, or twice"),
        "gap": Bad(lambda: _with(tail=1 << 20), "they become more than they were", RebuildError),
        "patch": Bad(lambda: _with(patch=b"\xff" * 9), "record of the original damaged"),
        "patch-short": Bad(lambda: _with(recipe=b"\0\3\0\0" + varint(5) + whole_patch(4)), "gives less than 5 bytes"),
        "patch-long": Bad(lambda: _with(recipe=b"\0\3\0\0" + varint(5) + whole_patch(6)), "gives more than 5 bytes"),
        "encoder": Bad(lambda: _with(Kind.PNG, b"\0\3\1\0\0\x78\x01\x09"), "deflate encoder 9 is unknown"),
        "interlacing": Bad(lambda: _with(Kind.PNG, b"\0\3\1\0\2\x78\x01"), "has the flags 2"),
        "chunks": Bad(
            lambda: _with(Kind.PNG, cuts=_of_small_chunks()), "they become more than they were", RebuildError
        ),
        "number": Bad(
            lambda: _with(Kind.PNG, cuts=_numbered(9)), "the original's bytes do not come back", RebuildError
        ),
        "imitation": Bad(lambda: _with(Kind.GIF, b"\0\2\1\2\1"), "imitation 2 of a frame is unknown"),
        "gif-bits": Bad(lambda: _with(Kind.GIF, b"\0\2\1\5\0\x09\xff\0"), "original is a GIF of 9 bits"),
        "gif-symbols": Bad(lambda: _with(Kind.GIF, cuts=_of_few_symbols()), "record of the original damaged"),
    }.items()
}


def whole_patch(size: int) -> bytes:
    """A patch that gives so many bytes, whatever its dictionary."""
    return bytes([0, 0]) + (size << 3 | 1).to_bytes(3, "little") + bytes(size)


def _of_small_chunks() -> tuple[Any, ...]:
    first, *others = _recipe(Kind.PNG).cuts
    assert first is not None
    return replace(first, recipe=replace(first.recipe, idat=(1,) * 40)), *others  # type: ignore[attr-defined, type-var]


def _of_few_symbols() -> tuple[Any, ...]:
    return tuple(replace(cut, how=replace(cut.how, bits=2)) for cut in _recipe(Kind.GIF).cuts)  # type: ignore[union-attr, type-var]


def _numbered(number: int) -> tuple[Any, ...]:
    *others, last = _recipe(Kind.PNG).cuts
    return *others, replace(last, number=number)  # type: ignore[type-var]
