"""Tiny datasets in the file formats and archives of the real ones."""

import gzip
import io
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pixzip.data.files import Images

BATCHES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]


def pixels(n: int, height: int = 32, width: int = 32, channels: int = 3, seed: int = 0) -> Images:
    """(n, height, width, channels) noise."""
    return np.random.default_rng(seed).integers(0, 256, (n, height, width, channels), np.uint8)


def planar(images: Images) -> Images:
    """(N, H, W, C) -> (N, C * H * W), plane by plane."""
    return images.transpose(0, 3, 1, 2).reshape(len(images), -1)


def python_batch(images: Images, protocol: int = 2) -> bytes:
    """A batch of CIFAR-10 pickled by Python 3."""
    names = [f"{i}.png".encode() for i in range(len(images))]
    batch = {b"batch_label": b"a", b"labels": [1] * len(images), b"data": planar(images), b"filenames": names}
    return pickle.dumps(batch, protocol)


def python2_batch(images: Images) -> bytes:
    """A batch of CIFAR-10 pickled as by Python 2, like the official ones."""
    raw, n = planar(images).tobytes(), len(images)
    names = b"".join(b"U\x09%05d.png" % i for i in range(n))
    array = b"cnumpy.core.multiarray\n_reconstruct\nq\x04cnumpy\nndarray\nq\x05K\x00\x85q\x06U\x01bq\x07\x87q\x08Rq\x09"
    dtype = b"cnumpy\ndtype\nq\x0aU\x02u1q\x0bK\x00K\x01\x87q\x0cRq\x0d(K\x03U\x01|q\x0eNNNJ" + b"\xff" * 4
    dtype += b"J" + b"\xff" * 4 + b"K\x00tb"
    state = b"(K\x01M" + struct.pack("<H", n) + b"M\x00\x0c\x86q\x0f" + dtype + b"\x89T" + struct.pack("<I", len(raw))
    start = b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x15training batch 1 of 5q\x03U\x04data" + array + state + raw
    return start + b"tbU\x06labels](" + b"K\x06" * n + b"eU\x09filenames](" + names + b"eu."


def binary_batch(images: Images, label: int = 9) -> bytes:
    """A binary batch of CIFAR-10: records of a label and the planes of an image."""
    return np.pad(planar(images), ((0, 0), (1, 0)), constant_values=label).tobytes()


def png(image: Images) -> bytes:
    return saved(Image.fromarray(image[..., 0] if image.shape[2] == 1 else image), "PNG")


def saved(image: Image.Image, form: str) -> bytes:
    out = io.BytesIO()
    image.save(out, form, lossless=True)
    return out.getvalue()


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files into a folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def pack(path: Path, files: dict[str, bytes]) -> Path:
    """Write a tar of files in the given order, compressed according to its name."""
    with tarfile.open(path, f"w:{path.suffix[1:].removeprefix('tar')}") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def write_idx(folder: Path, prefix: str, images: NDArray[np.uint8], end: str = "") -> None:
    """Write images of MNIST, gzipped if `end` is ".gz"."""
    data = struct.pack(">4I", 0x0803, *images.shape[:3]) + images.tobytes()
    write(folder, {f"{prefix}-images-idx3-ubyte{end}": gzip.compress(data) if end else data})
