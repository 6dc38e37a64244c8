"""The work of `pixzip thumbnail`."""

import io
import time

from PIL import Image
from pixcodecs.container import signature
from pixcodecs.errors import PixzipError

from pixzip import codec
from pixzip.cli.errors import naming
from pixzip.cli.options import Manner
from pixzip.cli.work.shared import say_written
from pixzip.cli.work.threads import set_threads
from pixzip.image.colours import in_8_bits
from pixzip.io import files, streams


def thumbnail(packed: str, out: str, size: int, *, max_pixels: int | None, manner: Manner) -> None:
    """Write a PNG whose sides are at most `size`.

    Args:
        manner: only `force`, `verbose` and `threads` are used.
    Raises:
        PixzipError, OSError: the file cannot be read or decoded, is a stack, or the PNG cannot be written.
    """
    began = time.perf_counter()
    set_threads(manner.threads)
    files.check_writable(out, manner.force)
    with naming(packed), streams.Input(packed) as source:
        data = source.pxz()
        if signature.is_stack(data):
            raise PixzipError("a stack of images has no thumbnail")
        options = codec.Options.decoding("cpu", max_pixels=max_pixels)
        (picture,) = codec.decompress([codec.opened(data, options.max_pixels, streams.folder_of(packed))], options)
    small = Image.fromarray(in_8_bits(picture))
    small.thumbnail((size, size), Image.Resampling.LANCZOS, reducing_gap=3.0)
    png = io.BytesIO()
    small.save(png, "PNG")
    files.write(out, png.getvalue(), manner.force, source.stat, dated=False)
    say_written(manner, packed, out, png.getvalue(), began)
