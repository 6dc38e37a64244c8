"""Names of images and of `.pxz` files, and their conversion."""

from pixzip.io.streams import STANDARD

SUFFIX = ".pxz"
#: Suffixes of files in a folder that are images: every format that `pixzip.image` reads except JPEG, whose
#: losslessly coded pixels are larger than the file.
IMAGE_SUFFIXES = frozenset(
    {".png", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".pam", ".bmp", ".dib", ".webp"}
    | {".gif", ".tga", ".pcx", ".sgi", ".qoi"}
)


def pxz_name(name: str) -> str:
    """photo.png -> photo.png.pxz"""
    return STANDARD if name == STANDARD else name + SUFFIX


def image_name(name: str) -> str:
    """photo.png.pxz -> photo.png, photo.webp.pxz -> photo.webp.png, photo.pxz -> photo.png"""
    if name == STANDARD:
        return STANDARD
    stem = name.removesuffix(SUFFIX)
    return stem if stem.lower().endswith(".png") else stem + ".png"


def pages_name(name: str, suffix: str) -> str:
    """The name of the file of several pages: scan.tif.pxz -> scan.tif, scan.pxz -> scan.tif

    Args:
        suffix: suffix of such files.
    """
    stem = name.removesuffix(SUFFIX)
    known = {suffix, ".tiff"} if suffix == ".tif" else {suffix}
    return stem if stem.lower().endswith(tuple(known)) else stem + suffix


def is_folder(out: str | None) -> bool:
    """Whether the value of `-o` can only be a folder."""
    return out is not None and out.endswith("/")


def folder_name(name: str) -> str:
    """images.pxz -> images"""
    return STANDARD if name == STANDARD else name.removesuffix(SUFFIX)
