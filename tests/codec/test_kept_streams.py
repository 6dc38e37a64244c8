"""Streams of JPEG XL: only what recompressing a JPEG makes is decoded, and pixels and scans are bounded before."""

import hashlib
from typing import Any

import imagecodecs
import pytest
from pixcodecs.container.limits import LIFT, MAX_KEPT_WORK, MAX_PIXELS
from pixcodecs.errors import BitstreamError
from pixcodecs.primitives import deflate

from pixzip.codec import kept
from pixzip.codec.kept import codestream, jpeg_xl, segments
from pixzip.codec.kept.codestream import Parts
from pixzip.codec.kept.huffman import dictionary
from tests.helpers import golden_kept, jpegs
from tests.helpers.forging import file_v4

#: SHA-256 of the dictionary, which never changes.
DICTIONARY = "ccc7c70d1dfb12d2ab9563cb0962b038dbccd8b22546350a600cb9298ac520ba"
#: Field -> (value, bits), in the order of a codestream as libjxl writes it for RGB without ratio of its sides.
FIELDS = {
    "signature": (0x0AFF, 16), "small": (0, 1), "height": (2 | 299 << 2, 20), "ratio": (0, 3), "width": (9 << 2, 11),
    "default metadata": (0, 1), "extra fields": (0, 1), "floating point": (0, 1), "bits per sample": (0, 2),
    "16 bits": (1, 1), "extra channels": (0, 2), "XYB": (0, 1), "colours": (1, 1), "extensions": (0, 2),
    "transform": (1, 1), "padding": (0, 0),
    "default frame": (0, 1), "type": (0, 2), "encoding": (0, 1), "flags": (2 | 111 << 2, 10), "YCbCr": (1, 1),
    "subsampling": (0, 6), "upsampling": (0, 2), "passes": (0, 2), "crop": (0, 1), "blending": (0, 2), "last": (1, 1),
}  # fmt: skip


def stream(scans: int = 1, **changes: tuple[int, int]) -> Parts:
    """What `check` reads of a stream, and nothing else."""
    value = size = 0
    for name, (number, bits) in (FIELDS | {k.replace("_", " "): v for k, v in changes.items()}).items():
        if name == "padding":
            size += -size % 8
        value, size = value | number << size, size + bits
    markers = sum(0x1A << 1 + 6 * i for i in range(scans)) | 0x19 << 1 + 6 * scans
    notes = markers.to_bytes(-(-(7 + 6 * scans) // 8), "little")
    return Parts(value.to_bytes(-(-size // 8), "little"), notes)


def test_pixels_and_scans_are_those_of_the_jpeg() -> None:
    for name in ("4:2:0", "4:2:2", "4:4:4", "grey", "RGB", "progressive"):
        data = jpegs.FILES[name]()
        (coded,) = jpeg_xl._image(data, segments.images(data, 1)[0])
        scans = 10 if name == "progressive" else 1
        assert codestream.check(coded.parts) == (jpegs.WIDTH * jpegs.HEIGHT, scans)
    data = jpegs.progressive(1100, 1)
    (coded,) = jpeg_xl._image(data, segments.images(data, 1)[0])
    assert codestream.check(coded.parts) == (1100 * 1100, 127)


def test_a_stream_of_the_fields_that_are_known_is_taken() -> None:
    assert codestream.check(stream()) == (3000, 1)
    assert codestream.check(stream(5)) == (3000, 5)
    square = {"small": (1, 1), "height": (7, 5), "ratio": (1, 3), "width": (0, 0)}
    assert codestream.check(stream(**square)) == (64 * 64, 1)  # type: ignore[arg-type]
    wide = {"height": (3 | 65535 << 2, 32), "ratio": (5, 3), "width": (0, 0)}
    assert codestream.check(stream(**wide)) == (65536 * 16 // 9 * 65536, 1)  # type: ignore[arg-type]
    grey = {"colours": (0 | 0 << 1 | 1 << 2 | 1 << 4 | 0 << 6 | 2 << 7 | 11 << 9 | 1 << 13, 15)}
    assert codestream.check(stream(**grey)) == (3000, 1)  # type: ignore[arg-type]


CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"signature": (0x0AFE, 16)}, "a signature 2814"),
    ({"default_metadata": (1, 1)}, "default metadata 1"),
    ({"extra_fields": (1, 1)}, "extra fields 1"),
    ({"floating_point": (1, 1)}, "floating point 1"),
    ({"bits_per_sample": (1, 2)}, "bits per sample of form 1"),
    ({"extra_channels": (1, 2)}, "extra channels of form 1"),
    ({"XYB": (1, 1)}, "XYB colours 1"),
    ({"colours": (2, 2)}, "a profile 1"),
    ({"colours": (0 | 2 << 2 | 0 << 4, 10)}, "colour space 2"),
    ({"colours": (0 | 0 << 2 | 2 << 4 | 0 << 6 | 1 << 10 | 1 << 12, 15)}, "a white point or primaries of its own"),
    ({"extensions": (1, 2)}, "extensions of form 1"),
    ({"transform": (0, 1)}, "a default transform 0"),
    ({"default_frame": (1, 1)}, "a default frame 1"),
    ({"type": (1, 2)}, "a frame of type 1"),
    ({"type": (2, 2)}, "a frame of type 2"),
    ({"encoding": (1, 1)}, "encoding 1"),
    ({"flags": (2 | 15 << 2, 10)}, "effects"),
    ({"flags": (1 | 1 << 2, 6)}, "effects"),
    ({"flags": (3, 2)}, "effects"),
    ({"upsampling": (1, 2)}, "upsampling of form 1"),
    ({"passes": (1, 2)}, "passes of form 1"),
    ({"crop": (1, 1)}, "a frame of its own size 1"),
    ({"blending": (1, 2)}, "blending 1"),
    ({"last": (0, 1)}, "last frame 0"),
]


@pytest.mark.parametrize(("changes", "words"), CHANGES)
def test_what_recompressing_a_jpeg_does_not_make_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BitstreamError, match=f"JPEG XL stream has {words}"):
        codestream.check(stream(**changes))


def test_every_truncation_of_a_stream_is_refused() -> None:
    whole = stream()
    for name, data in whole._asdict().items():
        for size in range(len(data)):
            with pytest.raises(BitstreamError, match="JPEG XL stream damaged: it ends in its header"):
                codestream.check(whole._replace(**{name: data[:size]}))


def test_a_file_is_split_into_parts_and_joined_whatever_its_boxes() -> None:
    made = imagecodecs.jpegxl_encode_jpeg(jpegs.jpeg())
    parts = codestream.split(made)
    assert codestream.split(codestream.join(parts)) == parts
    assert imagecodecs.jpegxl_decode_jpeg(codestream.join(parts)) == jpegs.jpeg()
    for boxes, words in [
        (b"\0\0\0\x08Exif", "box b'Exif' of 8 bytes"),
        (b"\0\0\0\7jxlp", "box b'jxlp' of 7 bytes"),
        (b"\0\1\0\0jbrd", "box b'jbrd' of 65536 bytes"),
        (b"\0\0", "box b'' of"),
    ]:
        with pytest.raises(BitstreamError, match=words):
            codestream.split(made + boxes)
    with pytest.raises(BitstreamError, match="starts with other boxes"):
        codestream.split(made[32:])


def test_the_dictionary_has_the_tables_that_most_jpegs_have() -> None:
    parts = codestream.split(imagecodecs.jpegxl_encode_jpeg(jpegs.jpeg()))
    assert len(parts.notes) > 400
    assert len(deflate(parts.notes, dictionary=dictionary())) < 100
    assert hashlib.sha256(dictionary()).hexdigest() == DICTIONARY


def test_more_markers_than_a_jpeg_may_have_are_refused() -> None:
    assert codestream.check(stream((1 << 14) - 1)).scans == (1 << 14) - 1
    with pytest.raises(BitstreamError, match="more than 16384 markers"):
        codestream.check(stream(1 << 14))


def test_pixels_and_scans_out_of_proportion_are_refused_before_libjxl_sees_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*args: object, **options: object) -> bytes:
        raise AssertionError("libjxl decodes")

    monkeypatch.setattr(jpeg_xl.imagecodecs, "jpegxl_decode_jpeg", never)

    def file(side: int, scans: int, streams: int = 1) -> bytes:
        one = stream(scans, height=(3 | side - 1 << 2, 32), ratio=(1, 3), width=(0, 0))
        body = golden_kept.Parts([one] * streams, [1000] * streams, [(0, 1000 * streams)], b"").body()
        return file_v4(method=2, length=1000 * streams, body=body)

    scans = MAX_KEPT_WORK // 9000**2
    for bad, words in [
        (file(9460, 1), f"has {9460**2} pixels, more than the limit of {MAX_PIXELS}"),
        (file(5000, 1, 4), "has 100000000 pixels"),
        (file(65535 * 16383, 1), "pixels, more than the limit"),
        (file(9000, scans + 1), f"pixels in all of its scans, more than the limit of {MAX_KEPT_WORK}"),
    ]:
        with pytest.raises(BitstreamError, match=words) as refused:
            kept.restore(bad)
        assert LIFT in str(refused.value)
        with pytest.raises(AssertionError, match="libjxl decodes"):
            kept.restore(bad, None)
    with pytest.raises(AssertionError, match="libjxl decodes"):
        kept.restore(file(9000, scans))
