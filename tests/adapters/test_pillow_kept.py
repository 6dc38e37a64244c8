"""Kept JPEGs in Pillow and the API: what Pillow makes of the JPEG, and the file itself."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pixcodecs.container import kept as container
from pixcodecs.container.kept import Content, Method

import pixzip
from tests.helpers import jpegs
from tests.helpers.support import photo

PHOTO = jpegs.FILES["EXIF, XMP, profile, comment"]()
FILE = pixzip.encode(PHOTO)


@pytest.mark.parametrize("name", ["4:2:0", "grey", "CMYK", "progressive", "two images", "EXIF, XMP, profile, comment"])
def test_a_kept_jpeg_opens_as_the_jpeg(name: str, tmp_path: Path) -> None:
    data = jpegs.FILES[name]()
    (tmp_path / "x.pxz").write_bytes(pixzip.encode(data))
    with Image.open(io.BytesIO(data)) as expected:
        for given in (tmp_path / "x.pxz", str(tmp_path / "x.pxz"), io.BytesIO(pixzip.encode(data))):
            with Image.open(given) as found, pixzip.open(given) as again:
                assert (found.format, found.mode, found.size) == (expected.format, expected.mode, expected.size)
                assert dict(found.getexif()) == dict(expected.getexif())
                assert found.info == expected.info
                assert found.tobytes() == expected.tobytes() == again.tobytes()
                assert getattr(found, "n_frames", 1) == getattr(expected, "n_frames", 1)


def test_damage_is_an_oserror(tmp_path: Path) -> None:
    for data in (FILE[:-1], FILE[:20], FILE[:-1] + bytes([FILE[-1] ^ 1])):
        (tmp_path / "x.pxz").write_bytes(data)
        with pytest.raises(OSError, match=r"cannot decode the \.pxz file"):
            Image.open(tmp_path / "x.pxz")


def test_a_limit_of_pixels_is_that_of_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(OSError, match="more than the limit of 1000"):
        Image.open(io.BytesIO(FILE))


def test_a_jpeg_is_kept_and_restored_from_bytes_and_paths(tmp_path: Path) -> None:
    (tmp_path / "a.JPG").write_bytes(PHOTO)
    for given in (PHOTO, bytearray(PHOTO), memoryview(PHOTO), tmp_path / "a.JPG", str(tmp_path / "a.JPG")):
        assert pixzip.encode(given) == FILE
    assert pixzip.restore(FILE) == pixzip.restore(memoryview(FILE)) == PHOTO
    pixzip.save(PHOTO, tmp_path / "a.pxz")
    assert (tmp_path / "a.pxz").read_bytes() == FILE
    pixzip.verify(FILE)
    assert pixzip.info(FILE)["original_bytes"] == len(PHOTO)
    with pytest.raises(OSError, match=r"No such file"):
        pixzip.encode(tmp_path / "none.jpg")


def test_decode_gives_the_pixels_of_a_kept_jpeg_among_other_files() -> None:
    with Image.open(io.BytesIO(PHOTO)) as opened:
        pixels = np.asarray(opened)
    array = photo(3)
    files = pixzip.encode_batch([array, PHOTO, array[:5]], "fast")
    assert files[1] == FILE
    found = pixzip.decode_batch(files)
    assert all(map(np.array_equal, found, [array, pixels, array[:5]]))
    assert (pixzip.decode(FILE, region=(30, 20, 50, 40)) == pixels[20:60, 30:80]).all()
    with pytest.raises(pixzip.PixzipError, match="is not inside the image of 261x203"):
        pixzip.decode(FILE, region=(0, 0, 262, 1))


def test_what_has_no_pixels_or_no_file_is_said() -> None:
    cmyk = pixzip.encode(jpegs.FILES["CMYK"]())
    assert pixzip.restore(cmyk) == jpegs.FILES["CMYK"]()
    with pytest.raises(pixzip.UnsupportedImageError, match="CMYK"):
        pixzip.decode(cmyk)
    with pytest.raises(pixzip.BitstreamError, match="keeps no other file"):
        pixzip.restore(pixzip.encode(photo(3), "fast"))
    with pytest.raises(pixzip.UnsupportedImageError, match="no bits belong to single pixels"):
        pixzip.bits_map(FILE)
    with pytest.raises(pixzip.BitstreamError, match=r"pixels, more than the limit of 9"):
        pixzip.decode(FILE, max_pixels=9)
    stored = container.pack(Method.STORED, Content.JPEG, PHOTO, PHOTO)  # not recompressed
    with pytest.raises(pixzip.BitstreamError, match=r"more pixels than the limit of 9"):
        pixzip.decode(stored, max_pixels=9)


def test_a_file_that_is_named_like_a_jpeg_and_is_none_is_refused_by_name(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "x.jpg", "PNG")
    for call in (pixzip.encode, lambda path: pixzip.save(path, tmp_path / "x.pxz"), lambda x: pixzip.encode_batch([x])):
        with pytest.raises(pixzip.UnsupportedImageError, match=r"x\.jpg is no JPEG: pixzip\.compress takes"):
            call(tmp_path / "x.jpg")
