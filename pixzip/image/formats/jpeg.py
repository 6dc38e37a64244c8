"""JPEG files, whose decoded pixels are read by Pillow."""

import re
from typing import BinaryIO

from pixzip.image.formats.account import Account
from pixzip.image.formats.pillow import PillowFormat

#: A marker that ends entropy-coded data, unlike stuffed zeros, restart markers and fill bytes.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_SCAN, _END = 0xDA, 0xD9


class Jpeg(PillowFormat):
    """JPEG is only read, and only for its pixels: `pixzip.codec.kept` keeps the files."""

    def account(self, file: BinaryIO) -> Account:
        """See `Format.account`; application segments are told apart by what Pillow read of them."""
        data = file.read()
        at = 2
        while at + 4 <= len(data) and data[at] == 0xFF:
            marker = data[at + 1]
            if marker == _END:
                return Account.of((0, at + 2))
            if marker == 0xFF:  # fill
                at += 1
                continue
            at += 2 + int.from_bytes(data[at + 2 : at + 4])
            if marker == _SCAN:
                found = _MARKER.search(data, at)
                at = found.start() if found else len(data)
        return Account.of((0, at + 2 if data[at : at + 2] == b"\xff\xd9" else at))

    def lossy_kind(self, file: BinaryIO) -> str:
        return "a JPEG"


JPEG = Jpeg("JPEG", {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"}, b"\xff\xd8\xff")
