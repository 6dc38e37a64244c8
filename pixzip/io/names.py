"""Names of images and of `.pxz` files, and their conversion."""

from pixzip.io.streams import STANDARD

SUFFIX = ".pxz"
#: Suffixes of JPEG files, which are kept as they are.
JPEG_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"})
#: Suffixes of files in a folder that are images: every format that `pixzip.image` reads.
IMAGE_SUFFIXES = frozenset(
    {".png", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".pam", ".bmp", ".dib", ".webp"}
    | {".gif", ".tga", ".pcx", ".sgi", ".qoi"}
    | JPEG_SUFFIXES
)


def _stem(name: str) -> str:
    """photo.png.pxz -> photo.png, PHOTO.PNG.PXZ -> PHOTO.PNG"""
    return name[: -len(SUFFIX)] if name.lower().endswith(SUFFIX) else name


def pxz_name(name: str) -> str:
    """photo.png -> photo.png.pxz"""
    return STANDARD if name == STANDARD else name + SUFFIX


def image_name(name: str, suffixes: tuple[str, ...] = (".png",)) -> str:
    """photo.png.pxz -> photo.png, photo.webp.pxz -> photo.webp.png, photo.pxz -> photo.png

    Args:
        suffixes: those that an image may keep; others get the first of these.
    """
    if name == STANDARD:
        return STANDARD
    stem = _stem(name)
    return stem if stem.lower().endswith(suffixes) else stem + suffixes[0]


def jpeg_name(name: str) -> str:
    """For a file that keeps a JPEG: photo.jpg.pxz and photo.pxz -> photo.jpg, photo.png.pxz -> photo.png.jpg"""
    if name == STANDARD:
        return STANDARD
    stem = _stem(name)
    return stem if stem.lower().endswith(tuple(JPEG_SUFFIXES)) else stem + ".jpg"


def pages_name(name: str, suffix: str) -> str:
    """The name of the file of several pages: scan.tif.pxz -> scan.tif, scan.pxz -> scan.tif

    Args:
        suffix: suffix of such files.
    """
    stem = _stem(name)
    known = {suffix, ".tiff"} if suffix == ".tif" else {suffix}
    return stem if stem.lower().endswith(tuple(known)) else stem + suffix


def is_folder(out: str | None) -> bool:
    """Whether the value of `-o` can only be a folder."""
    return out is not None and out.endswith("/")


def folder_name(name: str) -> str:
    """images.pxz -> images"""
    return STANDARD if name == STANDARD else _stem(name)
