"""The files of datasets: damaged or hostile files are refused at little cost."""

import io
import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pixcodecs.errors import PixzipError

from pixzip.data.datasets import load
from pixzip.data.files import npz_shape
from pixzip.data.pickles import pickled
from tests.helpers.dataset_forms import pack, pixels, planar, png, saved, write


class Runs:
    """An object whose pickle calls any function."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


@given(st.integers(2, 4), st.integers(1, 3), st.booleans())
def test_pickles_of_every_protocol_and_memory_order_hold_the_array(protocol: int, n: int, fortran: bool) -> None:
    array = planar(pixels(n, seed=n))
    data = pickle.dumps({"data": np.asfortranarray(array) if fortran else array, b"labels": [n]}, protocol)
    found, flat = pickled("batch", data)
    assert np.array_equal(flat, array)
    assert found["labels"] == [n]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "call", [(os.mkdir, "ran"), (exec, "open('ran', 'w')"), (np.load, "ran"), (getattr, "", "join"), (bytearray, 9)]
)
def test_pickle_that_calls_anything_else_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: int, call: tuple[Any, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    batch = {b"labels": Runs(*call), b"data": planar(pixels(1))}
    write(tmp_path, {"test_batch": pickle.dumps(batch, protocol)})
    with pytest.raises(PixzipError, match=r"test_batch (asks for|has a pickle's|is damaged)"):
        load("cifar10", tmp_path, "test")
    assert os.listdir(tmp_path) == ["test_batch"]  # noqa: PTH208


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02Nr\xff\xff\xff\x7f.",  # a memo of two billion entries
        b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b".",  # bytes beyond all memory
        b"\x80\x04B" + struct.pack("<I", (1 << 32) - 1) + b".",
        b"\x80\x02})" + b"\x85" * 200_000 + b"Ns.",  # a key whose hash overflows the stack
        b"\x80\x02}U\x04data" + b"]q\x00" + b"]q\x01(h\x00h\x00eq\x00" * 64 + b"s.",  # text of 2^64 parts
        b"\x80\x02cnumpy\nndarray\n(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ftR.",  # an array beyond all memory
        b"", b".", b"\x80\x02", b"\x80\x02N.", b"\x80\x02}.", b"(((t.", b"\x80\x02}]Ns.",
    ],
)  # fmt: skip
def test_hostile_pickles_are_refused_at_little_cost(data: bytes) -> None:
    with pytest.raises(PixzipError, match=r"^batch "):
        pickled("batch", data)


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "x/../../a.png"])
def test_tar_members_that_leave_the_archive_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PixzipError, match="stays below the archive"):
        load("folder", pack(tmp_path / "a.tar", {name: png(pixels(1)[0])}))


def test_tar_members_that_are_links_sparse_huge_or_twofold_are_refused(tmp_path: Path) -> None:
    kinds = {tarfile.SYMTYPE: "plain files", tarfile.LNKTYPE: "plain files", tarfile.FIFOTYPE: "plain files"}
    path = tmp_path / "a.tar"
    for kind, message in kinds.items():
        with tarfile.open(path, "w") as tar:
            member = tarfile.TarInfo("a.png")
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
        with pytest.raises(PixzipError, match=message):
            load("folder", path)
    huge = tarfile.TarInfo("a.png")
    huge.size = 1 << 40
    path.write_bytes(huge.tobuf())
    with pytest.raises(PixzipError, match="of 1099511627776 bytes, expected at most"):
        load("folder", path)
    with tarfile.open(path, "w") as tar:
        for _ in range(2):
            tar.addfile(tarfile.TarInfo("a.png"))
    with pytest.raises(PixzipError, match=r"a\.png twice"):
        load("folder", path)


@pytest.mark.parametrize("end", ["tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_every_truncated_tar_is_refused(tmp_path: Path, end: str) -> None:
    files = {f"{i}.png": png(image) for i, image in enumerate(pixels(3, 4, 4))}
    path = pack(tmp_path / f"a.{end}", files)
    assert len(load("folder", path).images) == 3
    data = path.read_bytes()
    step, end_mark = (64, 6 * tarfile.BLOCKSIZE) if end == "tar" else (1, len(data) - 1)
    for size in range(0, end_mark + 1, step):
        path.write_bytes(data[:size])
        with pytest.raises(PixzipError):
            load("folder", path)


@pytest.mark.parametrize("form", ["PNG", "BMP", "PPM", "WEBP"])
def test_images_of_every_lossless_format_hold_what_went_in(tmp_path: Path, form: str) -> None:
    images = pixels(3, 5, 7)
    write(tmp_path, {f"{i}.{form.lower()}": saved(Image.fromarray(image), form) for i, image in enumerate(images)})
    assert np.array_equal(load("folder", tmp_path).images, images)


@pytest.mark.parametrize(
    ("kind", "image"),
    [
        ("I;16", Image.fromarray(np.zeros((4, 4), np.uint16))),
        ("P", Image.new("P", (4, 4))),
        ("1", Image.new("1", (4, 4))),
        ("LA", Image.new("LA", (4, 4))),
        ("RGBA", Image.new("RGBA", (4, 4))),
    ],
)
def test_images_that_are_neither_grey_nor_rgb_of_8_bits_are_refused(
    tmp_path: Path, kind: str, image: Image.Image
) -> None:
    write(tmp_path, {"a.png": saved(image, "PNG")})
    with pytest.raises(PixzipError, match=rf"a\.png has samples of kind .*{kind}.*, expected 8-bit"):
        load("folder", tmp_path)


@pytest.mark.parametrize(("depth", "colour", "size"), [(16, 2, 6), (16, 0, 2), (4, 0, 0.5), (2, 0, 0.25)])
def test_pngs_whose_samples_would_be_scaled_are_refused(tmp_path: Path, depth: int, colour: int, size: float) -> None:
    rows = (b"\0" + bytes(int(4 * size))) * 4
    chunks = [
        (b"IHDR", struct.pack(">2I5B", 4, 4, depth, colour, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    data = b"".join(struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks)
    write(tmp_path, {"a.png": b"\x89PNG\r\n\x1a\n" + data})
    with pytest.raises(PixzipError, match=r"a\.png has samples of kind"):
        load("folder", tmp_path)


@pytest.mark.parametrize(
    ("magic", "most", "size"), [(b"P6", 100, 3), (b"P6", 65535, 6), (b"P5", 100, 1), (b"P3", 100, 6)]
)
def test_pnms_whose_samples_would_be_scaled_are_refused(tmp_path: Path, magic: bytes, most: int, size: int) -> None:
    write(tmp_path, {"a.ppm": b"%s 2 2 %d\n" % (magic, most) + b"1 " * (size * 2)})
    with pytest.raises(PixzipError, match=rf"a\.ppm has samples of kind (L|RGB) of 0 to {most}"):
        load("folder", tmp_path)


def test_damaged_images_are_refused_by_name(tmp_path: Path) -> None:
    data = png(pixels(1)[0])
    write(tmp_path, {"a.png": data})
    for size in range(0, len(data) - 20, 97):  # Pillow accepts a PNG without its last chunk
        write(tmp_path, {"b.png": data[:size]})
        with pytest.raises(PixzipError, match=r"b\.png is not an image that can be read"):
            load("folder", tmp_path)
    bomb = data[:16] + struct.pack(">2I", 60000, 60000) + data[24:29]
    write(tmp_path, {"b.png": bomb + struct.pack(">I", zlib.crc32(bomb[12:])) + data[33:]})
    with pytest.raises(PixzipError, match=r"b\.png"):
        load("folder", tmp_path)


def npy(declared: tuple[int, ...], body: bytes, dtype: str = "|u1") -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": dtype, "fortran_order": False, "shape": declared})
    return out.getvalue() + body


def test_arrays_shorter_than_they_declare_are_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    for name, key in {"a.npz": None, "val_data.npz": "data"}.items():
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(f"{key or 'a'}.npy", npy((1 << 40, 3072), bytes(3072)))
    write(tmp_path, {"a.npy": npy((1 << 40, 4, 4), bytes(16))})
    with pytest.raises(PixzipError, match=r"declares uint8 of shape \(1099511627776, 3072\) in 3200 bytes"):
        load("imagenet32", tmp_path, "test")
    for name in "a.npz", "a.npy":
        with pytest.raises(PixzipError, match=r"a\.np"):
            load("folder", tmp_path / name)


def test_arrays_of_pickled_objects_and_of_other_types_are_refused(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    np.save(tmp_path / "objects.npy", np.array([Runs(os.mkdir, str(ran))]), allow_pickle=True)
    np.savez(tmp_path / "objects.npz", np.array([{}]), allow_pickle=True)
    np.savez(tmp_path / "val_data.npz", data=np.array([{}]), allow_pickle=True)
    np.save(tmp_path / "float.npy", np.zeros((1, 4, 4, 3), np.float32))
    np.save(tmp_path / "alpha.npy", pixels(1, 4, 4, 4))
    np.save(tmp_path / "none.npy", pixels(0, 4, 4, 3))
    np.savez(tmp_path / "empty.npz")
    write(tmp_path, {"zip.npz": b"PK\x03\x04 and no more", "nothing.npy": b"", "pickle.npy": pickle.dumps({})})
    for path in tmp_path.glob("*.np[yz]"):
        with pytest.raises(PixzipError, match=path.name):
            load("folder", path)
    with pytest.raises(PixzipError, match="expected uint8"):
        npz_shape(tmp_path / "val_data.npz", "data")
    assert not ran.exists()


def test_every_truncated_npz_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, pixels(2, 4, 4))
    data = path.read_bytes()
    for size in range(0, len(data), 3):
        path.write_bytes(data[:size])
        with pytest.raises(PixzipError, match=r"a\.npz"):
            load("folder", path)
