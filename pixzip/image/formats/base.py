"""The protocol that every image format implements, and the checks and errors that their readers share."""

import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple, Protocol

from pixcodecs.container.image import check_shape
from pixcodecs.errors import UnsupportedImageError

from pixzip.image.formats.account import Account
from pixzip.image.formats.exif import first_tags, texts
from pixzip.image.formats.metadata import from_chunks
from pixzip.image.pages import Kind, LoadedPages, Pages
from pixzip.image.picture import MARKS, MAX_DEPTH, MAX_PALETTE_DEPTH, Chunk, Frame, Layout, Picture, Samples

for _name in ("imagecodecs", "tifffile"):
    logging.getLogger(_name).addHandler(logging.NullHandler())  # otherwise their messages go to standard error

#: Number of a file's first bytes passed to `Format.accepts`, fewer for shorter files.
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
    """A picture, and the names of the file's content that a picture cannot hold."""

    picture: Picture
    dropped: list[str]


class Opened(NamedTuple):
    """A `Loaded` whose samples are still to come.

    Attributes:
        frame: the picture without its samples.
        dropped: the names of the file's content that a picture cannot hold; complete when the last
            band was yielded.
        bands: (N, W, C) arrays of rows, from first to last, with any number of rows each.  An error in the file
            is raised before its last rows are yielded, even if it comes after them in the file.
    """

    frame: Frame
    dropped: list[str]
    bands: Generator[Samples, None, None]


class Sink(Protocol):
    """A file being written: takes rows one after another, then the end of the file.  May raise any error."""

    def write(self, samples: Samples) -> None: ...

    def finish(self) -> None: ...


class Unrecognised(Exception):  # noqa: N818 (no error yet: other formats are tried)
    """A file begins like a file of this format but has another."""


class Format(ABC):
    """An image format: how its files are recognised, read and written.

    `pixzip.image.formats.FORMATS` lists all.  A read-only format implements `accepts`, `read` and `account`.  A
    format that is also written names the `depths` that it keeps and implements `write`.  The defaults of the other
    methods suit lossless formats that are read and written whole.

    Attributes:
        name: name of the format in error messages.
        suffixes: suffixes of its files, in lower case, with the dot; formats that are written share none.
        sometimes_lossy: whether files in folders are looked at, and left alone where `lossy_kind` has a name for them.
        depths: the bits per sample that a file keeps, by layout; empty for a read-only format.
        transparency: whether a file keeps transparent colours, and the alphas of a palette.
        metadata: the fields of `metadata.Embedded` that a file keeps.
        keeps_texts: whether a file keeps PNG's texts for title, description, author, copyright and software, as tags.
        pages_kind: the kind of the format's files of several pages or frames; None if it has none.
        kept_by_pages: names of content that `account` leaves, and that pages hold.
        writing_bytes: bytes of memory for each pixel to write a file; 0 for those written by rows, or nearly so.
    """

    name: str
    suffixes: frozenset[str]
    sometimes_lossy: bool = False
    depths: Mapping[Layout, Sequence[int]] = {}
    transparency: bool = False
    metadata: frozenset[str] = frozenset()
    keeps_texts: bool = False
    pages_kind: Kind | None = None
    kept_by_pages: frozenset[str] = frozenset()
    writing_bytes: int = 0

    @abstractmethod
    def accepts(self, head: bytes) -> bool:
        """Whether a file may have this format.

        Args:
            head: its first bytes, see `HEAD_BYTES`.
        """

    @abstractmethod
    def read(self, data: bytes, max_pixels: int | None) -> Loaded:
        """The picture in a file that the format accepts.  Files that `open_rows` reads are left to it.

        Raises:
            Unrecognised: the file is of another format.
            UnsupportedImageError: the image is too large, or would not be restored exactly.
            Exception: any error of a library on a damaged file.
        """

    @abstractmethod
    def account(self, file: BinaryIO) -> Account:
        """Which bytes `read` and `open_rows` take from a file that they read; all others are named in `dropped`.

        It follows the structure of the file, and does not decode samples where it can help it.

        Args:
            file: readable file of this format, positioned at its start.
        """

    def open_rows(self, file: BinaryIO, max_pixels: int | None) -> Opened | None:
        """Like `read`, but a few rows at a time.

        Args:
            file: positioned at its start; must stay open until the last row is read.
        Returns:
            None for files that must be read at once.
        Raises:
            UnsupportedImageError, Exception: see `read`.
        """
        return None

    def pixels(self, head: bytes) -> int:
        """The number of pixels that a file declares; -1 if its first bytes do not contain it."""
        return -1

    def lossy_kind(self, file: BinaryIO) -> str:
        """The kind of a file whose samples were coded with loss, e.g. "a JPEG"; "" if coded without loss.

        Args:
            file: readable file of this format, positioned at its start.
        """
        return ""

    def has_pages(self, file: BinaryIO) -> bool:
        """Whether a file has several pages or frames, as far as its structure tells without decoding them.

        Args:
            file: readable file of this format, positioned at its start.
        """
        return False

    def read_pages(self, data: bytes, max_pixels: int | None) -> LoadedPages | None:
        """All pages or frames of a file that has several.

        Args:
            max_pixels: refuse more pixels in total.
        Returns:
            None for files of one image, which `read` and `open_rows` read.
        Raises:
            UnsupportedImageError, Exception: see `read`.
        """
        return None

    def write_pages(self, pages: Pages) -> bytes:
        """The file of several pages or frames, which are of the kind of this format.

        Raises:
            UnsupportedImageError: the format cannot hold them.
            Exception: any error of a library.
        """
        raise UnsupportedImageError(f"{self.name} holds one image")

    def refuses(self, layout: Layout, depth: int, transparent: bool) -> str:
        """The reason why a file cannot hold a picture, in words that follow the suffix; "" if it can.

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

    def too_large(self, frame: Frame) -> str:
        """The reason why a file cannot hold a picture of this size, in words that follow the suffix; "" if it can."""
        return ""

    def write(self, picture: Picture) -> bytes:
        """The file of a picture that the format does not refuse.

        Raises:
            UnsupportedImageError: the format cannot hold the picture's samples.
            Exception: any error of a library.
        """
        raise UnsupportedImageError(f"{self.name} is not written")

    def create_rows(self, stream: BinaryIO, frame: Frame) -> Sink | None:
        """Like `write`, but a few rows at a time.

        Args:
            stream: receives the file; positioned at its start.
        Returns:
            None for files that must be written at once.
        Raises:
            Exception: any error of a library.
        """
        return None

    def lost(self, chunks: Iterable[Chunk]) -> list[str]:
        """The types of the metadata chunks that a file does not keep, sorted; marks of pixzip's own are no loss."""
        kept = [c for c in chunks if c not in MARKS]
        if self.keeps_texts:
            held = texts(kept, first_tags(from_chunks(kept, {"exif"})[0].exif)[0])[1]
            kept = [c for c in kept if c not in held]
        return sorted(set(from_chunks(kept, self.metadata)[1]))


@contextmanager
def one_error(done: str = "decoded", *passed: type[Exception]) -> Iterator[None]:
    """Turns all errors of libraries into `UnsupportedImageError`, and silences their warnings.

    Args:
        done: what cannot be done with the image, for the error's text.
        passed: errors that are raised as they are, besides `UnsupportedImageError` and `MemoryError`.
    """
    unchanged: tuple[type[Exception], ...] = (UnsupportedImageError, MemoryError, *passed)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata, which is kept unchanged
            yield
    except unchanged:
        raise
    except Exception as e:  # noqa: BLE001 (libraries raise errors of any type)
        detail = " ".join(str(e).split()) or type(e).__name__
        raise UnsupportedImageError(f"image cannot be {done}: {detail}") from None


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
        UnsupportedImageError: there are several frames.
    """
    if frames != 1:
        raise UnsupportedImageError(
            f"image has {frames} frames, expected one: `pixzip compress` without --stack takes them all"
        )
