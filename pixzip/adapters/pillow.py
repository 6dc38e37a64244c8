"""`.pxz` files in Pillow: `import pixzip` makes `Image.open("x.pxz")` and `image.save("x.pxz")` work.

An open image has its mode, size and `info` at once; its pixels are decoded at first access.  A file that keeps a JPEG
opens as this JPEG.
"""

import io
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from PIL import Image, ImageFile, JpegImagePlugin

FORMAT = "PXZ"
SUFFIX = ".pxz"
MIME = "image/x-pxz"
_SIGNATURE = b"\x89PX"
#: Size that most headers do not exceed; for longer ones, the size is doubled until the header fits.
_HEAD_BYTES = 1 << 12
#: Arguments of `Image.save` for the encoder, and arguments that replace entries of `info`.
_CHOICES = ("model", "device", "effort", "embed_model")
_METADATA = ("icc_profile", "exif", "xmp", "dpi")


@contextmanager
def _only_oserror(what: str) -> Iterator[None]:
    """Turns all other errors into OSError, as Pillow documents: those of pixzip, and those of Pillow about metadata.

    Args:
        what: begin of the error's text.
    """
    try:
        yield
    except (OSError, MemoryError):
        raise
    except Exception as e:
        raise OSError(f"{what}: {' '.join(str(e).split()) or type(e).__name__}") from e


class PxzImageFile(ImageFile.ImageFile):
    """One `.pxz` file."""

    format = FORMAT
    format_description = "pixzip lossless image"
    #: Whether the pixels must still be decoded; False for an unpickled image.
    _pending = False
    #: The file of a `PagesOpening`, if it has several pages or frames, and the number of the current one.
    _pages: Any = None
    _current = 0

    def _open(self) -> None:
        from pixcodecs.container.signature import is_pages

        from pixzip.image.picture import frame_of

        assert self.fp is not None  # typed as optional for closed images
        with _only_oserror(f"not a {SUFFIX} file that can be shown"):
            start = self.fp.read(len(_SIGNATURE) + 1)
            self.fp.seek(0)
            if is_pages(start):
                self._open_pages()
            else:
                self._show(frame_of(_read_header(self.fp)))

    def _show(self, frame: Any) -> None:
        """Take mode, size and `info` of a picture whose pixels are decoded later."""
        from pixzip.image import pillow_images

        self._frame = frame
        shown = pillow_images.head(frame)
        self._mode, self._size, self.info, self.palette = shown.mode, shown.size, shown.info, shown.palette
        self._exif = None  # what `getexif` remembers of another page
        self._pending = True

    def _open_pages(self) -> None:
        from pixzip.codec.pages import PagesOpening

        self._pages = PagesOpening(self._file(), None, self._folder)
        self._show_page(0)

    def _show_page(self, number: int) -> None:
        self._show(self._pages.frames[number])
        header, member = self._pages.header, self._pages.header.members[number]
        if member.duration:
            numerator, denominator = member.duration
            self.info["duration"] = 1000 * numerator / denominator
        if header.kind.animated:
            self.info["loop"] = header.loops
        self._current = number

    @property
    def n_frames(self) -> int:
        """The number of pages or frames."""
        return len(self._pages.header.members) if self._pages else 1

    @property
    def is_animated(self) -> bool:
        return self.n_frames > 1

    def seek(self, frame: int) -> None:
        """Go to a page or frame, which is as it is in the file: frames of animations are not laid over each other.

        Raises:
            EOFError: there is no such page.
            OSError: Pillow has no mode for it.
        """
        if not 0 <= frame < self.n_frames:
            raise EOFError(f"page {frame} is not among the {self.n_frames} of the {SUFFIX} file")
        if frame != self._current:
            with _only_oserror(f"not a page of a {SUFFIX} file that can be shown"):
                self._show_page(frame)

    def tell(self) -> int:
        """The number of the current page."""
        return self._current

    @property
    def _folder(self) -> Any:
        """The folder of the file, where its model file may be, see `codec.Opening`; None if it has no path."""
        from pixzip.io import upward

        if isinstance(self.fp, upward.Whole):
            return upward.folder_of(self.fp.url)
        return Path(os.fsdecode(self.filename)).parent if self.filename else None

    def _file(self) -> bytes:
        """The bytes of the whole file."""
        if self.fp is None:
            raise ValueError("Operation on closed image")
        self.fp.seek(0)
        return self.fp.read()

    def verify(self) -> None:
        """Check lengths and checksums without decoding pixels.

        Raises:
            OSError: the file is damaged.
        """
        from pixcodecs.container import image as container

        file = self._file()
        try:
            with _only_oserror(f"{SUFFIX} file damaged"):
                if self._pages:
                    for member in self._pages.openings:
                        member.check_blocks()
                    return
                header = container.read_header(file, None)
                container.check_length(file, header)
                for tile in range(len(header.tiles)):
                    container.block(file, header, tile)
        finally:
            super().verify()

    def load(self) -> Any:
        """Decode the pixels, once.

        `Image.MAX_IMAGE_PIXELS` limits their number, and None lifts the limits of pixzip too.

        Raises:
            OSError: the pixels cannot be decoded.
        """
        if self._pending:
            self.im = self._decoded().im
            self._pending, self.readonly = False, 0
            if not self._pages:
                if self.fp and self._exclusive_fp:
                    self.fp.close()
                self.fp = None
        return super().load()

    def _decoded(self) -> Image.Image:
        from pixzip import codec
        from pixzip.api import Codec
        from pixzip.image import pillow_images

        options = Codec(max_pixels=_most_pixels()).options
        file = self._file() if self._pages is None else self._pages.openings[self._current].file
        with _only_oserror(f"cannot decode the {SUFFIX} file"):
            opening = codec.Opening(file, options.max_pixels, folder=self._folder)
            if self._pages is not None:
                opening.carrying = self._pages.carrying
            opening.check_blocks()
            if opening.frame != self._frame:
                raise OSError(f"the {SUFFIX} file has changed since it was opened")
            image, top = Image.new(self.mode, self.size), 0
            for rows in codec.decompress_parts(opening, options):
                pixels, rawmode = pillow_images.raw(rows, opening.frame)
                image.paste(Image.frombytes(self.mode, (image.width, len(rows)), pixels, "raw", rawmode), (0, top))
                top += len(rows)
        return image


def _most_pixels() -> int | None:
    """Pillow's limit of pixels, which may be any number; None for none."""
    most = Image.MAX_IMAGE_PIXELS
    return None if most is None or math.isinf(most) else int(most)


def _open(stream: IO[bytes], filename: str | bytes = "") -> ImageFile.ImageFile:
    """One `.pxz` file; where it keeps a JPEG, this JPEG as Pillow opens it.

    Args:
        filename: the file's path, if Pillow has opened it and leaves it to the image to close; else empty.
    Raises:
        OSError: the file cannot be read.
    """
    from pixcodecs.container import signature

    start = stream.read(len(_SIGNATURE) + 1)
    stream.seek(0)
    if not signature.is_kept(start):
        return PxzImageFile(stream, filename)
    from pixzip.codec import kept

    with _only_oserror(f"cannot decode the {SUFFIX} file"):
        jpeg = kept.restore(stream.read(), _most_pixels())
        found = JpegImagePlugin.jpeg_factory(io.BytesIO(jpeg))
    if filename:
        stream.close()
        found.filename = filename
    return found


def _read_header(stream: IO[bytes]) -> Any:
    """The header of a file; reads little more than the header.

    Raises:
        BitstreamError: the header is missing or damaged.
    """
    from pixcodecs.container import image as container
    from pixcodecs.errors import BitstreamError

    start, wanted = b"", _HEAD_BYTES
    while True:
        more = stream.read(wanted - len(start))
        start += more
        try:
            return container.read_header(start, None)
        except BitstreamError:
            if not more:
                raise
            wanted *= 2


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(_SIGNATURE)


def _save(image: Image.Image, stream: IO[bytes], filename: str | bytes) -> None:
    """`image.save(path, model="base", device="auto", effort=5, icc_profile=..., exif=..., xmp=..., dpi=...)`"""
    from pixzip.api import encode
    from pixzip.image.pillow_images import from_pillow

    options = image.encoderinfo
    choices, instead = ({name: options[name] for name in names if name in options} for names in (_CHOICES, _METADATA))
    with _only_oserror(f"cannot write image as {FORMAT}"):
        data = encode(from_pillow(image, **instead), **choices)
    stream.write(data)


def _save_all(image: Image.Image, stream: IO[bytes], filename: str | bytes) -> None:
    """`_save` for a single image.

    Raises:
        OSError: there are several images.
    """
    frames = getattr(image, "n_frames", 1) + len(list(image.encoderinfo.get("append_images") or ()))
    if frames != 1:
        raise OSError(f"cannot write image as {FORMAT}: it has {frames} frames, a {SUFFIX} file holds one image")
    _save(image, stream, filename)


def register() -> None:
    """Register the format with Pillow."""
    Image.register_open(FORMAT, _open, _accept)
    Image.register_save(FORMAT, _save)
    Image.register_save_all(FORMAT, _save_all)
    Image.register_extension(FORMAT, SUFFIX)
    Image.register_mime(FORMAT, MIME)
