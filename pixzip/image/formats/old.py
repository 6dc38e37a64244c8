"""Further read-only formats that Pillow reads without loss."""

from pixzip.image.formats.pillow import PillowFormat

GIF = PillowFormat("GIF", {".gif"}, b"GIF87a", b"GIF89a")
#: TGA has no signature, so any file may be one until Pillow parses its header.
TGA = PillowFormat("TGA", {".tga"}, b"")
PCX = PillowFormat("PCX", {".pcx"}, *(b"\x0a" + bytes([version]) for version in (0, 2, 3, 5)))
SGI = PillowFormat("SGI", {".sgi"}, b"\x01\xda")
QOI = PillowFormat("QOI", {".qoi"}, b"qoif")
