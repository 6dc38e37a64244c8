"""The files of datasets, treated as hostile: folders, tars, images, idx, npy and npz.

Archives are read in memory and never unpacked, and declared sizes are checked before anything is allocated.  Unlike
`pixzip.image.sources`, this module keeps the names of a million files as strings, follows links to folders to a
limited depth, and refuses a tar with any member that is not a regular file of a sensible name and size.  The format
idx is specified at http://yann.lecun.com/exdb/mnist, npy in `numpy.lib.format`.
"""

import contextlib
import gzip
import io
import lzma
import math
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pixcodecs.errors import PixzipError

Images = NDArray[np.uint8]
#: Files of a folder or an archive: relative path -> function that reads the file, in an order that is fast to read.
Files = dict[str, Callable[[], bytes]]

SUFFIXES = (".png", ".bmp", ".pgm", ".ppm", ".webp", ".jpg", ".jpeg")
FORMATS = ("PNG", "BMP", "PPM", "WEBP", "JPEG")
#: Largest file that is read from an archive; a batch of CIFAR-10 is half as large.
MAX_MEMBER_BYTES = 1 << 26
#: Largest compression ratio of deflate.
MAX_DEFLATE_RATIO = 1032
MAX_DEPTH = 16
IDX_MAGIC = 0x0803
_PILLOW_RAISES = (ArithmeticError, LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error, zlib.error)

#: Exceptions of reading missing or damaged files.
UNREADABLE = (EOFError, MemoryError, OSError, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile, zlib.error)


@contextlib.contextmanager
def opened(path: Path | Sequence[Path]) -> Iterator[Files]:
    """The files of a folder, a tar, a list, or a single file; hidden files are skipped.

    Raises:
        PixzipError: a tar is truncated, or has members that are not regular files of sensible names and sizes.
        one of `UNREADABLE`: a file cannot be read.
    """
    if not isinstance(path, Path):
        files: Files = {str(file): file.read_bytes for file in path}
        if len(files) < len(path):
            raise PixzipError(f"{len(path)} files are listed, {len(path) - len(files)} of them again")
        yield files
    elif path.is_dir():
        yield {name: partial(_file_bytes, file) for name, file in sorted(_walk(str(path), ""))}
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as tar:
            yield _members(tar, path)
    else:
        yield {path.name: path.read_bytes}


def _walk(folder: str, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the (relative, full) path of every file; as strings, because a set has a million files."""
    if prefix.count("/") > MAX_DEPTH:
        raise PixzipError(f"{folder} is more than {MAX_DEPTH} folders deep, expected fewer and no links in a circle")
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _walk(entry.path, f"{prefix}{entry.name}/")
            elif entry.is_file():
                yield prefix + entry.name, entry.path


def _file_bytes(file: str) -> bytes:
    return Path(file).read_bytes()


def _members(tar: tarfile.TarFile, path: Path) -> Files:
    files: Files = {}
    for member in tar:
        name = PurePosixPath(member.name)
        where = f"{path} has a member {member.name}"
        if name.is_absolute() or ".." in name.parts:
            raise PixzipError(f"{where}, expected a path that stays below the archive")
        if member.isdir() or name.name.startswith("."):
            continue
        if not member.isreg() or member.issparse():
            raise PixzipError(f"{where} that is a link, a device or sparse, expected plain files and folders")
        if member.size > MAX_MEMBER_BYTES:
            raise PixzipError(f"{where} of {member.size} bytes, expected at most {MAX_MEMBER_BYTES}")
        if name.as_posix() in files:
            raise PixzipError(f"{where} twice")
        files[name.as_posix()] = partial(_member_bytes, tar, member)
    stream = cast(BinaryIO, tar.fileobj)
    stream.seek(tar.offset)
    if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):  # for tarfile, a cut or damaged header is the end
        raise PixzipError(f"{path} is cut short or damaged after {len(files)} files, expected a mark of its end")
    while stream.read(1 << 20):  # verifies the checksum of the compressed stream
        pass
    return files


def _member_bytes(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    with cast(BinaryIO, tar.extractfile(member)) as stream:  # None only if not a regular file
        return stream.read()


def base(name: str) -> str:
    """a/b.png -> b.png"""
    return name.rpartition("/")[2]


def is_picture(name: str) -> bool:
    """Whether a file is an image by its name."""
    return name.lower().endswith(SUFFIXES)


def picture(name: str, data: bytes) -> Images:
    """The unchanged samples of an 8-bit image file.

    Returns:
        (H, W, C) uint8, C is 1 for grey and 3 for RGB.
    Raises:
        PixzipError: the file is damaged, or neither 8-bit grey nor 8-bit RGB.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            mode, form = image.mode, image.format
            # the mode in the file, e.g. RGB;16B or L;2, which Pillow may convert
            arguments: Any = image.tile[0][3] if image.tile else mode
            array = np.asarray(image)
    except (*_PILLOW_RAISES, EOFError, Image.DecompressionBombError) as error:
        raise PixzipError(f"{name} is not an image that can be read: {error}") from error
    stored, *rest = [arguments] if isinstance(arguments, str) else arguments
    if form == "PPM" and rest not in ([], [255]):
        stored = f"{stored} of 0 to {rest[0]}"
    if mode not in ("L", "RGB") or stored not in (mode, mode[::-1]):
        raise PixzipError(f"{name} has samples of kind {stored} ({mode}), expected 8-bit grey (L) or 8-bit RGB")
    return array.reshape(*array.shape[:2], -1)


def pictures(files: Files, names: Sequence[str], expected: tuple[int, ...] | None) -> Images:
    """Images of one size, all grey or all RGB.

    Args:
        files: their files, which are read in this order.
        names: names of the files to take, in the order of the result.
        expected: (H, W, C) of all images; None takes that of the first.
    Returns:
        (N, H, W, C) uint8, N is the number of names, at least 1.
    Raises:
        PixzipError: an image is damaged, unsupported, or differs from the others in size or channels.
        one of `UNREADABLE`: a file cannot be read.
    """
    place = {name: i for i, name in enumerate(names)}
    images, first = np.empty((0, 0, 0, 0), np.uint8), ""
    for name in (name for name in files if name in place):
        image = picture(name, files[name]())
        if image.shape != (expected or image.shape):
            rest = f"as {first} is" if first else "as all are of this set"
            raise PixzipError(f"{name} is {_words(image.shape)}, expected {_words(expected or ())} {rest}")
        if not first:  # allocated after one image had its declared size
            images, first, expected = np.empty((len(names), *image.shape), np.uint8), name, image.shape
        images[place[name]] = image
    return images


def _words(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]} {'grey' if shape[2] == 1 else 'RGB'}"


def idx_images(path: Path, height: int, width: int) -> Images:
    """The images of an idx file, gzipped if its name says so.

    Returns:
        (N, height, width, 1) uint8.
    Raises:
        PixzipError: the header, the size or the length is wrong.
        one of `UNREADABLE`: the file cannot be read.
    """
    zipped = path.suffix == ".gz"
    most = path.stat().st_size * (MAX_DEFLATE_RATIO if zipped else 1)
    with gzip.open(path) if zipped else path.open("rb") as stream:
        header = stream.read(16)
        if len(header) < 16:
            raise PixzipError(f"{path} has {len(header)} bytes, expected a header of 16")
        magic, *shape = struct.unpack(">4I", header)
        if magic != IDX_MAGIC:
            raise PixzipError(f"{path} starts with {magic:#010x}, expected {IDX_MAGIC:#010x}: idx of uint8 images")
        if shape[0] < 1 or shape[1:] != [height, width]:
            raise PixzipError(f"{path} declares {shape}, expected images of {height} x {width}")
        size = math.prod(shape)
        body = stream.read(size + 1) if size <= most else b""
    if len(body) != size:
        raise PixzipError(f"{path} declares {size} bytes of pixels, found {'more' if len(body) > size else 'fewer'}")
    return np.frombuffer(body, np.uint8).reshape(*shape, 1).copy()  # an array of bytes would be read-only


def npz_shape(path: Path, key: str | None = None) -> tuple[int, ...]:
    """The shape of an npz's uint8 array of the given key, or of its first array; only the header is read.

    Raises:
        PixzipError: there is no such array, it has another type, or its header declares more data than there is.
        one of `UNREADABLE`: the file cannot be read.
    """
    with _npz(path, key) as (stream, size):
        version = np.lib.format.read_magic(stream)
        reads = np.lib.format.read_array_header_1_0, np.lib.format.read_array_header_2_0
        shape, _, dtype = reads[version != (1, 0)](stream)
    if dtype != np.uint8 or math.prod(shape) > size:
        raise PixzipError(f"{path} declares {dtype} of shape {shape} in {size} bytes, expected uint8")
    return tuple(shape)


def array(path: Path, key: str | None = None) -> NDArray[np.uint8]:
    """The uint8 array of an npy, or an npz's array of the given key, or its first array.

    Raises:
        PixzipError: there is no such array, or it has another type, is damaged or pickled.
        one of `UNREADABLE`: the file cannot be read.
    """
    if path.suffix == ".npz":
        npz_shape(path, key)
        with _npz(path, key) as (stream, _):
            return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))
    try:
        declared = np.lib.format.open_memmap(path, mode="r")  # compares the shape with the file's size
        found = np.load(path, allow_pickle=False) if declared.dtype == np.uint8 else declared  # a map may lose its file
    except (ArithmeticError, LookupError, RuntimeError, SyntaxError, TypeError, ValueError) as error:
        raise PixzipError(f"{path} is no npy that can be read: {error}") from error
    if found.dtype != np.uint8:
        raise PixzipError(f"{path} has {found.dtype} of shape {found.shape}, expected uint8")
    return np.asarray(found)


@contextlib.contextmanager
def _npz(path: Path, key: str | None) -> Iterator[tuple[BinaryIO, int]]:
    """A file in an npz, and its size in bytes; unlike with `numpy.load`, it is closed if it is damaged."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name == f"{key}.npy" or (key is None and name[-4:] == ".npy")]
        if not names:
            raise PixzipError(f"{path} has {len(archive.namelist())} files, none is the array {key or 'of an npy'}")
        try:
            with archive.open(names[0]) as stream:
                yield cast(BinaryIO, stream), archive.getinfo(names[0]).file_size
        except (ArithmeticError, LookupError, RuntimeError, SyntaxError, TypeError, ValueError) as error:
            raise PixzipError(f"{path} has no array that can be read: {error}") from error
