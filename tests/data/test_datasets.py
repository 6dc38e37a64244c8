"""Datasets: every file format gives exactly the original images, and damaged or hostile files are refused."""

import gzip
import hashlib
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pixcodecs.errors import PixzipError

from pixzip.data.datasets import binarise, detect, load
from tests.helpers.dataset_forms import (
    BATCHES,
    binary_batch,
    pack,
    pixels,
    planar,
    png,
    python2_batch,
    python_batch,
    write,
    write_idx,
)


def cifar_files(form: str, train: np.ndarray, test: np.ndarray) -> dict[str, bytes]:
    parts = [*np.split(train, 5), test]
    if form == "png":
        sets = {"train": train, "test": test}
        return {f"cifar/{split}/cat/{i:03}.png": png(image) for split in sets for i, image in enumerate(sets[split])}
    if form == "bin":
        return {
            f"cifar-10-batches-bin/{name}.bin": binary_batch(part) for name, part in zip(BATCHES, parts, strict=True)
        }
    make = python2_batch if form == "python 2" else python_batch
    return {f"cifar-10-batches-py/{name}": make(part) for name, part in zip(BATCHES, parts, strict=True)}


@pytest.mark.parametrize("place", ["folder", "parent", "tar", "tar.gz"])
@pytest.mark.parametrize("form", ["python 2", "python 3", "bin", "png"])
def test_every_form_of_cifar10_holds_the_same_images(tmp_path: Path, form: str, place: str) -> None:
    train, test = pixels(10, seed=1), pixels(3, seed=2)
    files = cifar_files(form, train, test)
    if place.startswith("tar"):
        backwards = dict(reversed(files.items()))  # images are sorted by name, batches by number
        path = pack(tmp_path / f"cifar.{place}", backwards)
    else:
        write(tmp_path / "data", files)
        path = tmp_path / "data" / (next(iter(files)).split("/")[0] if place == "folder" else "")
    for split, expected in {"train": train, "test": test}.items():
        found = load("cifar10", path, split)
        assert np.array_equal(found.images, expected)
        assert (found.name, found.levels, found.images.dtype) == ("cifar10", 256, np.uint8)
        assert found.images.flags.writeable
        assert len(found.names) == (0 if form == "bin" else len(expected))
    assert detect(path) == ("folder" if form == "png" else "cifar10")


@pytest.mark.parametrize("make", [python_batch, python2_batch, binary_batch])
def test_every_truncated_batch_is_refused(tmp_path: Path, make: Callable[[np.ndarray], bytes]) -> None:
    data = make(pixels(1))
    name = "test_batch.bin" if make is binary_batch else "test_batch"
    for size in [*range(0, len(data), 61), *range(len(data) - 90, len(data))]:
        write(tmp_path, {name: data[:size]})
        with pytest.raises(PixzipError, match="test_batch"):
            load("cifar10", tmp_path, "test")


def test_batches_that_are_missing_twofold_uneven_or_of_other_labels_are_refused(tmp_path: Path) -> None:
    batch = binary_batch(pixels(2))
    names = [f"{name}.bin" for name in BATCHES[:5]]
    cases: dict[str, tuple[str, dict[str, bytes]]] = {
        "missing": ("expected each of data_batch_1.bin", dict.fromkeys(names[:4], batch)),
        "twofold": ("expected each of", dict.fromkeys([*names, f"b/{names[0]}"], batch)),
        "uneven": ("expected all of a size", {**dict.fromkeys(names, batch), names[4]: batch[: len(batch) // 2]}),
        "labels": ("a label 10, expected 0 to 9", {**dict.fromkeys(names, batch), names[1]: b"\x0a" + batch[1:]}),
    }
    for case, (message, files) in cases.items():
        write(tmp_path / case, files)
        with pytest.raises(PixzipError, match=message):
            load("cifar10", tmp_path / case)
    write(tmp_path / "wide", {"test_batch": pickle.dumps({b"data": np.zeros((1, 3000), np.uint8)}, 2)})
    write(tmp_path / "deep", {"test_batch": pickle.dumps({b"data": np.zeros((1, 3072), np.uint16)}, 2)})
    for case in "wide", "deep":
        with pytest.raises(PixzipError, match="expected"):
            load("cifar10", tmp_path / case, "test")


@pytest.mark.parametrize("end", ["", ".gz"])
def test_idx_files_hold_what_went_in(tmp_path: Path, end: str) -> None:
    train, test = pixels(3, 28, 28, 1, seed=3), pixels(2, 28, 28, 1, seed=4)
    write_idx(tmp_path, "train", train, end)
    write_idx(tmp_path, "t10k", test, end)
    for split, expected in {"train": train, "test": test}.items():
        found = load("mnist", tmp_path, split)
        assert np.array_equal(found.images, expected)
        assert (found.name, found.levels, found.names) == ("mnist", 256, ())
        assert found.images.flags.writeable
    assert detect(tmp_path) == "mnist"


def test_idx_files_are_found_in_subfolders_unless_several_have_them(tmp_path: Path) -> None:
    images = pixels(3, 28, 28, 1)
    for end in "", ".gz":
        write_idx(tmp_path / "MNIST" / "raw", "train", images, end)
    assert np.array_equal(load(detect(tmp_path), tmp_path).images, images)
    write_idx(tmp_path / "FashionMNIST" / "raw", "train", images)
    with pytest.raises(PixzipError, match=r"has 3 files .*, expected one folder of them"):
        load("mnist", tmp_path)


def test_idx_files_of_wrong_magic_sides_or_length_are_refused(tmp_path: Path) -> None:
    body = pixels(2, 28, 28, 1).tobytes()
    cases = {
        "expected 0x00000803": (0x0801, 2, 28, 28, body),
        "expected images of 28 x 28": (0x0803, 2, 28, 32, body),
        "declares .*, expected": (0x0803, 0, 28, 28, b""),
        "found fewer": (0x0803, 2, 28, 28, body[:-1]),
        "found more": (0x0803, 2, 28, 28, body + b"\0"),
        "declares 3367254359280 bytes of pixels, found fewer": (0x0803, (1 << 32) - 1, 28, 28, body),
    }
    for end in "", ".gz":
        path = tmp_path / f"train-images-idx3-ubyte{end}"
        for message, (*header, content) in cases.items():
            data = struct.pack(">4I", *header) + content
            path.write_bytes(gzip.compress(data) if end else data)
            with pytest.raises(PixzipError, match=message):
                load("mnist", tmp_path)
        path.write_bytes(path.read_bytes()[:15])
        with pytest.raises(PixzipError, match=r"header of 16|cannot be read"):
            load("mnist", tmp_path)
        path.unlink()
    with pytest.raises(PixzipError, match="has 0 files train-images-idx3-ubyte or"):
        load("mnist", tmp_path)


def test_every_truncated_gzip_is_refused(tmp_path: Path) -> None:
    write_idx(tmp_path, "t10k", pixels(1, 28, 28, 1), ".gz")
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    data = path.read_bytes()
    for size in range(0, len(data), 5):
        path.write_bytes(data[:size])
        with pytest.raises(PixzipError):
            load("mnist", tmp_path, "test")


def test_binarisation_is_the_same_for_everybody() -> None:
    images = np.arange(1500 * 4, dtype=np.uint32).astype(np.uint8).reshape(1500, 2, 2, 1)
    digests = [hashlib.sha256(binarise(images, stream).tobytes()).hexdigest()[:16] for stream in (0, 1)]
    assert digests == ["70239c5a68bb4260", "14cbb8f982f23051"]
    assert np.array_equal(binarise(images[:7], 0), binarise(images, 0)[:7])


def test_binarisation_has_the_probabilities_of_the_values() -> None:
    values = np.repeat(np.arange(256, dtype=np.uint8), 4096).reshape(-1, 64, 64, 1)
    share = binarise(values, 0).reshape(256, -1).mean(1)
    assert share[0] == 0
    assert share[255] == 1
    p = np.arange(256) / 255
    assert np.all(np.abs(share - p) <= 4.5 * np.sqrt(p * (1 - p) / 4096))


def test_binary_mnist_is_the_published_one_where_it_is_there(tmp_path: Path) -> None:
    images = pixels(3, 28, 28, 1)
    write_idx(tmp_path, "t10k", images, "")
    ours = load("mnist-binary", tmp_path, "test")
    assert (ours.name, ours.levels) == ("mnist-binary (ours, PCG64 seed 2016)", 2)
    assert np.array_equal(ours.images, binarise(images, 1))
    bits = images[:2] % 2
    text = "".join(" ".join(map(str, row)) + " \n" for row in bits.reshape(2, -1))
    path = tmp_path / "binarized_mnist_test.amat"
    path.write_text(text)
    published = load("mnist-binary", tmp_path, "test")
    assert np.array_equal(published.images, bits)
    assert (published.name, published.levels) == ("mnist-binary (Salakhutdinov)", 2)
    assert detect(tmp_path) == "mnist-binary"
    for wrong in text[:-9], text.replace("1", "2", 1), "", text.replace("\n", ""), text.replace("1", "\x00", 1):
        path.write_text(wrong)
        with pytest.raises(PixzipError, match=r"amat has .*, expected"):
            load("mnist-binary", tmp_path, "test")
    with pytest.raises(PixzipError, match=r"binarized_mnist_train\.amat"):
        load("mnist-binary", tmp_path, "train")


@pytest.mark.parametrize("side", [32, 64])
def test_every_form_of_downsampled_imagenet_holds_the_same_images(tmp_path: Path, side: int) -> None:
    kind, train, test = f"imagenet{side}", pixels(22, side, side, seed=5), pixels(2, side, side, seed=6)
    npz, folder = tmp_path / "npz", tmp_path / "png"
    npz.mkdir()
    for i, part in enumerate(np.split(train, 11), 1):  # batch 11 comes after batch 2
        np.savez(npz / f"train_data_batch_{i}.npz", data=planar(part), labels=[0, 0])
    np.savez_compressed(npz / "val_data.npz", data=planar(test))
    sets = {f"train_{side}x{side}": train, f"valid_{side}x{side}": test}
    files = {f"{place}/{i:07}.png": png(image) for place in sets for i, image in enumerate(sets[place])}
    other = {f"train_{96 - side}x{96 - side}/0.png": png(pixels(1, 96 - side, 96 - side)[0])}
    paths = [npz, write(folder, files), pack(tmp_path / "a.tar", files), write(tmp_path / "both", {**files, **other})]
    for path in paths:
        for split, expected in {"train": train, "test": test}.items():
            found = load(kind, path, split)
            assert np.array_equal(found.images, expected)
            assert (found.name, found.levels) == (kind, 256)
    assert [detect(path) for path in paths[:3]] == [kind] * 3
    assert np.array_equal(load(kind, folder / f"valid_{side}x{side}", "test").images, test)
    with pytest.raises(PixzipError, match=f"images of valid_{side}x{side}, expected train"):
        load(kind, folder / f"valid_{side}x{side}", "train")
    (npz / "train_data_batch_3.npz").unlink()
    with pytest.raises(PixzipError, match=r"10 npz of train, expected .* numbered from 1"):
        load(kind, npz)


def test_images_are_sorted_by_path_and_lists_are_not(tmp_path: Path) -> None:
    images = pixels(4, 3, 5, 1)
    names = ["a/b.png", "a.png", "B.PNG", "a/a.png"]
    write(
        tmp_path / "set", {**{n: png(i) for n, i in zip(names, images, strict=True)}, "notes.txt": b"", ".h.png": b""}
    )
    for path in (
        tmp_path / "set",
        pack(tmp_path / "set.tar", {f"./{n}": (tmp_path / "set" / n).read_bytes() for n in names}),
    ):
        found = load("folder", path)
        assert found.names == ("B.PNG", "a.png", "a/a.png", "a/b.png")
        assert np.array_equal(found.images, images[[2, 1, 3, 0]])
        assert (found.name, detect(path)) == (path.name, "folder")
    listed = load("folder", [tmp_path / "set" / name for name in names])
    assert np.array_equal(listed.images, images)
    with pytest.raises(PixzipError, match="2 files are listed, 1 of them again"):
        load("folder", [tmp_path / "set/a.png"] * 2)
    with pytest.raises(ValueError, match="a list of 1 paths was given, expected one path"):
        load("cifar10", [tmp_path])


def test_arrays_hold_what_went_in(tmp_path: Path) -> None:
    grey, colour = pixels(3, 5, 7, 1), pixels(3, 5, 7, 3)
    for expected, array in (grey, grey), (grey, grey[..., 0]), (colour, colour):
        np.save(tmp_path / "a.npy", array)
        np.savez(tmp_path / "a.npz", array, np.zeros(3))
        for path in tmp_path / "a.npy", tmp_path / "a.npz":
            assert np.array_equal(load("folder", path).images, expected)
            assert detect(path) == "folder"


def test_images_of_another_size_or_colour_are_refused_by_name(tmp_path: Path) -> None:
    for other, what in (pixels(1, 4, 6)[0], "6x4 RGB"), (pixels(1, 4, 4, 1)[0], "4x4 grey"):
        write(tmp_path, {"a.png": png(pixels(1, 4, 4)[0]), "b.png": png(other)})
        with pytest.raises(PixzipError, match=rf"b\.png is {what}, expected 4x4 RGB as a\.png is"):
            load("folder", tmp_path)
    with pytest.raises(PixzipError, match=r"a\.png is 4x4 RGB, expected 32x32 RGB as all are of this set"):
        load("cifar10", tmp_path)


def test_a_split_is_never_taken_for_the_other(tmp_path: Path) -> None:
    write(tmp_path / "set", {"test/a.png": png(pixels(1)[0]), "valid/b.png": png(pixels(1)[0])})
    assert load("folder", tmp_path / "set", "test").names == ("test/a.png",)
    for path in tmp_path / "set", tmp_path / "set/test":
        with pytest.raises(PixzipError, match=r"has images of test.*, expected train"):
            load("folder", path, "train")


def test_what_is_not_there_or_unknown_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"notes.txt": b"none"})
    for path, message in (
        (tmp_path / "none", "does not exist"),
        (tmp_path, "no image"),
        (tmp_path / "notes.txt", "no image"),
    ):
        for kind in "cifar10", "imagenet32", "folder":
            with pytest.raises(PixzipError, match=message):
                load(kind, path)
        with pytest.raises(PixzipError, match=message):
            detect(path)
    for kind, split in ("cifar11", "train"), ("cifar10", "valid"):
        with pytest.raises(ValueError, match=f"asked for {split} of {kind}, expected train or test of cifar10"):
            load(kind, tmp_path, split)


def test_folders_that_contain_themselves_are_refused(tmp_path: Path) -> None:
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(PixzipError, match="links in a circle"):
        load("folder", tmp_path)


def test_datasets_load_without_torch(child_env: dict[str, str]) -> None:
    check = "import sys, pixzip.data.datasets; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], env=child_env, check=False).returncode == 0
