"""Good and bad golden files that keep a JPEG: `golden` makes them, `test_golden_kept` reads them.

The JPEGs, of generated scenes, are beside them, because they and their streams depend on the libraries that wrote them.
"""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from pixcodecs.container import kept as container
from pixcodecs.container.kept import Content, Method
from pixcodecs.primitives import crc32, deflate, varint

from pixzip.codec import kept
from pixzip.codec.kept import codestream
from pixzip.codec.kept.huffman import dictionary
from tests.helpers import golden, jpegs
from tests.helpers.forging import file_v4


class Made(NamedTuple):
    """A good file: what it keeps, and how."""

    method: Method
    make: Callable[[], bytes]

    @property
    def place(self) -> Path:
        (name,) = (name for name, made in KEPT.items() if made is self)
        return golden.FOLDER / f"{name}.jpg"

    def original(self) -> bytes:
        """The kept file, which is written where it is missing."""
        if not self.place.exists():
            self.place.write_bytes(self.make())
        return self.place.read_bytes()

    def file(self) -> bytes:
        data = self.original()
        plain = {Method.STORED: data, Method.DEFLATE: deflate(data)}
        if self.method in plain:
            return container.pack(self.method, Content.JPEG, data, plain[self.method])
        return kept.keep(data)


KEPT = {
    "v4-stored": Made(Method.STORED, jpegs.FILES["the start of a JPEG"]),
    "v4-deflate": Made(Method.DEFLATE, jpegs.FILES["CMYK"]),
    "v4-jxl": Made(Method.JPEG_XL, jpegs.FILES["4:2:0"]),
    "v4-jxl-grey": Made(Method.JPEG_XL, jpegs.FILES["grey"]),
    "v4-jxl-parts": Made(
        Method.JPEG_XL, lambda: jpegs.with_segments(jpegs.many(), jpegs.segment(0xE1, jpegs.XMP)) + b"end"
    ),
}


class Bad(NamedTuple):
    """The function that makes a file, and a part of the error's message."""

    make: Callable[[], bytes]
    message: str
    #: What salvage writes of it, or a part of the message where it writes nothing.
    salvaged: bytes | str


_ABCD = b"\xff\xd8\xffabcd"
_NOTHING = "nothing can be recovered"


def _crc(data: bytes) -> bytes:
    return struct.pack("<I", crc32(data))


def _header(message: str, **changes: Any) -> Bad:
    plain = {"length": len(_ABCD), "digest": _crc(_ABCD), "body": _ABCD}
    return Bad(lambda: file_v4(**{**plain, **changes}), message, message)


def _deflated(message: str, body: bytes, salvaged: bytes | str, original: bytes = _ABCD) -> Bad:
    fields = {"method": 1, "length": len(original), "digest": _crc(original), "body": body}
    return Bad(lambda: file_v4(**fields), message, salvaged)


class Parts(NamedTuple):
    """The fields of a body of JPEG XL."""

    streams: list[codestream.Parts]
    gives: list[int]
    runs: list[tuple[int, int]]
    rest: bytes

    def body(self, count: int | None = None, tail: bytes = b"") -> bytes:
        images = b"".join(stream.image for stream in self.streams)
        sizes = zip(self.streams, self.gives, strict=True)
        heads = b"".join(varint(len(stream.image)) + varint(size) for stream, size in sizes)
        numbers = varint(len(self.runs)) + b"".join(varint(n) for run in self.runs for n in run)
        notes = b"".join(varint(len(stream.notes)) + stream.notes for stream in self.streams)
        packed = deflate(numbers + notes + self.rest, dictionary=dictionary())
        k = varint(len(self.streams) if count is None else count)
        return k + heads + varint(len(packed)) + packed + images + tail


def whole() -> tuple[bytes, Parts]:
    """The grey golden JPEG, and its fields."""
    from pixzip.codec.kept import jpeg_xl, segments

    data = KEPT["v4-jxl-grey"].original()
    (coded,) = jpeg_xl._image(data, segments.images(data, 1)[0])
    return data, Parts([coded.parts], [len(data)], [(0, len(data))], b"")


def _stream(message: str, edit: Callable[[Parts], Parts], more: int = 0, **options: Any) -> Bad:
    """A file whose fields are edited, and whose length is `more` than it should be."""

    def make() -> bytes:
        data, parts = whole()
        parts = edit(parts._replace(runs=[(0, len(data) + more)]))
        return file_v4(method=2, length=len(data) + more, digest=_crc(data), body=parts.body(**options))

    return Bad(make, message, _NOTHING)


def _edited(
    image: Callable[[bytes], bytes] = lambda data: data, notes: Callable[[bytes], bytes] = lambda data: data
) -> Callable[[Parts], Parts]:
    """An edit of a stream."""

    def edit(parts: Parts) -> Parts:
        (stream,) = parts.streams
        return parts._replace(streams=[codestream.Parts(image(stream.image), notes(stream.notes))])

    return edit


BAD_KEPT = {
    f"bad-v4-{name}": bad
    for name, bad in {
        "header": Bad(lambda: _flip(5, file_v4()), "header damaged: its checksum", "header damaged: its checksum"),
        "truncated": Bad(lambda: file_v4()[:12], "file ends too early, at the checksum", "file ends too early"),
        "method": _header("kept by method 3, which is unknown", method=3),
        "method-reserved": _header("kept by method 64, which is unknown", method=0x40),
        "content": _header("keeps content of kind 2, which is unknown", content=2),
        "length-0": _header("header declares a kept file of 0 bytes", length=0),
        "length-form": _header("length of the kept file is not in its shortest form", length=b"\x87\0"),
        "length-large": _header("more than the limit of", length=(1 << 26) + 1000),
        "body": Bad(
            lambda: _flip(-1, KEPT["v4-stored"].file()), "checksum of its body does not match", b"\xff\xd8\xfe"
        ),
        "appended": Bad(
            lambda: KEPT["v4-stored"].file() + b"!", "checksum of its body does not match", b"\xff\xd8\xff"
        ),
        "stored-short": _header("kept file has 6 bytes, expected 7", body=_ABCD[:-1])._replace(salvaged=_ABCD[:-1]),
        "digest": _header("does not match its digest", digest=bytes(4))._replace(salvaged=_ABCD),
        "digest-sha": _header("does not match its digest", method=0x80, digest=bytes(32))._replace(salvaged=_ABCD),
        "no-jpeg": _header(
            "file contradicts itself: the kept file is no JPEG", length=4, digest=_crc(b"abcd"), body=b"abcd"
        )._replace(salvaged=b"abcd"),
        "deflate-long": _deflated("inflate to more than 7 bytes", deflate(_ABCD + b"e"), _ABCD),
        "deflate-short": _deflated("kept file has 6 bytes, expected 7", deflate(_ABCD[:-1]), _ABCD[:-1]),
        "deflate-damaged": _deflated("bytes of the kept file damaged", b"\xff\xff\xff", _NOTHING),
        "deflate-tail": _deflated("does not end where it should", deflate(_ABCD) + b"\0", _ABCD),
        "jxl-none": _stream("kept file has 0 streams, expected 1 to 16", lambda p: Parts([], [], [], b"")),
        "jxl-many": _stream("kept file has 17 streams", lambda p: p, count=17),
        "jxl-cut": _stream("file ends too early, at the stream", lambda p: Parts([], [], [], b""), count=1),
        "jxl-tail": _stream("it goes on after its last stream", lambda p: p, tail=b"\0"),
        "jxl-runs": _stream("its parts do not add up to", lambda p: p._replace(runs=[(1, p.gives[0])])),
        "jxl-rest": _stream("its parts do not add up to", lambda p: p._replace(rest=b"a")),
        "jxl-many-runs": _stream("runs, expected at most 65536", lambda p: p._replace(runs=[(0, 0)] * 65537)),
        "jxl-gives-less": _stream("bytes, expected", lambda p: p._replace(gives=[p.gives[0] + 2]), more=2),
        "jxl-gives-more": _stream("cannot resize output", lambda p: p._replace(gives=[p.gives[0] - 2]), more=-2),
        "jxl-signature": _stream("has a signature 2814", _edited(lambda s: b"\xfe" + s[1:])),
        "jxl-damaged": _stream("JPEG XL stream damaged: JxlDecoder", _edited(lambda s: s[:-60] + bytes(60))),
        "jxl-cut-short": _stream("JPEG XL stream damaged: JxlDecoder", _edited(lambda s: s[:-60])),
        "jxl-empty": _stream("it ends in its header", _edited(lambda s: b"")),
        "jxl-no-notes": _stream("it ends in its header", _edited(notes=lambda s: b"")),
        "jxl-notes-damaged": _stream("JPEG XL stream damaged", _edited(notes=lambda s: s[:40] + bytes(len(s) - 40))),
        "jxl-notes-large": _stream("has notes of 1048577 bytes", _edited(notes=lambda s: bytes((1 << 20) + 1))),
    }.items()
}


def _flip(at: int, data: bytes) -> bytes:
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
