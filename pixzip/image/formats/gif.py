"""GIF files, whose pixels Pillow reads.

[1] Graphics Interchange Format, Version 89a, CompuServe, 1990; XMP Specification Part 3, 1.1.2 (GIF)
"""

from typing import BinaryIO

from pixzip.image.formats import gif_frames
from pixzip.image.formats.account import Account
from pixzip.image.formats.gif_blocks import (
    APPLICATION,
    COMMENT,
    CONTROL,
    ICC,
    LOOPS,
    TEXT,
    XMP,
    Block,
    blocks,
    embedded,
    head_bytes,
)  # fmt: skip
from pixzip.image.formats.metadata import Embedded
from pixzip.image.formats.pillow import PillowFormat
from pixzip.image.pages import Kind, LoadedPages, Pages


class Gif(PillowFormat):
    """GIF of one frame is only read; animations are written, too."""

    metadata = frozenset({"xmp", "icc", "comment"})
    pages_kind = Kind.GIF
    kept_by_pages = frozenset({"loop count", "duration"})

    def account(self, file: BinaryIO) -> Account:
        data = file.read()
        found = Account.of((0, head_bytes(data)))
        for block in blocks(data):
            name = _name_of_lost(block)
            if name:
                found.leave(block.start, block.end - block.start, name)
            else:
                found.take(block.start, block.end - block.start)
        return found

    def details(self, data: bytes) -> tuple[Embedded, list[str]]:
        return embedded(data), []

    def has_pages(self, file: BinaryIO) -> bool:
        return sum(block.kind == 0x2C for block in blocks(file.read())) > 1

    def read_pages(self, data: bytes, max_pixels: int | None) -> LoadedPages | None:
        return gif_frames.read(data, max_pixels, self.read)

    def write_pages(self, pages: Pages) -> bytes:
        return gif_frames.write(pages)


def _name_of_lost(block: Block) -> str:
    """The name of a block that a picture of one frame does not hold; "" if it holds the block."""
    if block.label == TEXT:
        return "plain text extension"
    if block.label == CONTROL and block.parts:
        control = block.parts[0]
        return "duration" if any(control[1:3]) else ""
    if block.label == APPLICATION and block.parts and block.parts[0] not in (XMP, ICC):
        if block.parts[0] in LOOPS:
            return "loop count"
        return f"extension {block.parts[0].decode('latin-1')!r}"
    if block.label in (0, COMMENT, CONTROL, APPLICATION):
        return ""
    return f"extension {block.label}"


GIF = Gif("GIF", {".gif"}, b"GIF87a", b"GIF89a")
