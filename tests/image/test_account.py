"""Nothing of a file is lost in silence: a picture holds it, or `dropped` names it; a reader cannot forget it."""

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import png
import pytest
from PIL import Image
from pixcodecs.errors import UnsupportedImageError

from pixzip import image
from pixzip.image import formats
from pixzip.image.formats.account import Account
from pixzip.image.formats.base import Format, Loaded
from pixzip.image.picture import BEHIND_SAMPLES, Chunk, Layout, Picture
from tests.helpers.image_rows import by_rows
from tests.helpers.pictures import ICC, XMP, picture, saved, types
from tests.image.test_formats import Toy

RGB = picture(Layout.RGB, 8, 11, 13)
PILLOW = Image.fromarray(RGB.samples)
GREY = PILLOW.convert("L")


def gif(extensions: bytes = b"") -> bytes:
    data = saved(PILLOW.quantize(16), "GIF")
    at = 13 + (3 << (data[10] & 7) + 1)
    return data[:at] + extensions + data[at:]


def bmp(head: bytes, pixels: bytes, gap: bytes = b"", behind: bytes = b"") -> bytes:
    """A BMP of one row of two pixels."""
    start = 14 + len(head) + len(gap)
    size = start + len(pixels) + len(behind)
    return b"BM" + struct.pack("<IHHI", size, 0, 0, start) + head + gap + pixels + behind


def bmp_head(size: int = 40, bits: int = 24, rest: bytes = b"") -> bytes:
    return (struct.pack("<IiiHHIIiiII", size, 2, 1, 1, bits, 0, 0, 0, 0, 0, 0) + rest).ljust(size, b"\0")


#: A file of every format, and of every way to code its samples.
FILES: dict[str, bytes] = {
    **{suffix: image.write(RGB, suffix) for suffix in (".png", ".tif", ".ppm", ".pam", ".bmp", ".webp")},
    ".pgm": image.write(picture(Layout.GREY, 8), ".pgm"),
    "png by rows": by_rows(RGB, ".png", 3),
    "tif by rows": by_rows(RGB, ".tif", 3),
    "interlaced png": b"",
    "text ppm": b"P3 2 1 255\n1 2 3\n4 5 6\n",
    "text pbm": b"P1 3 1 101 ",
    "pbm": b"P4 9 1\n\x80\x80",
    "dib": saved(PILLOW, "DIB"),
    "bmp of 4 bits": saved(PILLOW.quantize(16), "BMP"),
    "webp": saved(PILLOW, "WEBP", lossless=True, xmp=XMP, icc_profile=ICC),
    "jpeg": saved(PILLOW, "JPEG", progressive=True),
    "jpeg with restarts": saved(PILLOW, "JPEG", restart_marker_rows=1),
    "gif": gif(),
    "tga": saved(PILLOW, "TGA"),
    "tga of runs": saved(GREY.resize((200, 3)), "TGA", compression="tga_rle"),
    "pcx": saved(PILLOW, "PCX"),
    "pcx with palette": saved(PILLOW.quantize(16), "PCX"),
    "sgi": saved(PILLOW, "SGI"),
    "qoi": saved(PILLOW, "QOI"),
    "tif of tiles": saved(PILLOW, "TIFF", compression="tiff_lzw", tile=(16, 16)),
}
_interlaced = io.BytesIO()
png.Writer(13, 11, greyscale=False, interlace=True).write(_interlaced, RGB.samples.reshape(11, -1).tolist())
FILES["interlaced png"] = _interlaced.getvalue()


@pytest.mark.parametrize("name", FILES)
def test_every_byte_of_a_plain_file_is_accounted_for(name: str) -> None:
    assert image.load(FILES[name]).dropped == []


@pytest.mark.parametrize("name", FILES)
def test_bytes_behind_an_image_are_named(name: str) -> None:
    whole = image.load(FILES[name])
    if name == "pbm":  # Netpbm has several images one after another
        with pytest.raises(UnsupportedImageError, match="frames"):
            image.load(FILES[name] + b"a secret behind")
        return
    found = image.load(FILES[name] + b"a secret behind")
    trailer = {"tga": 26, "tga of runs": 26, "pcx with palette": 769}.get(name, 0)  # found only at the very end
    assert np.array_equal(found.picture.samples, whole.picture.samples)
    assert found.dropped == [f"{15 + trailer} bytes behind the image"]


def test_every_format_has_a_file_here() -> None:
    assert all(any(form.accepts(data[:64]) for data in FILES.values()) for form in formats.FORMATS)


class Forgetful(Toy):
    """A reader that looks at the head and at the samples, and not at what an author puts between them."""

    def read(self, data: bytes, max_pixels: int | None) -> Loaded:
        width, height, gap = struct.unpack_from("<HHH", data, 4)
        samples = np.frombuffer(data, np.uint8, width * height, 10 + gap).reshape(height, width, 1)
        return Loaded(Picture(samples, Layout.GREY, 8), [])

    def account(self, file: BinaryIO) -> Account:
        width, height, gap = struct.unpack_from("<HHH", file.read(10), 4)
        return Account.of((0, 10), (10 + gap, width * height))


def test_a_reader_that_forgets_bytes_does_not_hide_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "FORMATS", (Forgetful(),))
    head = b"TOY\n" + struct.pack("<HHH", 2, 1, 5)
    assert image.load(head + b"notes\1\2").dropped == ["5 bytes at 10"]
    assert image.load(head + b"notes\1\2more").dropped == ["5 bytes at 10", "4 bytes behind the image"]
    assert image.load(head + bytes(5) + b"\1\2").dropped == []  # zero bytes between two parts align them


def test_a_reader_without_an_account_is_no_format() -> None:
    class Silent(Format):
        def accepts(self, head: bytes) -> bool:
            return True

        def read(self, data: bytes, max_pixels: int | None) -> Loaded:
            return Loaded(RGB, [])

    with pytest.raises(TypeError, match="account"):
        Silent()  # type: ignore[abstract]


def test_gaps_are_counted_where_they_are_many() -> None:
    account = Account.of(*((10 * i, 5) for i in range(9)))
    names = account.names(io.BytesIO(b"x" * 85))
    assert names == [f"5 bytes at {10 * i + 5}" for i in range(4)] + ["20 bytes at 4 other places"]
    account.leave(85, 4, "area")
    assert account.names(io.BytesIO(b"x" * 89))[0] == "area"
    assert Account().names(io.BytesIO(b"")) == []


def test_what_hides_inside_png_chunks_is_named(tmp_path: Path) -> None:
    chunks = [Chunk(bytes(kind), bytes(body)) for kind, body in png.Reader(bytes=FILES[".png"]).chunks()]

    def with_bodies(idat: Callable[[bytes], bytes], end: bytes = b"") -> bytes:
        out = io.BytesIO()
        changed = {b"IDAT": idat, b"IEND": lambda body: end}
        png.write_chunks(out, [(kind, changed.get(kind, lambda body: body)(body)) for kind, body in chunks])
        return out.getvalue()

    def longer(body: bytes) -> bytes:
        return zlib.compress(zlib.decompress(body) + bytes(70_000))

    for data, words in [
        (with_bodies(lambda body: body + b"hidden"), ["6 bytes inside IDAT"]),
        (with_bodies(longer), ["70000 bytes of samples beyond the last row"]),
        (with_bodies(lambda body: body, b"end"), ["3 bytes inside IEND"]),
    ]:
        assert image.load(data) == (RGB, words)
        (tmp_path / "a.png").write_bytes(data)
        with image.open_rows(tmp_path / "a.png") as rows:  # type: ignore[union-attr]
            rows.read(99)
            assert rows.dropped == words
    whole = FILES["interlaced png"]
    at = whole.index(b"IDAT")
    size = int.from_bytes(whole[at - 4 : at])
    for body, words in [(b"more", ["4 bytes inside IDAT"]), (b"", [])]:
        idat = whole[at : at + 4 + size] + body
        head = (size + len(body)).to_bytes(4) + idat + zlib.crc32(idat).to_bytes(4)
        assert image.load(whole[: at - 4] + head + whole[at + 8 + size :]).dropped == words


def test_chunks_behind_the_samples_stay_there() -> None:
    head, idat, end = png.Reader(bytes=FILES[".png"]).chunks()
    orientation = (b"eXIf", b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0")
    for before, behind in [([], [orientation]), ([(b"gAMA", b"\0\0\xb1\x8f")], [(b"tEXt", b"a\0b"), orientation])]:
        out = io.BytesIO()
        png.write_chunks(out, [head, *before, idat, *behind, end])
        x, dropped = image.load(out.getvalue())
        assert dropped == []
        assert x.metadata == (*(Chunk(*c) for c in before), BEHIND_SAMPLES, *(Chunk(*c) for c in behind))
        for data in (image.write(x), by_rows(x, ".png", 4)):
            kinds = [bytes(kind) for kind, _ in png.Reader(bytes=data).chunks() if kind != b"IDAT"]
            assert kinds == [b"IHDR", *(c[0] for c in (*before, *behind)), b"IEND"]
            assert image.load(data) == (x, [])
    out = io.BytesIO()
    png.write_chunks(out, [head, (b"pxAd", b""), idat, end])
    assert image.load(out.getvalue()) == (RGB, ["pxAd"])


def test_gif_keeps_texts_profile_and_xmp_and_names_the_rest() -> None:
    tail = bytes([1, *range(255, -1, -1), 0])
    xmp = b"\x21\xff\x0bXMP Data" + b"XMP" + XMP + tail
    icc = b"\x21\xff\x0bICCRGBG1012" + bytes([len(ICC)]) + ICC + b"\0"
    comments = b"\x21\xfe\x05hello\0\x21\xfe\x03\xc2\xb5m\0"
    x, dropped = image.load(gif(xmp + icc + comments))
    assert dropped == []
    assert types(x.metadata) == [b"iCCP", b"iTXt", b"iTXt"]
    assert x.metadata[1].data.endswith(b"\0" + XMP)
    assert x.metadata[2].data == b"Comment\0\0\0\0\0hello\n\xc2\xb5m"
    others = b"\x21\xff\x0bSOMETHING12\2ab\0" + b"\x21\xff\x0bNETSCAPE2.0\3\1\0\0\0" + b"\x21\xf9\4\0\x0a\0\0\0"
    assert image.load(gif(others)).dropped == ["extension 'SOMETHING12'", "loop count", "duration"]


def test_bmp_keeps_profile_and_resolution_and_names_the_rest() -> None:
    two = b"\1\2\3\4\5\6\0\0"
    rest = bytes(16) + b"DEBM" + bytes(48) + struct.pack("<IIII", 0, 124 + len(two), len(ICC), 0)
    found = image.load(bmp(bmp_head(124, rest=rest), two, behind=ICC))
    assert (types(found.picture.metadata), found.dropped) == ([b"iCCP"], [])
    assert image.load(bmp(bmp_head(), two, gap=b"a gap")).dropped == ["5 bytes at 54"]
    assert image.load(bmp(bmp_head(bits=32), b"\1\2\3\0\4\5\6\7")).dropped == ["fourth channel"]
    linked = bytes(16) + b"KNIL" + bytes(64)
    assert image.load(bmp(bmp_head(124, rest=linked), two)).dropped == ["linked profile"]
    exact = image.load(saved(PILLOW, "BMP", dpi=(300, 150))).picture
    assert exact.metadata == (Chunk(b"pHYs", struct.pack(">IIB", 11811, 5906, 1)),)
    assert image.load(image.write(exact, ".bmp")) == (exact, [])


def test_pnm_keeps_its_comments() -> None:
    x, dropped = image.load(b"P5 # made by x\n# 2nd\n2 1\n#c\n255\n\1\2")
    assert (x.metadata, dropped) == ((Chunk(b"tEXt", b"Comment\0 made by x\n 2nd\nc"),), [])
    assert image.write(x, ".pgm") == b"P5\n# made by x\n# 2nd\n#c\n2 1 255\n\1\2"
    pam = b"P7\n# \xc2\xb5m\nWIDTH 1\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n\1\2\3"
    y, _ = image.load(pam)
    assert y.metadata == (Chunk(b"iTXt", b"Comment\0\0\0\0\0 \xc2\xb5m"),)
    for suffix in (".pam", ".ppm"):
        assert image.load(image.write(y, suffix)).picture == y


def test_texts_of_tga_and_sgi_are_kept_and_areas_of_tga_are_named() -> None:
    data = saved(PILLOW, "TGA", id_section=b"a name")
    assert image.load(data).picture.metadata == (Chunk(b"tEXt", b"Comment\0a name"),)
    body = data.removesuffix(data[-26:])
    foot = struct.pack("<II", len(body), 0) + b"TRUEVISION-XFILE.\0"
    assert image.load(body + b"e" * 495 + foot).dropped == ["extension area"]
    sgi = bytearray(FILES["sgi"])
    sgi[24:28] = b"name"
    assert image.load(bytes(sgi)).picture.metadata == (Chunk(b"tEXt", b"Comment\0name"),)


def test_unknown_chunks_of_webp_are_named() -> None:
    data = FILES["webp"]
    more = b"ABCD\5\0\0\0hello\0"
    size = (int.from_bytes(data[4:8], "little") + len(more)).to_bytes(4, "little")
    found = image.load(data[:4] + size + data[8:] + more)
    assert found == (image.load(data).picture, ["chunk 'ABCD'"])


@pytest.mark.parametrize("maxval", [1, 2, 100, 200, 254, 255, 256, 1000, 4095, 65534, 65535])
def test_every_maximum_of_netpbm_comes_back(maxval: int, tmp_path: Path) -> None:
    values = np.array([0, maxval // 2, maxval], ">u2" if maxval > 255 else np.uint8)
    depth = maxval.bit_length()
    for magic, suffix, channels in ((b"P5", ".pgm", 1), (b"P6", ".ppm", 3)):
        data = magic + f" {3 // channels} 1 {maxval}\n".encode() + values.tobytes()
        x, dropped = image.load(data)
        assert (x.samples.ravel().tolist(), x.depth, dropped) == (values.tolist(), depth, [])
        assert image.lost(x, suffix) == []
        for form in (".pam", suffix):
            assert image.load(image.write(x, form)).picture == x
            assert image.load(by_rows(x, form, 1)).picture == x
        assert image.write(x, suffix) == data
        if depth in (1, 2, 4, 8, 16) and channels == 1:
            through_png = image.load(image.write(x)).picture
            assert image.write(through_png, suffix) == data
    text = f"P2 3 1 {maxval} " + " ".join(map(str, values.tolist()))
    assert image.write(image.load(text.encode()).picture, ".pgm").endswith(values.tobytes())
    if maxval == 100:
        too_much = x.samples + np.uint8(27)
        with pytest.raises(UnsupportedImageError, match="go up to 127, the file declares a maximum of 100"):
            image.write(replace(x, samples=too_much), ".ppm")


@pytest.mark.parametrize("masks", [None, (0xF800, 0x7E0, 0x1F), (0x7C00, 0x3E0, 0x1F), (0xF00, 0xF0, 0xF, 0xF000)])
@pytest.mark.parametrize("upright", [False, True])
def test_bmp_of_16_bits_comes_back(masks: tuple[int, ...] | None, upright: bool) -> None:
    words = np.random.default_rng(1).integers(0, 1 << (16 if masks and masks[0] != 0x7C00 else 15), (3, 5), np.uint16)
    rows = np.pad(words if upright else words[::-1], ((0, 0), (0, 1))).astype("<u2").tobytes()
    packing = 0 if masks is None else 6 if len(masks) == 4 else 3
    fields = struct.pack(f"<{len(masks or ())}I", *masks or ())
    head = struct.pack("<IiiHHIIiiII", 40, 5, -3 if upright else 3, 1, 16, packing, len(rows), 0, 0, 0, 0)
    data = bmp(head + fields, rows)
    x, dropped = image.load(data)
    assert dropped == []
    bits = [mask.bit_count() for mask in masks or (31, 31, 31)]
    assert x.metadata == (Chunk(b"sBIT", bytes(bits)),)
    back = np.zeros(words.shape, np.uint16)
    for plane, mask in enumerate(masks or (0x7C00, 0x3E0, 0x1F)):
        back |= (x.samples[..., plane] >> (8 - bits[plane])).astype(np.uint16) << ((mask & -mask).bit_length() - 1)
    assert np.array_equal(back, words)
    if len(bits) == 3:
        with Image.open(io.BytesIO(data)) as shown:
            assert np.abs(np.array(shown).astype(int) - x.samples).max() <= 1  # Pillow rounds down
        assert image.lost(x, ".bmp") == []
        assert image.load(image.write(x, ".bmp")).picture == x
        assert len(image.write(x, ".bmp")) == 54 + (12 if bits[1] == 6 else 0) + len(rows)
    assert image.load(data[:-1] + b"\x80").dropped == []  # beyond the last pixel of a row
    if masks is None:
        assert image.load(data[:-2] + b"\0\x80").dropped == []
        assert image.load(bmp(head, b"\0\x80" * 18)).dropped == ["unused bits"]


def test_masks_of_bmp_that_are_no_colours_are_refused() -> None:
    for masks in ((0, 0x7E0, 0x1F), (0xF801, 0x7E0, 0x1F), (0xFF80, 0x7E, 1), (0xF80000, 0x7E0, 0x1F)):
        head = struct.pack("<IiiHHIIiiII3I", 40, 2, 1, 1, 16, 3, 4, 0, 0, 0, 0, *masks)
        with pytest.raises(UnsupportedImageError, match="has the mask"):
            image.load(bmp(head, bytes(4)))
