"""The protocol that every image format implements, and the checks and errors that their readers share."""

import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple, Protocol

from pixcodecs.container.image import check_shape
from pixcodecs.errors import UnsupportedImageError

from pixzip.image.formats.metadata import from_chunks
from pixzip.image.picture import MAX_DEPTH, MAX_PALETTE_DEPTH, Chunk, Frame, Layout, Picture, Samples

for _name in ("imagecodecs", "tifffile"):
    logging.getLogger(_name).addHandler(logging.NullHandler())  # else their remarks go to standard error

#: `Format.accepts` gets the first bytes of a file, this many where the file has them.
HEAD_BYTES = 64
#: All depths of a picture, by layout: the `Format.depths` of a format that holds every picture.
ALL_DEPTHS: Mapping[Layout, Sequence[int]] = {
    layout: range(1, 1 + (MAX_PALETTE_DEPTH if layout is Layout.PALETTE else MAX_DEPTH)) for layout in Layout
}
_LAYOUT_NAMES = {
    Layout.GREY: "grey",
    Layout.RGB: "RGB",
    Layout.GREY_ALPHA: "grey with alpha",
    Layout.RGBA: "RGB with alpha",
    Layout.PALETTE: "palette",
}


class Loaded(NamedTuple):
    """A picture, and the names of what else the file held that a picture does not."""

    picture: Picture
    dropped: list[str]


class Opened(NamedTuple):
    """A `Loaded` whose samples are still to come.

    Attributes:
        frame: all that the picture is but its samples.
        dropped: the names of what else the file held.
        bands: (N, W, C), the rows from the first to the last, any number of them at a time.  An error in the file
            is raised before its last rows come, even if it stands behind them.
    """

    frame: Frame
    dropped: list[str]
    bands: Generator[Samples, None, None]


class Sink(Protocol):
    """A file in the making, which takes rows as they come and then what stands behind them."""

    def write(self, samples: Samples) -> None: ...

    def finish(self) -> None: ...


class Unrecognised(Exception):  # noqa: N818 (no error yet: other formats are asked)
    """A file begins like one of this format, and is not one."""


class Format(ABC):
    """An image format: how its files are recognised, read and written.

    `pixzip.image.formats.FORMATS` lists all.  A format that is only read implements `accepts` and `read`.  One that
    is written too names the `depths` that it keeps and implements `write`.  The other methods have defaults, for
    formats that are read and written whole, and without loss.

    Attributes:
        name: the word for it in error messages.
        suffixes: the suffixes of its files, in lower case, with the dot; a format that is written shares none.
        in_folders: whether files of a folder with these suffixes are taken; otherwise only files that are named.
        depths: the bits a sample that a file keeps of each layout; empty for a format that is only read.
        transparency: whether a file keeps transparent colours, and the alphas of a palette.
        metadata: the fields of `metadata.Embedded` that a file keeps.
    """

    name: str
    suffixes: frozenset[str]
    in_folders: bool = True
    depths: Mapping[Layout, Sequence[int]] = {}
    transparency: bool = False
    metadata: frozenset[str] = frozenset()

    @abstractmethod
    def accepts(self, head: bytes) -> bool:
        """Whether a file may be of this format.

        Args:
            head: its first bytes, see `HEAD_BYTES`.
        """

    @abstractmethod
    def read(self, data: bytes, max_pixels: int | None) -> Loaded:
        """The picture in a file that the format accepts.

        Raises:
            Unrecognised: the file is of another format.
            UnsupportedImageError: it is too large, or would not come back as it was.
            Exception: whatever a library raises on a damaged file.
        """

    def open_rows(self, file: BinaryIO, max_pixels: int | None) -> Opened | None:
        """Like `read`, but the rows come a few at a time.

        Args:
            file: stands at its start, and stays open until the last row is there.
        Returns:
            None for files that have to be read at once.
        Raises:
            UnsupportedImageError, Exception: see `read`.
        """
        return None

    def pixels(self, head: bytes) -> int:
        """How many pixels a file declares; -1 where its first bytes do not say it."""
        return -1

    def lossy_kind(self, file: BinaryIO) -> str:
        """What a file is whose samples were coded with loss, such as "a JPEG"; "" if they were not.

        Args:
            file: one that can be read, at its start.
        """
        return ""

    def refuses(self, layout: Layout, depth: int, transparent: bool) -> str:
        """Why a file cannot hold a picture, in words that follow the suffix; "" if it can.

        Args:
            transparent: whether the picture has a transparent colour, or a palette with alphas.
        """
        kind = _LAYOUT_NAMES[layout]
        if layout not in self.depths:
            return f"does not hold {kind} images as such, .png does"
        if depth not in self.depths[layout]:
            held = " and ".join(map(str, self.depths[layout]))
            return f"does not hold {kind} images of {depth} bits a sample, only of {held}: .png does"
        if transparent and not self.transparency:
            return f"does not hold transparent colours of {kind} images, .png does"
        return ""

    def write(self, picture: Picture) -> bytes:
        """The file of a picture that the format does not refuse.

        Raises:
            UnsupportedImageError: the picture's samples or size cannot be held.
        """
        raise UnsupportedImageError(f"{self.name} is not written")

    def create_rows(self, stream: BinaryIO, frame: Frame) -> Sink | None:
        """Like `write`, but the rows come a few at a time.

        Args:
            stream: takes the file, from its own start.
        Returns:
            None for files that have to be written at once.
        """
        return None

    def lost(self, chunks: Iterable[Chunk]) -> list[str]:
        """The types of the metadata chunks that a file does not keep, sorted."""
        return sorted(set(from_chunks(chunks, self.metadata)[1]))


@contextmanager
def one_error() -> Iterator[None]:
    """Turns the errors of all the libraries into `UnsupportedImageError`, and silences their warnings."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on metadata, which is kept as it is
            yield
    except (UnsupportedImageError, MemoryError):
        raise
    except Exception as e:  # noqa: BLE001 (libraries raise whatever their parsing runs into)
        detail = " ".join(str(e).split()) or type(e).__name__
        raise UnsupportedImageError(f"image cannot be decoded: {detail}") from None


def check_size(width: int, height: int, max_pixels: int | None) -> None:
    """
    Raises:
        UnsupportedImageError: a side does not fit the container, or there are more pixels than allowed.
    """
    check_shape(width, height)
    if max_pixels is not None and width * height > max_pixels:
        raise UnsupportedImageError(f"image has more than {max_pixels} pixels: lift the limit if you trust the file")


def check_frames(frames: int) -> None:
    """
    Raises:
        UnsupportedImageError: there are several.
    """
    if frames != 1:
        raise UnsupportedImageError(f"image has {frames} frames, only single images are supported yet")
