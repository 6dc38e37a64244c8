"""The container of kept files: every truncation and every flipped bit is an error, and sizes are bounded."""

import pytest
from pixcodecs.container import image as image_container
from pixcodecs.container import kept as container
from pixcodecs.container.kept import Content, Method
from pixcodecs.errors import BitstreamError

from tests.helpers.forging import file_v4

DATA = b"\xff\xd8\xff" + bytes(range(60))
FILES = {
    "CRC-32": container.pack(Method.STORED, Content.JPEG, DATA, DATA),
    "SHA-256": container.pack(Method.DEFLATE, Content.JPEG, DATA, b"abc"),
}


def read(file: bytes) -> None:
    header = container.read_header(file)
    container.body(file, header)


@pytest.mark.parametrize("name", FILES)
def test_a_header_comes_back(name: str) -> None:
    header = container.read_header(FILES[name])
    assert (header.length, header.content, header.digest_name) == (63, Content.JPEG, name.lower().replace("-", ""))
    header.check(DATA)


@pytest.mark.parametrize("name", FILES)
def test_every_truncation_flipped_bit_and_further_byte_is_an_error(name: str) -> None:
    file = FILES[name]
    for size in range(len(file)):
        with pytest.raises(BitstreamError):
            read(file[:size])
    for at in range(8 * len(file)):
        flipped = bytearray(file)
        flipped[at // 8] ^= 1 << at % 8
        with pytest.raises(BitstreamError):
            read(bytes(flipped))
    with pytest.raises(BitstreamError, match="checksum of its body"):
        read(file + b"\0")


def test_a_header_takes_at_most_23_bytes_without_sha_256() -> None:
    assert len(file_v4(length=(1 << 35) - 1, body=b"")) == 23


def test_a_declared_length_is_bounded_by_the_size_of_the_file() -> None:
    most = (1 << 26) + 16 * len(file_v4(length=1 << 26))
    container.read_header(file_v4(length=most))
    with pytest.raises(
        BitstreamError, match=rf"kept file has {most + 1} bytes in \d+, more than the limit of {most}: "
    ):
        container.read_header(file_v4(length=most + 1))
    assert container.read_header(file_v4(length=most + 1), limited=False).length == most + 1


def test_other_bytes_than_the_kept_ones_are_found() -> None:
    for file in FILES.values():
        header = container.read_header(file)
        with pytest.raises(BitstreamError, match="does not match its digest"):
            header.check(DATA[:-1] + b"x")
        with pytest.raises(BitstreamError, match="kept file has 62 bytes, expected 63"):
            header.check(DATA[:-1])


def test_readers_of_images_say_what_the_file_is() -> None:
    with pytest.raises(BitstreamError, match="format version 4, another file that is kept as it is"):
        image_container.read_header(FILES["CRC-32"])
    with pytest.raises(BitstreamError, match="keeps no other file: starts with 89505802"):
        container.read_header(b"\x89PX\2")
