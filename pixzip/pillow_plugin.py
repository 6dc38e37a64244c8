"""`.pxz` files in Pillow: `import pixzip` makes `Image.open("x.pxz")` and `image.save("x.pxz")` work.

An image shows its mode, size and `info` as soon as it is open; its pixels are decoded when they are asked for.
"""

import io
import mmap
from typing import IO, Any

from PIL import Image, ImageFile

FORMAT = "PXZ"
SUFFIX = ".pxz"
MIME = "image/x-pxz"
_SIGNATURE = b"\x89PX"


class PxzImageFile(ImageFile.ImageFile):
    """One `.pxz` file."""

    format = FORMAT
    format_description = "pixzip lossless image"

    def _open(self) -> None:
        from pixcodecs import container
        from pixcodecs.errors import PixzipError

        from pixzip.image import pillow_images
        from pixzip.picture import frame_of

        assert self.fp is not None  # Pillow's type has it so for images that were closed
        self._file: bytes | mmap.mmap | None = _buffer(self.fp)
        try:
            shown = pillow_images.head(frame_of(container.read_header(self._file, None)))
        except PixzipError as e:
            raise OSError(f"not a .pxz file that can be shown: {e}") from e
        self._mode, self._size, self.info, self.palette = shown.mode, shown.size, shown.info, shown.palette

    def load(self) -> Any:
        """Decode the pixels, once.

        Raises:
            OSError: they cannot be decoded.
        """
        if self._file is not None:
            from pixcodecs.errors import PixzipError

            from pixzip.api import Codec
            from pixzip.image import pillow_images

            try:
                (picture,) = Codec(max_pixels=None).decode_pictures([self._file])
            except PixzipError as e:
                raise OSError(f"cannot decode the .pxz file: {e}") from e
            pixels, rawmode = pillow_images.raw(picture)
            self._file = None
            if self.fp and self._exclusive_fp:
                self.fp.close()
            self.fp = io.BytesIO(pixels)
            self.tile = [ImageFile._Tile("raw", (0, 0, *self.size), 0, rawmode)]
        return super().load()


def _buffer(stream: IO[bytes]) -> bytes | mmap.mmap:
    """A file, as a map where that can be: of one whose pixels nobody asks for only the header is read."""
    try:
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError, AttributeError):  # a stream in memory, or an empty file
        return stream.read()


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(_SIGNATURE)


def _save(image: Image.Image, stream: IO[bytes], filename: str | bytes) -> None:
    """`image.save(path, model="base", device="auto", icc_profile=..., exif=..., xmp=..., dpi=...)`"""
    from pixcodecs.errors import PixzipError

    from pixzip.api import encode
    from pixzip.image.pillow_images import from_pillow

    options = dict(image.encoderinfo)
    choices = {name: options.pop(name) for name in ("model", "device") if name in options}
    try:
        data = encode(from_pillow(image, **options), **choices)
    except PixzipError as e:
        raise OSError(f"cannot write image as {FORMAT}: {e}") from e
    stream.write(data)


def register() -> None:
    """Tell Pillow of the format."""
    Image.register_open(FORMAT, PxzImageFile, _accept)
    Image.register_save(FORMAT, _save)
    Image.register_extension(FORMAT, SUFFIX)
    Image.register_mime(FORMAT, MIME)
