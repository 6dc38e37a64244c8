"""The record in a `.pxz` file of how its original is rebuilt: `docs/format.md`, section 14.

It is an extra of kind 4.  It names the family of the original's format, its length and SHA-256, and has a recipe, which
belongs to the family; or it says why there is none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from pixcodecs.container.image import Extra
from pixcodecs.errors import BitstreamError
from pixcodecs.primitives import Reader, varint

VERSION = 1
DIGEST_BYTES = 32


class Family(IntEnum):
    """Wire ids of families of formats."""

    NONE = 0
    PNG = 1
    BMP = 2
    NETPBM = 3
    TIFF = 4
    TGA = 5
    GIF = 6
    QOI = 7
    WEBP = 8
    PCX = 9
    SGI = 10
    PAGES = 11


class Reason(IntEnum):
    """Wire ids of the reasons why an original is not kept."""

    DEFLATE = 1
    SIZE = 2
    LARGE = 3
    FORM = 4
    TIME = 5


#: Why an original is not kept, in words that follow a colon.
REASONS = {
    Reason.DEFLATE: "its deflate stream is of no known encoder",
    Reason.SIZE: "what it takes to rebuild it is too large",
    Reason.LARGE: "it is too large for that in its format",
    Reason.FORM: "its format, or its form of it, is not rebuilt",
    Reason.TIME: "rebuilding it may take longer than readers allow by default",
}


@dataclass(frozen=True)
class Record:
    """
    Attributes:
        family: family of the original's format; NONE if it is not kept.
        size_bytes: length of the original.
        sha256: its SHA-256, 32 bytes.
        recipe: what `rebuild` needs besides the picture.
        reason: why the original is not kept; None if it is.
        content_bytes: bytes of the recipe that are content of the original, such as chunks; not in the file.
        rebuild_s: processor time for which readers must allow, of a record that was made here; not in the file.
    """

    family: Family
    size_bytes: int = 0
    sha256: bytes = b""
    recipe: bytes = b""
    reason: Reason | None = None
    content_bytes: int = field(default=0, compare=False)
    rebuild_s: float = field(default=0.0, compare=False)

    @property
    def is_kept(self) -> bool:
        return self.reason is None

    @property
    def why_not(self) -> str:
        """Why the original is not kept; "" if it is."""
        return "" if self.reason is None else REASONS[self.reason]

    def pack(self) -> bytes:
        """The body of the extra."""
        if self.reason is not None:
            return bytes([VERSION, Family.NONE, self.reason])
        return bytes([VERSION, self.family]) + varint(self.size_bytes) + self.sha256 + self.recipe


class Trial(NamedTuple):
    """A recipe to try.

    Attributes:
        recipe, content_bytes: see `Record`.
        learn: is told how many bytes of the original a wrong recipe gives.
    """

    recipe: bytes
    content_bytes: int = 0
    learn: Callable[[int], object] = bool


def not_kept(reason: Reason) -> Record:
    """A record that only says why there is none."""
    return Record(Family.NONE, reason=reason)


def unpack(body: bytes) -> Record | None:
    """The inverse of `Record.pack`; None for records of later versions.

    Raises:
        BitstreamError: the record is damaged.
    """
    reader = Reader(body)
    if reader.byte("version of the record of the original") != VERSION:
        return None
    family = reader.byte("format of the original")
    if family not in Family.__members__.values():
        return None
    if family == Family.NONE:
        reason = reader.byte("reason why there is no original")
        known = reason in Reason.__members__.values()
        return not_kept(Reason(reason) if known else Reason.FORM)
    size = reader.varint("length of the original")
    return Record(Family(family), size, reader.take(DIGEST_BYTES, "SHA-256 of the original"), reader.rest())


def record_of(extras: Sequence[tuple[int, bytes]]) -> Record | None:
    """The record among a file's extras; None if there is none, or one of a later version.

    Raises:
        BitstreamError: the record is damaged, or there are several.
    """
    found = [body for kind, body in extras if kind == Extra.ORIGINAL]
    if len(found) > 1:
        raise BitstreamError(f"file has {len(found)} records of its original, expected at most one")
    return unpack(found[0]) if found else None
