"""Lossless codecs behind one interface: convert a picture to the bytes of a file and back.

Each has an id, as in numcodecs [1]: `png`, `jxl-e9`, `pixzip-e5`.  All get the same samples, and the number of
used bits if they support it.  A codec reports pictures that it cannot hold before anything is tried.

[1] https://numcodecs.readthedocs.io
"""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
from PIL import Image
from pixcodecs.errors import PixzipError

from pixzip import api
from pixzip import codec as pxz
from pixzip.codec import efforts
from pixzip.image.formats import libpng
from pixzip.image.formats.webp import WEBP_MAX_SIDE
from pixzip.image.picture import Picture, Samples
from pixzip.models import library

#: Codec to which speeds and sizes are given as ratios, if it is measured.
REFERENCE = "jxl-e9"
#: Prefix of the ids of pixzip's own models, before the name or path.
OURS = "pixzip"
ALL = "all"


def _holds_all(picture: Picture) -> str:
    return ""


@dataclass(frozen=True)
class MeasuredCodec:
    """Converts one picture to one file and back.

    Attributes:
        codec_id, name: id on the command line, and name for readers.
        settings: settings of the library.
        encode: picture without palette or transparent colour -> file.
        decode: file -> (H, W) or (H, W, C), uint8 or uint16.
        lacks: picture -> reason why the codec cannot hold it; empty if it can.
        prepare: codes a picture by what the codec loads or compiles when it is first needed.
    """

    codec_id: str
    name: str
    settings: str
    encode: Callable[[Picture], bytes]
    decode: Callable[[bytes], Samples]
    lacks: Callable[[Picture], str] = _holds_all
    prepare: Callable[[Picture], None] = lambda picture: None

    @property
    def ours(self) -> bool:
        return self.codec_id.startswith(OURS)


def _save(picture: Picture, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pxz.as_array(picture)).save(out, form, **options)
    return out.getvalue()


def _open(data: bytes) -> Samples:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def _more_than_8_bits(picture: Picture) -> str:
    return "has no more than 8 bits a sample" if picture.depth > 8 else ""


def png() -> MeasuredCodec:
    """PNG with libpng's filters and the slowest deflate."""

    def encode(picture: Picture) -> bytes:
        if picture.depth > 8:  # Pillow has no 16-bit colours
            return libpng.encode(picture.samples, level=9)
        return _save(picture, "PNG", optimize=True)

    return MeasuredCodec(
        "png", "PNG", "Pillow, optimised; imagecodecs, level 9, of 16 bits", encode, imagecodecs.png_decode
    )


def webp() -> MeasuredCodec:
    """WebP with libwebp's slowest setting; grey becomes equal R, G and B, at no cost."""

    def lacks(picture: Picture) -> str:
        if max(picture.width, picture.height) > WEBP_MAX_SIDE:
            return f"has no more than {WEBP_MAX_SIDE} pixels a side"
        return _more_than_8_bits(picture)

    encode = partial(_save, form="WEBP", lossless=True, exact=True, method=6, quality=100)
    return MeasuredCodec("webp", "WebP", "lossless, method 6, quality 100", encode, _open, lacks)


def jpeg_xl(effort: int, threads: int) -> MeasuredCodec:
    """JPEG XL by libjxl, which uses at least 9 bits for two-byte samples."""

    def encode(picture: Picture) -> bytes:
        array, bits = pxz.as_array(picture), max(9, picture.depth) if picture.depth > 8 else None
        options: dict[str, Any] = {"effort": effort, "bitspersample": bits, "numthreads": threads}
        return bytes(imagecodecs.jpegxl_encode(array, lossless=True, **options))

    def decode(data: bytes) -> Samples:
        found: Samples = imagecodecs.jpegxl_decode(data, numthreads=threads)
        return found

    return MeasuredCodec(f"jxl-e{effort}", f"JPEG XL e{effort}", f"lossless, effort {effort}", encode, decode)


def jpeg_ls() -> MeasuredCodec:
    """JPEG-LS by CharLS."""

    def lacks(picture: Picture) -> str:
        return "has no grey with alpha" if picture.layout.channels == 2 else ""

    def encode(picture: Picture) -> bytes:
        array = pxz.as_array(picture)
        room = 4 * array.nbytes + 4096  # a sample of 8 or 16 bits takes at most 32 or 64
        return bytes(imagecodecs.jpegls_encode(array, out=room))

    return MeasuredCodec("jpegls", "JPEG-LS", "lossless", encode, imagecodecs.jpegls_decode, lacks)


def jpeg_2000(threads: int) -> MeasuredCodec:
    """JPEG 2000 by OpenJPEG, with the reversible wavelet and colour transform."""

    def encode(picture: Picture) -> bytes:
        array = pxz.as_array(picture)
        bits = picture.depth
        return bytes(imagecodecs.jpeg2k_encode(array, 0, reversible=True, bitspersample=bits, numthreads=threads))

    def decode(data: bytes) -> Samples:
        found: Samples = imagecodecs.jpeg2k_decode(data, numthreads=threads)
        return found

    return MeasuredCodec("jpeg2000", "JPEG 2000", "reversible", encode, decode)


def avif(threads: int) -> MeasuredCodec:
    """AVIF by libavif, 4:4:4 without a colour transform."""

    def lacks(picture: Picture) -> str:
        return "" if picture.depth in (8, 10, 12) else "has 8, 10 or 12 bits a sample"

    def encode(picture: Picture) -> bytes:
        array, bits = pxz.as_array(picture), picture.depth
        return bytes(imagecodecs.avif_encode(array, 100, speed=6, bitspersample=bits, numthreads=threads))

    def decode(data: bytes) -> Samples:
        found: Samples = imagecodecs.avif_decode(data, numthreads=threads)
        return found

    return MeasuredCodec("avif", "AVIF", "lossless, speed 6", encode, decode, lacks)


def qoi() -> MeasuredCodec:
    """QOI by the reference encoder, or by Pillow."""

    def lacks(picture: Picture) -> str:
        return "has RGB and RGBA alone" if picture.layout.channels < 3 else _more_than_8_bits(picture)

    def encode(picture: Picture) -> bytes:
        return bytes(imagecodecs.qoi_encode(picture.samples))

    if imagecodecs.QOI.available:
        return MeasuredCodec("qoi", "QOI", "imagecodecs", encode, imagecodecs.qoi_decode, lacks)
    return MeasuredCodec("qoi", "QOI", "Pillow", partial(_save, form="QOI"), _open, lacks)


def pixzip(model: str | None, effort: int | None = None, device: str = "cpu") -> MeasuredCodec:
    """pixzip with one of its models and at an effort, called with one picture at a time.

    Args:
        model: name of a model, or path of a weights file; None for that of the effort.
        effort: 1 to 9; None for the default.
    Raises:
        ModelMismatchError: there is no such model.
    """
    codec = api.Codec(model, device, max_pixels=None, effort=effort or efforts.DEFAULT_EFFORT)
    parts = [OURS, *([Path(model).stem] if model else []), *([f"e{effort}"] if effort else [])]
    named = model is None or model in library.known_paths()
    return _own("-".join(parts) if named else f"{OURS}:{model}", " ".join(parts), codec, codec.model)


def _own(codec_id: str, name: str, codec: api.Codec, model: str) -> MeasuredCodec:
    settings = f"model {library.find(model).model_id.hex()}, {codec.device}"

    def prepare(picture: Picture) -> None:
        by_model = replace(codec.options, models_only=True)
        pxz.decompress(pxz.compress([picture], by_model), by_model)

    return MeasuredCodec(codec_id, name, settings, codec.encode, codec.decode, prepare=prepare)


class _Known(NamedTuple):
    """The constructor of a codec, and whether the installed libraries support it."""

    make: Callable[[int, str], MeasuredCodec]  # threads, device
    installed: Callable[[], bool] = lambda: True


def _of_effort(effort: int, threads: int, device: str) -> MeasuredCodec:
    return pixzip(None, effort, device)


_KNOWN = {
    "png": _Known(lambda threads, device: png()),
    "webp": _Known(lambda threads, device: webp()),
    "jxl-e3": _Known(lambda threads, device: jpeg_xl(3, threads), lambda: imagecodecs.JPEGXL.available),
    "jxl-e7": _Known(lambda threads, device: jpeg_xl(7, threads), lambda: imagecodecs.JPEGXL.available),
    "jxl-e9": _Known(lambda threads, device: jpeg_xl(9, threads), lambda: imagecodecs.JPEGXL.available),
    "jpegls": _Known(lambda threads, device: jpeg_ls(), lambda: imagecodecs.JPEGLS.available),
    "jpeg2000": _Known(lambda threads, device: jpeg_2000(threads), lambda: imagecodecs.JPEG2K.available),
    "avif": _Known(lambda threads, device: avif(threads), lambda: imagecodecs.AVIF.available),
    "qoi": _Known(lambda threads, device: qoi()),
    **{f"{OURS}-e{effort}": _Known(partial(_of_effort, effort)) for effort in (1, 3, 5, 7)},
}


def known() -> dict[str, bool]:
    """Id of a codec -> whether it is installed."""
    return {codec_id: entry.installed() for codec_id, entry in _KNOWN.items()}


def own_of(codec_id: str) -> tuple[str | None, int | None] | None:
    """The model and the effort in one of pixzip's ids, each None if it is not there; None for other codecs.

    pixzip-eN, pixzip-NAME, pixzip-NAME-eN, pixzip:PATH.
    """
    if codec_id.startswith(f"{OURS}:"):
        return codec_id[len(OURS) + 1 :], None
    found = re.fullmatch(rf"{OURS}(?:-(?P<model>.+?))??(?:-e(?P<effort>[1-9]))?", codec_id)
    if not found or codec_id == OURS:
        return None
    return found["model"], int(found["effort"]) if found["effort"] else None


def model_of(codec_id: str) -> str:
    """The name or path of the model of one of pixzip's ids; empty for other codecs."""
    model, effort = own_of(codec_id) or ("", None)
    return efforts.EFFORTS[effort].model if model is None and effort else model or ""


def make(codec_id: str, threads: int, device: str = "cpu") -> MeasuredCodec:
    """
    Args:
        threads: number of threads for libjxl, OpenJPEG and libavif.
        device: device of pixzip's models, from `resolve_device`.
    Raises:
        PixzipError: there is no such codec, or it is not installed.
    """
    if codec_id not in _KNOWN and (own := own_of(codec_id)):
        return pixzip(*own, device)
    if codec_id not in _KNOWN:
        names = ", ".join(_KNOWN)
        raise PixzipError(
            f"no codec {codec_id!r}: there are {names}; pixzip-eN, pixzip-NAME-eN; and pixzip:PATH, a weights file"
        )
    if not _KNOWN[codec_id].installed():
        raise PixzipError(f"codec {codec_id} is not in this build of imagecodecs")
    return _KNOWN[codec_id].make(threads, device)


def select(names: Sequence[str], threads: int, device: str = "cpu") -> list[MeasuredCodec]:
    """The codecs of these names, without duplicates; `all` selects every installed codec.

    Raises:
        PixzipError: see `make`.
    """
    everything = [codec_id for codec_id, installed in known().items() if installed]
    ids = [codec_id for name in names for codec_id in (everything if name == ALL else [name])]
    codecs = [make(codec_id, threads, device) for codec_id in dict.fromkeys(ids)]
    return list({codec.codec_id: codec for codec in codecs}.values())
