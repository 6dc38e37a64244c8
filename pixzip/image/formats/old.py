"""A few more formats that Pillow reads without loss, and that are not written."""

from pixzip.image.formats.pillow import PillowFormat

GIF = PillowFormat("GIF", {".gif"}, b"GIF87a", b"GIF89a")
#: It has no signature: any file may be one, until Pillow has looked at its header.
TGA = PillowFormat("TGA", {".tga"}, b"")
PCX = PillowFormat("PCX", {".pcx"}, *(b"\x0a" + bytes([version]) for version in (0, 2, 3, 5)))
SGI = PillowFormat("SGI", {".sgi"}, b"\x01\xda")
QOI = PillowFormat("QOI", {".qoi"}, b"qoif")
