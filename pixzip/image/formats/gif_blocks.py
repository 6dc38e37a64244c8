"""The blocks of a GIF file around the pixels, which Pillow reads.

[1] Graphics Interchange Format, Version 89a, CompuServe, 1990; XMP Specification Part 3, 1.1.2 (GIF)
"""

from collections.abc import Iterator
from typing import NamedTuple

from pixzip.image.formats.metadata import Embedded

_HEAD_BYTES, _DESCRIPTOR_BYTES, _NAME_BYTES = 13, 10, 11
COMMENT, APPLICATION, CONTROL, TEXT = 0xFE, 0xFF, 0xF9, 0x01
XMP, ICC, LOOPS = b"XMP DataXMP", b"ICCRGBG1012", (b"NETSCAPE2.0", b"ANIMEXTS1.0")
#: Bytes behind XMP that lead every reader of sub-blocks to the end.
XMP_TAIL = bytes([1, *range(255, -1, -1), 0])


class Block(NamedTuple):
    """An extension, an image or the end of a GIF file.

    Attributes:
        kind: 0x21 for an extension, 0x2C for an image, 0x3B for the end.
        label: number of the extension.
        start, end: place in the file.
        parts: bodies of the sub-blocks.
    """

    kind: int
    label: int
    start: int
    end: int
    parts: tuple[bytes, ...]


def blocks(data: bytes) -> Iterator[Block]:
    """Yield all whole blocks behind the head, to the end of the image."""
    at = head_bytes(data)
    while at < len(data):
        start, kind, label = at, data[at], 0
        if kind == 0x21:
            label, at = (data[at + 1] if at + 1 < len(data) else 0), at + 2
        elif kind == 0x2C:
            flags = data[at + 9] if at + 9 < len(data) else 0
            at += _DESCRIPTOR_BYTES + table_bytes(flags) + 1  # and the size of the first codes
        else:
            if kind == 0x3B:
                yield Block(kind, 0, start, at + 1, ())
            return
        parts = []
        while at < len(data) and (size := data[at]):
            parts.append(data[at + 1 : at + 1 + size])
            at += 1 + size
        at += 1
        if at > len(data):
            return
        yield Block(kind, label, start, at, tuple(parts))


def data_start(data: bytes, block: Block) -> int:
    """Where the image data of an image begin: at the size of the first codes."""
    return block.start + _DESCRIPTOR_BYTES + table_bytes(data[block.start + _DESCRIPTOR_BYTES - 1])


def head_bytes(data: bytes) -> int:
    """The size of the head and of the colours of all frames."""
    return _HEAD_BYTES + table_bytes(data[10] if len(data) > 10 else 0)


def table_bytes(flags: int) -> int:
    """The size of the colours that the flags of a head or of an image announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def embedded(data: bytes) -> Embedded:
    """Comments, XMP and the profile of a file."""
    fields = {"comment": b"", "xmp": b"", "icc": b""}
    comments = []
    for block in blocks(data):
        if block.kind != 0x21:
            continue
        if block.label == COMMENT:
            comments.append(b"".join(block.parts))
        elif block.label == APPLICATION and block.parts:
            if block.parts[0] == XMP:
                body = data[block.start + 3 + _NAME_BYTES : block.end]
                tail = body.endswith(XMP_TAIL)
                fields["xmp"] = body.removesuffix(XMP_TAIL) if tail else b"".join(block.parts[1:])
            elif block.parts[0] == ICC:
                fields["icc"] = b"".join(block.parts[1:])
    fields["comment"] = b"\n".join(comments)
    return Embedded(**fields)
