"""`.pxz` files in Pillow: `import pixzip` makes `Image.open("x.pxz")` and `image.save("x.pxz")` work.

An open image has its mode, size and `info` at once; its pixels are decoded at first access.  A file that keeps a JPEG
opens as this JPEG.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from PIL import Image, ImageFile, JpegImagePlugin

FORMAT = "PXZ"
SUFFIX = ".pxz"
MIME = "image/x-pxz"
_SIGNATURE = b"\x89PX"
#: Size that most headers do not exceed; for longer ones, the size is doubled until the header fits.
_HEAD_BYTES = 1 << 12
#: Arguments of `Image.save` for the encoder, and arguments that replace entries of `info`.
_CHOICES = ("model", "device", "effort")
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

    def _open(self) -> None:
        from pixzip.image import pillow_images
        from pixzip.image.picture import frame_of

        assert self.fp is not None  # typed as optional for closed images
        with _only_oserror(f"not a {SUFFIX} file that can be shown"):
            self._frame = frame_of(_read_header(self.fp))
            shown = pillow_images.head(self._frame)
        self._mode, self._size, self.info, self.palette = shown.mode, shown.size, shown.info, shown.palette
        self._pending = True

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
            if self.fp and self._exclusive_fp:
                self.fp.close()
            self.fp = None
        return super().load()

    def _decoded(self) -> Image.Image:
        from pixzip import codec
        from pixzip.api import Codec
        from pixzip.image import pillow_images

        options, file = Codec(max_pixels=Image.MAX_IMAGE_PIXELS).options, self._file()
        with _only_oserror(f"cannot decode the {SUFFIX} file"):
            opening = codec.Opening(file, options.max_pixels)
            opening.check_blocks()
            if opening.frame != self._frame:
                raise OSError(f"the {SUFFIX} file has changed since it was opened")
            image, top = Image.new(self.mode, self.size), 0
            for rows in codec.decompress_parts(opening, options):
                pixels, rawmode = pillow_images.raw(rows, opening.frame)
                image.paste(Image.frombytes(self.mode, (image.width, len(rows)), pixels, "raw", rawmode), (0, top))
                top += len(rows)
        return image


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
        jpeg = kept.restore(stream.read(), Image.MAX_IMAGE_PIXELS)
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
