"""Files that are kept as they are: a JPEG to a `.pxz` file, and back byte for byte (`docs/format.md`, section 15)."""

import zlib

from pixcodecs.container import kept as container
from pixcodecs.container.image import Buffer
from pixcodecs.container.kept import Content, KeptHeader, Method
from pixcodecs.container.kept import is_kept as is_kept
from pixcodecs.container.limits import MAX_PIXELS
from pixcodecs.errors import BitstreamError, PixzipError
from pixcodecs.primitives import deflate, inflate

from pixzip.codec.kept import jpeg_xl
from pixzip.codec.kept.segments import size as size


def is_jpeg(head: bytes) -> bool:
    """Whether a file that starts like this is kept as it is."""
    return head.startswith(Content.JPEG.start)


def keep(data: bytes, max_pixels: int | None = MAX_PIXELS) -> bytes:
    """The smallest `.pxz` file that gives back a JPEG byte for byte, which is verified.

    Args:
        data: any bytes that start like a JPEG, whatever follows.
        max_pixels: pixels that readers accept; larger images are not recompressed.  None for no limit.
    Returns:
        At most 24 bytes more than `data`.
    Raises:
        ValueError: the data does not start like a JPEG.
    """
    bodies = {Method.STORED: data, Method.DEFLATE: deflate(data), Method.JPEG_XL: jpeg_xl.encode(data, max_pixels)}
    made = [container.pack(method, Content.JPEG, data, body) for method, body in bodies.items() if body is not None]
    stored, *others = made
    for file in sorted(others, key=len):
        if len(file) < len(stored) and _gives(file, data, max_pixels):
            return file
    return stored


def _gives(file: bytes, data: bytes, max_pixels: int | None) -> bool:
    try:
        return restore(file, max_pixels) == data
    except PixzipError:
        return False


def restore(file: Buffer, max_pixels: int | None = MAX_PIXELS) -> bytes:
    """The file that `keep` was given, byte for byte, after a check of its digest.

    Args:
        max_pixels: refuse streams of more pixels, and files out of proportion; None lifts the limits.
    Raises:
        BitstreamError: the file is damaged, truncated, foreign or hostile.
    """
    header = container.read_header(file, limited=max_pixels is not None)
    body = container.body(file, header)
    if header.method is Method.STORED:
        found = body
    elif header.method is Method.DEFLATE:
        found = inflate(body, header.length, "bytes of the kept file")
    else:
        found = jpeg_xl.decode(body, header.length, max_pixels)
    header.check(found)
    return found


def check(file: Buffer) -> KeptHeader:
    """The header of a file whose body is not damaged; it is not decoded.

    Raises:
        BitstreamError: header or body are damaged.
    """
    header = container.read_header(file, limited=False)
    container.body(file, header)
    return header


def salvage(file: Buffer, max_pixels: int | None = MAX_PIXELS) -> tuple[bytes, str]:
    """What is left of a kept file, and the reason why it is not the whole; "" if it is.

    Raises:
        BitstreamError: nothing can be recovered, because the header is damaged, or a stream that has no parts.
    """
    try:
        return restore(file, max_pixels), ""
    except BitstreamError as e:
        header = container.read_header(file, limited=max_pixels is not None)
        if header.method is Method.JPEG_XL:
            raise BitstreamError(f"{e}; JPEG XL has no parts: nothing can be recovered") from None
        body = file[header.size_bytes :]
        found = body[: header.length] if header.method is Method.STORED else _inflated(body, header.length)
        if not found:
            raise BitstreamError(f"{e}: nothing can be recovered") from None
        return found, str(e)


def _inflated(data: bytes, limit: int) -> bytes:
    """What can be inflated before the damage."""
    coder, out = zlib.decompressobj(-15), b""
    try:
        for at in range(0, len(data), 64):
            out += coder.decompress(data[at : at + 64], max(1, limit - len(out)))
    except zlib.error:
        pass
    return out[:limit]
