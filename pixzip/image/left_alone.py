"""Image files in a folder that are not compressed: which they are, and why, so that none is passed over in silence."""

import os
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

from pixzip.image import formats
from pixzip.image.formats.base import Format

_HEAD_BYTES = 32
LARGER = "their pixels, coded without loss, would take more room"
NOT_READ = "pixzip does not read them"
OTHER_NAME = "their names do not end like those of images: one that is named itself is taken"


class Left(NamedTuple):
    """A file that is left alone: its kind, as it stands before "file" or "files", and the reason, of several files."""

    kind: str
    why: str


class _Kind(NamedTuple):
    """Files of a format that is not read; signatures are (offset, bytes)."""

    name: str
    suffixes: frozenset[str]
    signatures: tuple[tuple[int, bytes], ...]
    why: str = NOT_READ


def _brands(*names: bytes) -> tuple[tuple[int, bytes], ...]:
    """The signatures of files in ISO's base media format with these brands."""
    return tuple((4, b"ftyp" + name) for name in names)


_RAW = (
    ".3fr .ari .arw .bay .cap .cr2 .cr3 .crw .dcr .dcs .dng .drf .eip .erf .fff .gpr .iiq .k25 .kdc .mdc .mef .mos "
    ".mrw .nef .nrw .orf .pef .ptx .raf .raw .rw2 .rwl .rwz .sr2 .srf .srw .x3f"
)
_KINDS = (
    _Kind("JPEG XL", frozenset({".jxl"}), ((0, b"\xff\x0a"), (0, b"\0\0\0\x0cJXL \x0d\x0a\x87\x0a")), LARGER),
    _Kind("AVIF", frozenset({".avif", ".avifs"}), _brands(b"avif", b"avis"), LARGER),
    _Kind(
        "HEIC", frozenset({".heic", ".heif", ".heics", ".heifs", ".hif"}),
        _brands(b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"), LARGER,
    ),
    _Kind(
        "raw camera", frozenset(_RAW.split()),
        (*_brands(b"crx "), (0, b"FUJIFILMCCD-RAW"), (0, b"IIRO"), (0, b"IIRS"), (0, b"MMOR"), (0, b"IIU\0"),
         (0, b"FOVb"), (0, b"\0MRM")),
    ),
    _Kind(
        "JPEG 2000", frozenset({".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".jpm", ".jph", ".jhc"}),
        ((0, b"\0\0\0\x0cjP  \x0d\x0a\x87\x0a"), (0, b"\xff\x4f\xff\x51")),
    ),
    _Kind("JPEG-LS", frozenset({".jls"}), ((0, b"\xff\xd8\xff\xf7"),)),
    _Kind("JPEG XR", frozenset({".jxr", ".wdp", ".hdp"}), ((0, b"II\xbc\1"),)),
    _Kind("OpenEXR", frozenset({".exr"}), ((0, b"\x76\x2f\x31\x01"),)),
    _Kind("Radiance", frozenset({".hdr"}), ((0, b"#?RADIANCE"), (0, b"#?RGBE"))),
    _Kind("PFM", frozenset({".pfm"}), ()),
    _Kind("Photoshop", frozenset({".psd", ".psb"}), ((0, b"8BPS"),)),
    _Kind("GIMP", frozenset({".xcf"}), ((0, b"gimp xcf"),)),
    _Kind("DirectDraw", frozenset({".dds"}), ((0, b"DDS \x7c\0\0\0"),)),
    _Kind("icon", frozenset({".ico", ".cur", ".icns"}), ((0, b"icns"),)),
    _Kind("FITS", frozenset({".fits", ".fit", ".fts"}), ((0, b"SIMPLE  ="),)),
    _Kind("DICOM", frozenset({".dcm"}), ()),
    _Kind("FLIF", frozenset({".flif"}), ((0, b"FLIF"),)),
    _Kind("BPG", frozenset({".bpg"}), ((0, b"BPG\xfb"),)),
    _Kind("MNG", frozenset({".mng", ".jng"}), ((0, b"\x8aMNG"), (0, b"\x8bJNG"))),
    _Kind("Sun raster", frozenset({".ras"}), ((0, b"\x59\xa6\x6a\x95"),)),
    _Kind("X pixmap", frozenset({".xpm", ".xbm"}), ((0, b"/* XPM */"),)),
)  # fmt: skip
#: Formats that are read and have signatures that no other file begins with.
_TELLING = ("PNG", "TIFF", "WEBP", "JPEG", "GIF", "QOI")
_NAMES = {"WEBP": "WebP"}


def left_alone(name: str, opened: Callable[[], BinaryIO]) -> Left | None:
    """Why a file in a folder is not compressed; None for one that is, and for one that is no image as far as one sees.

    Args:
        name: of a regular file.
        opened: opens it, to read its first bytes; called if the name does not tell what the file is.
    """
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 (a million calls)
    form = next((form for form in formats.FORMATS if suffix in form.suffixes), None)
    if form:
        return _lossy(form, opened) if form.sometimes_lossy else None
    if kind := next((kind for kind in _KINDS if suffix in kind.suffixes), None):
        return Left(kind.name, kind.why)
    head = _head(opened)
    for kind in _KINDS:
        if any(head[at:].startswith(start) for at, start in kind.signatures):
            return Left(kind.name, kind.why)
    inside = next((f for f in formats.FORMATS if f.name in _TELLING and head and f.accepts(head)), None)
    if inside is None:
        return None
    return Left(_name(inside), OTHER_NAME)


def is_opened(name: str) -> bool:
    """Whether `left_alone` opens a file of this name."""
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 (a million calls)
    form = next((form for form in formats.FORMATS if suffix in form.suffixes), None)
    return form.sometimes_lossy if form else not any(suffix in kind.suffixes for kind in _KINDS)


def _name(form: Format) -> str:
    return _NAMES.get(form.name, form.name)


def _lossy(form: Format, opened: Callable[[], BinaryIO]) -> Left | None:
    try:
        with opened() as file:
            if form.accepts(file.read(_HEAD_BYTES)):
                file.seek(0)
                return Left(f"lossy {_name(form)}", LARGER) if form.lossy_kind(file) else None
    except OSError:
        pass  # taken, so that reading it fails
    return None


def _head(opened: Callable[[], BinaryIO]) -> bytes:
    """The first bytes of a file; none if it cannot be read."""
    try:
        with opened() as file:
            return file.read(_HEAD_BYTES)
    except OSError:
        return b""
