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


def pxz_name(name: str) -> str:
    """photo.png -> photo.png.pxz"""
    return STANDARD if name == STANDARD else name + SUFFIX


def image_name(name: str) -> str:
    """photo.png.pxz -> photo.png, photo.webp.pxz -> photo.webp.png, photo.pxz -> photo.png"""
    if name == STANDARD:
        return STANDARD
    stem = name.removesuffix(SUFFIX)
    return stem if stem.lower().endswith(".png") else stem + ".png"


def jpeg_name(name: str) -> str:
    """For a file that keeps a JPEG: photo.jpg.pxz and photo.pxz -> photo.jpg, photo.png.pxz -> photo.png.jpg"""
    if name == STANDARD:
        return STANDARD
    stem = name.removesuffix(SUFFIX)
    return stem if stem.lower().endswith(tuple(JPEG_SUFFIXES)) else stem + ".jpg"


def folder_name(name: str) -> str:
    """images.pxz -> images"""
    return STANDARD if name == STANDARD else name.removesuffix(SUFFIX)
