"""The names of a stack's images: relative paths, valid on every operating system, that cannot leave their folder.

Unpacking a stack writes files by these names.  So names that could lead elsewhere, or to a device, are refused both
when a stack is written and when it is read.  `docs/format.md`, section 10.1, has the rules.
"""

import lzma
import re
from collections.abc import Sequence
from itertools import pairwise

from pixcodecs.errors import BitstreamError, UnsupportedImageError
from pixcodecs.primitives import Reader, deflate, inflate, varint

#: Most bytes that a reader inflates.
MAX_NAMES_BYTES = 1 << 25
#: Longest part of a path in bytes of UTF-8, as in most file systems.
MAX_PART_BYTES = 255
#: Most parts of a path; bounds the time of checks.
MAX_PARTS = 32
_DICTIONARY_BYTES = 1 << 22
_WAYS = [{"lc": lc, "lp": 0, "pb": 0, "preset": 9 | lzma.PRESET_EXTREME} for lc in (0, 2, 3, 4)]
#: Control characters, separators of any system, and characters reserved by Windows.
_CHARACTERS = r"\x00-\x1f\x7f-\x9f\\:*?\"<>|"
_FORBIDDEN = re.compile(f"[{_CHARACTERS}]")
_DEVICE_NAME = r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *"
_DEVICE = re.compile(_DEVICE_NAME + r"(?:\.|$)", re.IGNORECASE | re.ASCII)
#: Quick test that accepts most valid names, the short ones.
_PART = rf"(?!{_DEVICE_NAME}(?:[./]|$))[^/{_CHARACTERS}\ud800-\udfff]*[^/. {_CHARACTERS}\ud800-\udfff]"
_GOOD = re.compile(rf"{_PART}(?:/{_PART})*", re.IGNORECASE | re.ASCII)
_SHORT = min(MAX_PART_BYTES // 4, 2 * MAX_PARTS - 1)


def problem(name: str) -> str:
    """The problem with a name; "" if it is valid.

    A name is one to `MAX_PARTS` parts, joined by "/".  No part is empty, longer than `MAX_PART_BYTES`, or ends with a
    dot or a space; no part contains control characters or one of ``\\ : * ? " < > |``, or names a Windows device.
    """
    if len(name) <= _SHORT and _GOOD.fullmatch(name):
        return ""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "is not UTF-8"
    if found := _FORBIDDEN.search(name):
        return f"has the character {found[0]!r}"
    if name.count("/") >= MAX_PARTS:
        return f"has more than {MAX_PARTS} parts"
    for part in name.split("/"):
        if not part:
            return "is empty, absolute, or has an empty part"
        if part[-1] in ". ":
            return "has a part that ends with a dot or a space"
        if _DEVICE.match(part):
            return "has a part that is a device of Windows"
        if len(part.encode()) > MAX_PART_BYTES:
            return f"has a part of more than {MAX_PART_BYTES} bytes"
    return ""


def _repeated(names: Sequence[str]) -> str | None:
    """A name that occurs twice, or as both a file and a folder; letters A to Z equal a to z.  None if there is none.

    Names are sorted with the end of a part below all characters, so that a name is next to those that it conflicts
    with; memory is that of the names.
    """
    keys = sorted(name.encode().lower().replace(b"/", b"\0") for name in names)  # bytes.lower is ASCII only
    for key, following in pairwise(keys):
        if following.startswith(key) and following[len(key) : len(key) + 1] in (b"", b"\0"):
            return key.replace(b"\0", b"/").decode()
    return None


def check(names: Sequence[str]) -> None:
    """
    Raises:
        UnsupportedImageError: a stack cannot hold these names.
    """
    for name in names:
        if found := problem(name):
            raise UnsupportedImageError(f"name {name[:99]!r} {found}")
    if (twice := _repeated(names)) is not None:
        raise UnsupportedImageError(f"name {twice[:99]!r} is there twice, up to case, or is a file and a folder")
    if sum(len(name.encode()) + 1 for name in names) > MAX_NAMES_BYTES:
        raise UnsupportedImageError(f"names have more than {MAX_NAMES_BYTES} bytes")


def _filters(way: dict[str, int]) -> list[dict[str, int]]:
    return [{"id": lzma.FILTER_LZMA2, **way, "dict_size": _DICTIONARY_BYTES}]


def pack(names: Sequence[str]) -> bytes:
    """The field of a header: a varint, twice the length plus 1 for LZMA2, and the bytes.

    Raises:
        UnsupportedImageError: see `check`.
    """
    check(names)
    text = "\n".join(names).encode()
    deflated = deflate(text)
    body = min([deflated, *(lzma.compress(text, lzma.FORMAT_RAW, filters=_filters(way)) for way in _WAYS)], key=len)
    return varint(len(body) << 1 | (body is not deflated)) + body


def take(reader: Reader) -> tuple[bool, bytes]:
    """The raw field: whether it is LZMA2, and its bytes.

    Raises:
        BitstreamError: the field is truncated.
    """
    length = reader.varint("length of the names")
    return bool(length & 1), reader.take(length >> 1, "names")


def unpack(is_lzma: bool, body: bytes, count: int) -> tuple[str, ...]:
    """The inverse of `pack`, on the result of `take`.

    Args:
        count: number of names, 1 or more.
    Raises:
        BitstreamError: the stream is damaged, or `pack` would refuse the names.
    """
    text = _lzma2(body) if is_lzma else inflate(body, MAX_NAMES_BYTES, "names")
    found = text.count(b"\n") + 1
    if found != count:
        raise BitstreamError(f"file has {found} names for {count} images")
    try:
        names = tuple(part.decode() for part in text.split(b"\n"))
    except UnicodeDecodeError:
        raise BitstreamError("names damaged: they are not UTF-8") from None
    try:
        check(names)
    except UnsupportedImageError as e:
        raise BitstreamError(f"file is refused for its names: {e}") from None
    return names


def _lzma2(body: bytes) -> bytes:
    coder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_filters({}))
    try:
        out = coder.decompress(body, MAX_NAMES_BYTES + 1)
    except (lzma.LZMAError, EOFError) as e:
        raise BitstreamError(f"names damaged: {e}") from None
    if len(out) > MAX_NAMES_BYTES:
        raise BitstreamError(f"names inflate to more than {MAX_NAMES_BYTES} bytes")
    if not coder.eof or coder.unused_data:
        raise BitstreamError("names damaged: the LZMA2 stream does not end where it should")
    return out
