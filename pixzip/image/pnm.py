"""PBM, PGM, PPM and PAM files <-> pictures, of any depth to 16 bits, by netpbmfile.

netpbmfile looks for the header with patterns that a hostile one keeps busy for ever, so it is shown a
plain one, made of the same numbers.
"""

import io
import re

import netpbmfile
from pixcodecs.errors import UnsupportedImageError

from pixzip.image.loaded import Loaded, check_frames, check_size
from pixzip.picture import Layout, Picture, sample_dtype

_MOST_HEADER_BYTES = 4096
_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
_NUMBER = rb"(\d{1,10})"
_PNM = re.compile(rb"P[1-6]" + _GAP + _NUMBER + _GAP + _NUMBER)
_MAXVAL = re.compile(_GAP + _NUMBER)
_KINDS = {
    ("BLACKANDWHITE", 1): Layout.GREY,
    ("BLACKANDWHITE_ALPHA", 2): Layout.GREY_ALPHA,
    ("GRAYSCALE", 1): Layout.GREY,
    ("GRAYSCALE_ALPHA", 2): Layout.GREY_ALPHA,
    ("RGB", 3): Layout.RGB,
    ("RGB_ALPHA", 4): Layout.RGBA,
}


def is_pnm(data: bytes) -> bool:
    return re.match(rb"P[1-7][\s#]", data) is not None


def read(data: bytes, max_pixels: int | None) -> Loaded:
    """The picture in a Netpbm file.

    Raises:
        UnsupportedImageError: several images, too large, or values that fill no number of bits.
        Exception: whatever netpbmfile raises on a damaged file.
    """
    head, at = _pam_header(data) if data[:2] == b"P7" else _pnm_header(data)
    with netpbmfile.NetpbmFile(io.BytesIO(head + data[at:])) as file:
        check_size(file.width, file.height, max_pixels)
        check_frames(file.frames)
        depth = file.maxval.bit_length()
        layout = _KINDS.get((file.tupltype, file.depth))
        if layout is None:
            raise UnsupportedImageError(f"PAM holds {file.depth} channels of {file.tupltype or 'an unknown kind'}")
        if depth > 16 or file.maxval != 2**depth - 1:
            raise UnsupportedImageError(f"samples go up to {file.maxval}, expected 1, 3, 7, ... or 65535")
        values = file.asarray()
        black_is_one = file.magicnumber in ("P1", "P4")
    samples = values.reshape(file.height, file.width, layout.channels).astype(sample_dtype(depth))
    if black_is_one:
        samples = 1 - samples
    return Loaded(Picture(samples, layout, depth), [])


def _pnm_header(data: bytes) -> tuple[bytes, int]:
    """A header without comments, and where the samples start."""
    found = _PNM.match(data, 0, _MOST_HEADER_BYTES)
    numbers = [*found.groups()] if found else []
    if found and data[1:2] not in b"14":
        found = _MAXVAL.match(data, found.end(), _MOST_HEADER_BYTES)
        numbers += found.groups() if found else []
    if not found or not data[found.end() : found.end() + 1].isspace():
        raise UnsupportedImageError("PNM header is damaged")
    return data[:2] + b"\n" + b" ".join(numbers) + b"\n", found.end() + 1


def _pam_header(data: bytes) -> tuple[bytes, int]:
    found = re.search(rb"[\r\n]ENDHDR[\r\n]", data[:_MOST_HEADER_BYTES])
    if not found:
        raise UnsupportedImageError("PAM header is damaged")
    lines = re.split(rb"[\r\n]+", data[: found.end()])
    words = [b" ".join(line.split()) for line in lines if not line.startswith(b"#")]
    return b"\n".join(line for line in words if line) + b"\n", found.end()


def write(picture: Picture, magic: str) -> bytes:
    """A PGM ("P5"), PPM ("P6") or PAM ("P7") file with samples up to 2**depth - 1."""
    samples = picture.samples[..., 0] if picture.layout is Layout.GREY else picture.samples
    out = io.BytesIO()
    netpbmfile.imwrite(out, samples, magicnumber=magic, maxval=2**picture.depth - 1)  # type: ignore[arg-type]
    return out.getvalue()
