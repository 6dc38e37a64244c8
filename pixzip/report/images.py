"""Images of files, folders and tars, one at a time, as the samples that every codec gets."""

import dataclasses
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

import numpy as np
from PIL import Image
from pixcodecs.errors import PixzipError

from pixzip import codec, image
from pixzip.image.colours import colours
from pixzip.image.formats.pillow import FORMATS
from pixzip.image.picture import Layout, Picture

#: What `image.load` reads, by Pillow's names.
_FORMATS = {*FORMATS, "PNG", "PPM", "TIFF"}


class Source(NamedTuple):
    """A file that may be an image: its name, and how to read it."""

    name: str
    read: Callable[[], bytes]


def sources(paths: Sequence[Path]) -> Iterator[Source]:
    """What is at the paths: images, folders with all that is in them, tars; sorted within each.

    Of folders and tars only what is named like an image.  A member of a tar is read before the next source comes.

    Raises:
        PixzipError: a path leads nowhere.
        OSError: it cannot be read.
    """
    for path in paths:
        if path.is_dir():
            for file in sorted(p for p in path.rglob("*") if _named_like_an_image(p) and p.is_file()):
                yield Source(file.relative_to(path).as_posix(), file.read_bytes)
        elif not path.exists():
            raise PixzipError(f"{path} does not exist")
        elif tarfile.is_tarfile(path):
            yield from _tar_members(path)
        else:
            yield Source(path.name, path.read_bytes)


def _named_like_an_image(path: PurePath) -> bool:
    known = Image.registered_extensions().get(path.suffix.lower()) in _FORMATS or path.suffix.lower() == ".pam"
    return known and not path.name.startswith(".")


def _tar_members(path: Path) -> Iterator[Source]:
    with tarfile.open(path) as tar:
        files = sorted((m for m in tar if m.isfile()), key=lambda m: m.name)
        for member in files:
            if _named_like_an_image(PurePath(member.name)):
                file = tar.extractfile(member)
                assert file is not None  # it is a file
                yield Source(member.name, file.read)


def load(data: bytes, max_pixels: int | None) -> Picture:
    """The picture in an image file, as a viewer shows it and without metadata: grey or RGB, with or without alpha.

    Fewer than 8 bits a sample are stretched to 8; of 9 to 16 the depth stays.

    Raises:
        UnsupportedImageError: see `image.load`.
    """
    found = image.load(data, max_pixels).picture
    shown = colours(found)
    depth = 8 if found.layout is Layout.PALETTE else found.depth
    if depth < 8:
        shown = (shown.astype(np.uint16) * 255 // (2**depth - 1)).astype(np.uint8)
    return dataclasses.replace(codec.as_picture(shown), depth=max(8, depth))
