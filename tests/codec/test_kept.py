"""Kept files: any file that starts like a JPEG comes back byte for byte, and never takes more than 24 bytes more."""

import hashlib

import imagecodecs
import pytest
from pixcodecs.container import kept as container
from pixcodecs.container.kept import Method
from pixcodecs.errors import BitstreamError

from pixzip.codec import kept
from pixzip.codec.kept import segments
from tests.helpers import jpegs
from tests.helpers.jpegs import FILES, RECOMPRESSED


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_starts_like_a_jpeg_comes_back_byte_for_byte(name: str) -> None:
    data = FILES[name]()
    file = kept.keep(data)
    assert kept.restore(file) == data
    assert len(file) <= len(data) + 24
    assert (container.read_header(file).method is Method.JPEG_XL) == (name in RECOMPRESSED)
    assert kept.salvage(file) == (data, "")


def test_the_digest_is_sha_256_where_the_file_is_not_larger_by_it() -> None:
    saved = kept.keep(data := jpegs.jpeg())
    header = container.read_header(saved)
    assert (header.digest_name, header.digest) == ("sha256", hashlib.sha256(data).digest())
    header = container.read_header(kept.keep(FILES["noise"]()))
    assert (header.digest_name, len(header.digest), header.method) == ("crc32", 4, Method.STORED)
    for size in range(44, 80):  # of which deflate saves some
        file = kept.keep(data := b"\xff\xd8\xff" + bytes(size))
        assert len(file) <= len(data)
        whole = container.read_header(file).digest_name == "sha256"
        assert whole == (len(file) - 28 * whole + 28 <= len(data))


def test_what_makes_other_bytes_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    data = jpegs.jpeg()
    assert container.read_header(kept.keep(data)).method is Method.JPEG_XL
    other = jpegs.jpeg(quality=30)
    encode = imagecodecs.jpegxl_encode_jpeg
    monkeypatch.setattr(imagecodecs, "jpegxl_encode_jpeg", lambda *args, **options: encode(other, **options))
    file = kept.keep(data)
    assert container.read_header(file).method is Method.DEFLATE
    assert kept.restore(file) == data


def test_without_libjxl_files_are_deflated(monkeypatch: pytest.MonkeyPatch) -> None:
    file = kept.keep(data := jpegs.jpeg())

    def missing(*args: object, **options: object) -> None:
        raise ImportError("could not import name 'jpegxl_encode_jpeg'")

    monkeypatch.setattr(imagecodecs, "jpegxl_encode_jpeg", missing)
    monkeypatch.setattr(imagecodecs, "jpegxl_decode_jpeg", missing)
    assert kept.restore(kept.keep(data)) == data
    with pytest.raises(kept.PixzipError, match="needs JPEG XL, which imagecodecs has not here"):
        kept.restore(file)


def test_images_above_the_limit_of_pixels_are_deflated_unless_it_is_lifted() -> None:
    data = jpegs.jpeg()
    pixels = jpegs.WIDTH * jpegs.HEIGHT
    assert container.read_header(kept.keep(data, pixels)).method is Method.JPEG_XL
    assert container.read_header(kept.keep(data, pixels - 1)).method is Method.DEFLATE
    file = kept.keep(data, None)
    with pytest.raises(
        BitstreamError, match=rf"kept file has {pixels} pixels, more than the limit of {pixels - 1}: --no"
    ):
        kept.restore(file, pixels - 1)
    assert kept.restore(file, pixels) == data


def test_other_files_are_not_kept() -> None:
    with pytest.raises(ValueError, match=r"file starts with 89504e, expected ffd8ff of JPEG"):
        kept.keep(b"\x89PNG")


def test_images_of_a_file_are_found_with_their_metadata_and_size() -> None:
    data = FILES["EXIF, XMP, profile, comment"]()
    (image,) = segments.images(data, 9)
    assert (image.start, image.end, image.width, image.height) == (0, len(data), jpegs.WIDTH, jpegs.HEIGHT)
    starts = [data[start : start + 10][4:] for start, _ in image.metadata]
    assert starts == [b"http:/", b"Photos", b"Exif\0\0", b"ICC_PR"]
    first, second = segments.images(jpegs.many(), 9)
    assert first.end == second.start
    assert segments.images(jpegs.jpeg() * 3, 2) == [
        segments.images(jpegs.jpeg(), 1)[0],
        segments.images(jpegs.jpeg(), 1)[0]._replace(start=len(jpegs.jpeg()), end=2 * len(jpegs.jpeg())),
    ]
    for name in ("cut off", "fill bytes before a marker", "the start of a JPEG", "noise"):
        assert segments.images(FILES[name](), 9) == []
    assert segments.size(FILES["cut off"]()) == (jpegs.WIDTH, jpegs.HEIGHT)
    assert segments.size(FILES["start and end"]()) == (0, 0)
