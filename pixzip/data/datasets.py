"""Sets of small images as arrays: CIFAR-10, MNIST, downsampled ImageNet and folders, in their common file formats.

Pixels are those of the files: nothing is resized, converted or re-encoded.  All formats of a set hold the same
images, each in its own order.

[1] Krizhevsky, Learning multiple layers of features from tiny images, 2009, https://www.cs.toronto.edu/~kriz/cifar.html
[2] LeCun, Cortes, Burges, The MNIST database of handwritten digits, http://yann.lecun.com/exdb/mnist
[3] Salakhutdinov, Murray, On the quantitative analysis of deep belief networks, ICML 2008: binary MNIST
[4] van den Oord, Kalchbrenner, Kavukcuoglu, Pixel recurrent neural networks, ICML 2016: ImageNet of 32x32 and 64x64
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pixcodecs.errors import PixzipError

from pixzip.data.files import (
    UNREADABLE,
    Files,
    Images,
    array,
    base,
    idx_images,
    is_picture,
    npz_shape,
    opened,
    pictures,
)
from pixzip.data.pickles import pickled

KINDS = ("cifar10", "mnist", "mnist-binary", "imagenet32", "imagenet64", "folder")
#: Split -> names of folders and tars that contain it.
SPLITS = {
    "train": ("train", "train_32x32", "train_64x64"),
    "test": ("test", "valid", "val", "valid_32x32", "valid_64x64"),
}
ARRAYS = (".npy", ".npz")
CIFAR_CLASSES = 10
BINARISATION_SEED = 2016

_BATCHES = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}
_IDX = {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte"}
_NPZ = {"train": re.compile(r"train_data_batch_(\d+)\.npz"), "test": re.compile(r"val_data(\d*)\.npz")}


@dataclass(frozen=True)
class Dataset:
    """Images of one size.

    Args:
        name: name of the set, and of the binarisation for binary MNIST.
        images: (N, H, W, C) uint8 in [0, levels), C is 1 or 3; writable, and not shared.
        levels: number of values of a sub-pixel, 256 or 2.
        names: file name of every image if the source has names, otherwise empty.
    """

    name: str
    images: Images
    levels: int
    names: tuple[str, ...] = ()


def load(name_or_kind: str, path: Path | Sequence[Path], split: str = "train") -> Dataset:
    """Read one split of a dataset.

    - cifar10 [1]: the python or the binary archive, its folder, or a folder or tar of images.
    - mnist [2]: a folder of idx files, plain or .gz.
    - mnist-binary: the binarisation of [3], of 50,000 training images, if the folder has its .amat files;
      otherwise that of `binarise`, of 60,000.
    - imagenet32, imagenet64 [4]: a folder or tar of images, or a folder of npz batches; test is the validation set.
    - folder: a folder, tar or list of 8-bit images of one size, all grey or all RGB, sorted by relative path, except
      a list; an .npy, or the first array of an .npz, of (N, H, W) or (N, H, W, C) uint8.

    If no image is in a folder like train/ or test/, all images belong to the requested split.

    Args:
        name_or_kind: one of `KINDS`; `detect` guesses it.
        path: source to read; a list only for the kind "folder".
        split: "train" or "test".
    Raises:
        PixzipError: the source is missing, damaged, hostile, or not of this kind.
        ValueError: the kind or the split is unknown, or the kind does not support lists.
    """
    if name_or_kind not in KINDS or split not in SPLITS:
        raise ValueError(f"asked for {split} of {name_or_kind}, expected {' or '.join(SPLITS)} of {', '.join(KINDS)}")
    if isinstance(path, Path) and not path.exists():
        raise PixzipError(f"{path} does not exist, expected {name_or_kind}")
    try:
        match name_or_kind:
            case "cifar10":
                return _cifar10(_one(path), split)
            case "mnist" | "mnist-binary":
                return _mnist(_one(path), split, name_or_kind)
            case "imagenet32" | "imagenet64":
                return _imagenet(_one(path), split, int(name_or_kind[-2:]))
        return _folder(path, split)
    except UNREADABLE as error:
        raise PixzipError(f"{path} cannot be read: {error or type(error).__name__}") from error


def detect(path: Path) -> str:
    """The most specific kind of the data at a path; "folder" for any other images and arrays.

    Raises:
        PixzipError: the path does not exist, or `load` does not support its content.
    """
    if not path.exists():
        raise PixzipError(f"{path} does not exist, expected a dataset")
    try:
        with opened(path) as files:
            names = list(files)
        found = {base(name): name for name in names}
        if any(_batch_files(end) & found.keys() for end in ("", ".bin")):
            return "cifar10"
        for name in found if path.is_dir() else {path.name: ""}:
            if name.startswith("binarized_mnist_"):
                return "mnist-binary"
            if name.removesuffix(".gz") in _IDX.values():
                return "mnist"
            if any(pattern.fullmatch(name) for pattern in _NPZ.values()):
                shape = npz_shape(path / found[name], "data")
                return "imagenet64" if shape[1:] == (3 * 64 * 64,) else "imagenet32"
    except UNREADABLE as error:
        raise PixzipError(f"{path} cannot be read: {error or type(error).__name__}") from error
    places = {part for name in names for part in name.split("/")[:2]} | {path.name.partition(".")[0]}
    for side in (32, 64):
        if places & {f"train_{side}x{side}", f"valid_{side}x{side}"}:
            return f"imagenet{side}"
    if not any(map(is_picture, names)) and not (path.is_file() and path.suffix in ARRAYS):
        raise PixzipError(f"{path} has {len(names)} files, no image and nothing of {', '.join(KINDS[:-1])} among them")
    return "folder"


def binarise(images: Images, stream: int) -> Images:
    """Draw 0 or 1 for every pixel, 1 with probability value / 255, reproducibly on every machine [3].

    Pixels in raster order, image by image, use one output each of NumPy's PCG64 seeded with (BINARISATION_SEED,
    stream), whose raw 64-bit outputs never change.  A pixel is 1 if ((output >> 32) * 255) >> 32 < value.

    Args:
        images: (N, H, W, C) uint8.
        stream: number of the draw; `load` uses 0 for training images and 1 for test images.
    Returns:
        (N, H, W, C) uint8, 0 or 1.
    """
    generator = np.random.PCG64((BINARISATION_SEED, stream))
    out = np.empty_like(images, order="C")
    for start in range(0, len(images), 1024):
        part = images[start : start + 1024]
        outputs = np.asarray(generator.random_raw(part.size), np.uint64).reshape(part.shape)
        out[start : start + 1024] = ((outputs >> 32) * 255) >> 32 < part
    return out


def _one(path: Path | Sequence[Path]) -> Path:
    if not isinstance(path, Path):
        raise ValueError(f"a list of {len(path)} paths was given, expected one path: only a folder's kind takes lists")
    return path


def _cifar10(path: Path, split: str) -> Dataset:
    with opened(path) as files:
        bases = {name: base(name) for name in files}
        end = next((end for end in ("", ".bin") if _batch_files(end) & set(bases.values())), None)
        if end is None:
            return _pictures("cifar10", files, path, split, 32)
        parse = _binary_batch if end else _python_batch
        wanted = [batch + end for batch in _BATCHES[split]]
        found = {name: batch for name, batch in bases.items() if batch in wanted}
        if sorted(found.values()) != wanted:
            raise PixzipError(f"{path} has {', '.join(sorted(found.values()))}, expected each of {', '.join(wanted)}")
        batches = {batch: parse(f"{path}: {name}", files[name]()) for name, batch in found.items()}
    counts = [len(batches[batch][0]) for batch in wanted]
    if len(set(counts)) > 1:
        raise PixzipError(f"{path} has batches of {counts} images, expected all of a size")
    names = [name for batch in wanted for name in batches[batch][1]]
    images = np.concatenate([batches[batch][0] for batch in wanted])
    return Dataset("cifar10", images, 256, tuple(names) if len(names) == len(images) else ())


def _batch_files(end: str) -> set[str]:
    return {batch + end for batches in _BATCHES.values() for batch in batches}


def _python_batch(name: str, data: bytes) -> tuple[Images, list[str]]:
    found, flat = pickled(name, data)
    names = found.get("filenames")
    known = names if isinstance(names, list) and all(isinstance(item, str) for item in names) else []
    return _planar(name, flat, 32), known


def _binary_batch(name: str, data: bytes) -> tuple[Images, list[str]]:
    size = 1 + 3 * 32 * 32
    if not data or len(data) % size:
        raise PixzipError(f"{name} has {len(data)} bytes, expected records of {size}")
    records = np.frombuffer(data, np.uint8).reshape(-1, size)
    if records[:, 0].max() >= CIFAR_CLASSES:
        raise PixzipError(f"{name} has a label {records[:, 0].max()}, expected 0 to {CIFAR_CLASSES - 1}")
    return _planar(name, records[:, 1:], 32), []


def _planar(name: object, flat: Images, side: int) -> Images:
    """(N, 3 * side * side) planes of R, G, B -> (N, side, side, 3)."""
    _check_planar(name, flat.shape, side)
    return np.ascontiguousarray(flat.reshape(-1, 3, side, side).transpose(0, 2, 3, 1))  # NCHW -> NHWC


def _check_planar(name: object, shape: tuple[int, ...], side: int) -> None:
    if len(shape) != 2 or not shape[0] or shape[1] != 3 * side * side:
        raise PixzipError(f"{name} has an array of shape {shape}, expected (N, {3 * side * side})")


def _mnist(path: Path, split: str, kind: str) -> Dataset:
    published = sorted(path.rglob("binarized_mnist_*.amat")) if kind == "mnist-binary" else []
    if published:
        return Dataset(f"{kind} (Salakhutdinov)", _amat(published[0].with_name(f"binarized_mnist_{split}.amat")), 2)
    there = sorted(file for end in ("", ".gz") for file in path.rglob(_IDX[split] + end))
    if len({file.parent for file in there}) != 1:  # sets other than MNIST also have files of these names
        raise PixzipError(
            f"{path} has {len(there)} files {_IDX[split]} or {_IDX[split]}.gz, expected one folder of them"
        )
    images = idx_images(there[0], 28, 28)
    if kind == "mnist":
        return Dataset(kind, images, 256)
    return Dataset(f"{kind} (ours, PCG64 seed {BINARISATION_SEED})", binarise(images, list(SPLITS).index(split)), 2)


def _amat(path: Path) -> Images:
    """Lines of 784 digits 0 or 1, separated by spaces -> (N, 28, 28, 1)."""
    rows = [row for line in path.read_bytes().splitlines() if (row := line.translate(None, b" \t"))]
    wrong = [i for i, row in enumerate(rows) if len(row) != 28 * 28]
    bits = np.frombuffer(b"".join(rows), np.uint8) - np.uint8(ord("0"))
    if wrong or not rows or bits.max() > 1:
        what = f"image {wrong[0]} of {len(rows[wrong[0]])} digits" if wrong else f"{len(rows)} images"
        raise PixzipError(f"{path} has {what}, expected one or more, each {28 * 28} of 0 and 1")
    return bits.reshape(-1, 28, 28, 1)


def _imagenet(path: Path, split: str, side: int) -> Dataset:
    kind = f"imagenet{side}"
    there = sorted(path.rglob("*.npz")) if path.is_dir() else [path]
    matches = [(match, file) for file in there for pattern in _NPZ.values() if (match := pattern.fullmatch(file.name))]
    if not matches:
        with opened(path) as files:
            return _pictures(kind, files, path, split, side)
    batches = sorted((int(match[1] or 1), file) for match, file in matches if match.re is _NPZ[split])
    if not batches or [number for number, _ in batches] != list(range(1, len(batches) + 1)):
        raise PixzipError(f"{path} has {len(batches)} npz of {split}, expected {_NPZ[split].pattern} numbered from 1")
    shapes = [npz_shape(file, "data") for _, file in batches]
    for (_, file), shape in zip(batches, shapes, strict=True):
        _check_planar(file, shape, side)
    images = np.empty((sum(shape[0] for shape in shapes), side, side, 3), np.uint8)
    start = 0
    for (_, file), shape in zip(batches, shapes, strict=True):
        images[start : start + shape[0]] = _planar(file, array(file, "data"), side)
        start += shape[0]
    return Dataset(kind, images, 256)


def _folder(path: Path | Sequence[Path], split: str) -> Dataset:
    if isinstance(path, Path) and path.suffix in ARRAYS:
        images = array(path)
        images = images[..., None] if images.ndim == 3 else images
        if images.ndim != 4 or images.shape[3] not in (1, 3) or not images.size:
            raise PixzipError(f"{path} has an array of shape {images.shape}, expected (N, H, W) or (N, H, W, 1 or 3)")
        return Dataset(path.name, images, 256)
    with opened(path) as files:
        return _pictures(path.name if isinstance(path, Path) else "list", files, path, split)


def _pictures(name: str, files: Files, path: Path | Sequence[Path], split: str, side: int | None = None) -> Dataset:
    """All images of a split; if `side` is given, they must be RGB with `side` x `side` pixels."""
    names = sorted(_of_split(files, path, split, side)) if isinstance(path, Path) else list(files)
    if not names:
        raise PixzipError(f"{path} has no image of {split} among {len(files)} files, expected {name}")
    return Dataset(name, pictures(files, names, (side, side, 3) if side else None), 256, tuple(names))


def _of_split(files: Iterable[str], path: Path, split: str, side: int | None) -> list[str]:
    """The images in a split's folder; if there are no such folders, all images, unless the path names another split."""
    every = [file for file in files if is_picture(file)]
    known = {place for places in SPLITS.values() for place in places}
    said: dict[str, list[str]] = {}
    for file in every:
        parts = file.split("/")[:-1][:2]  # train/bird/a.png, cifar10/train/bird/a.png
        said.setdefault(next((part for part in parts if part in known), ""), []).append(file)
    if said.keys() <= {""}:
        said = {path.name.partition(".")[0]: every}
        if not said.keys() & known:
            return every
    for place in SPLITS[split]:
        if place in said and (side is None or "x" not in place or place.endswith(f"x{side}")):
            return said[place]
    raise PixzipError(f"{path} has images of {', '.join(filter(None, said))}, expected {' or '.join(SPLITS[split])}")
