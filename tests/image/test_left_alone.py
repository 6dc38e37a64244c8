"""Images in a folder that are not compressed are recognised by name or by their first bytes."""

import io
from pathlib import Path

import pytest
from PIL import Image

from pixzip import image
from pixzip.image import formats
from pixzip.image.left_alone import LARGER, NOT_READ, OTHER_NAME, Left, left_alone
from pixzip.image.picture import Layout
from tests.helpers.pictures import picture, saved

RGB = picture(Layout.RGB, 8)
PILLOW = Image.fromarray(RGB.samples)


def found(path: Path) -> Left | None:
    return left_alone(path.name, lambda: path.open("rb"))


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.jxl", b"", ("JPEG XL", LARGER)),
        ("a.bin", b"\xff\x0a\xfa", ("JPEG XL", LARGER)),
        ("a", b"\0\0\0\x20ftypavif\0\0\0\0", ("AVIF", LARGER)),
        ("a.HEIC", b"", ("HEIC", LARGER)),
        ("a.nef", b"MM\0*", ("raw camera", NOT_READ)),
        ("a.CR3", b"", ("raw camera", NOT_READ)),
        ("a.x", b"FUJIFILMCCD-RAW 0201", ("raw camera", NOT_READ)),
        ("a.jp2", b"", ("JPEG 2000", NOT_READ)),
        ("a.exr", b"\x76\x2f\x31\x01", ("OpenEXR", NOT_READ)),
        ("scan", image.write(RGB), ("PNG", OTHER_NAME)),
        ("slide.svs", image.write(RGB, ".tif"), ("TIFF", OTHER_NAME)),
        ("a.webp", saved(PILLOW, "WEBP", quality=50), ("lossy WebP", LARGER)),
        (
            "a.webp",
            saved(PILLOW, "WEBP", quality=50, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"),
            ("lossy WebP", LARGER),
        ),
        ("a.webp", saved(PILLOW, "WEBP", lossless=True), None),
        ("a.webp", image.write(RGB), None),
        ("a.png", b"no image", None),
        ("notes.txt", b"P5 is a paragraph, GIF a format", None),
        ("a.csv", b"", None),
    ],
)
def test_kinds_are_known_by_their_names_and_by_their_first_bytes(
    name: str, data: bytes, expected: tuple[str, str] | None, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data)
    assert found(tmp_path / name) == expected


def test_every_format_is_taken_by_its_suffix(tmp_path: Path) -> None:
    for form in formats.FORMATS:
        for suffix in form.suffixes:
            (tmp_path / f"a{suffix}").write_bytes(b"")
            assert found(tmp_path / f"a{suffix}") is None


def test_a_file_that_cannot_be_read_is_none_of_them(tmp_path: Path) -> None:
    for name in ("a", "a.webp"):
        (tmp_path / name).symlink_to(tmp_path / "nothing")
        assert found(tmp_path / name) is None


def test_suffixes_are_of_one_kind_each() -> None:
    from pixzip.image.left_alone import _KINDS

    every = [suffix for kind in _KINDS for suffix in kind.suffixes]
    every += [suffix for form in formats.FORMATS for suffix in form.suffixes]
    assert len(every) == len(set(every))


def test_an_animation_with_lossy_frames_is_lossy(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    for lossless in (False, True):
        out = io.BytesIO()
        frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], lossless=lossless)
        (tmp_path / "a.webp").write_bytes(out.getvalue())
        assert (found(tmp_path / "a.webp") is None) == lossless
