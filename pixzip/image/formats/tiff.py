"""TIFF files, of any depth up to 16 bits, read and written by tifffile and imagecodecs."""

import io
import os
from collections.abc import Iterable
from typing import Any, BinaryIO

import tifffile

from pixzip.image.formats import exif, tiff_many, tiff_rows, tiff_tags
from pixzip.image.formats.account import Account
from pixzip.image.formats.base import ALL_DEPTHS, Format, Loaded, Opened, Sink
from pixzip.image.formats.metadata import from_chunks
from pixzip.image.formats.tiff_pages import JPEG, METADATA, SIGNATURES, describe, heard, options, samples_of
from pixzip.image.pages import Kind, LoadedPages, Pages
from pixzip.image.picture import Chunk, Frame, Picture


class Tiff(Format):
    """TIFF holds every picture without a transparent colour.

    Palettes are written with 8 bits.  Other depths that are no whole byte are written uncompressed.
    """

    name = "TIFF"
    suffixes = frozenset({".tif", ".tiff"})
    depths = ALL_DEPTHS
    metadata = METADATA
    keeps_texts = True
    pages_kind = Kind.TIFF

    def accepts(self, head: bytes) -> bool:
        return head.startswith(SIGNATURES)

    def read(self, data: bytes, max_pixels: int | None) -> Loaded:
        """The picture in a TIFF file.

        Raises:
            UnsupportedImageError: several pages, too large, damaged, or samples that a picture cannot hold.
            Exception: any error of tifffile on a damaged file.
        """
        source = io.BytesIO(data)
        with heard() as complaints, tifffile.TiffFile(source) as file:
            page, frame, dropped = describe(file, source, max_pixels)
            samples = samples_of(page, frame)
            complaints.check()
        layout, depth = frame.layout, frame.depth
        return Loaded(Picture(samples, layout, depth, frame.palette, metadata=frame.metadata), dropped)

    def has_pages(self, file: BinaryIO) -> bool:
        return tiff_many.has_pages(file)

    def read_pages(self, data: bytes, max_pixels: int | None) -> LoadedPages | None:
        return tiff_many.read(data, max_pixels)

    def write_pages(self, pages: Pages) -> bytes:
        return tiff_many.write(pages)

    def account(self, file: BinaryIO) -> Account:
        return tiff_tags.account(file)

    def open_rows(self, file: BinaryIO, max_pixels: int | None) -> Opened | None:
        return tiff_rows.open_rows(file, max_pixels)

    def lossy_kind(self, file: BinaryIO) -> str:
        with heard(), tifffile.TiffFile(file) as parsed:
            page: Any = parsed.pages.first
            return "a TIFF with JPEG inside" if page.compression == JPEG else ""

    def write(self, picture: Picture) -> bytes:
        out = io.BytesIO()
        samples = picture.samples
        tifffile.imwrite(out, samples[..., 0] if samples.shape[2] == 1 else samples, **options(picture.frame))
        end = out.seek(0, os.SEEK_END)
        behind = tiff_tags.place(tiff_rows.tags_of(picture.frame), out, end + end % 2)
        out.write(bytes(end % 2 if behind else 0) + behind)
        return out.getvalue()

    def lost(self, chunks: Iterable[Chunk]) -> list[str]:
        found = [*chunks]
        block = from_chunks(found, {"exif"})[0].exif
        names = set(super().lost(found))
        if block and not exif.first_tags(block)[0]:
            names.add("eXIf")
        elif exif.has_more(block):
            names.add("thumbnail of eXIf")
        return sorted(names)

    def create_rows(self, stream: BinaryIO, frame: Frame) -> Sink | None:
        return tiff_rows.TiffRowWriter(stream, frame) if stream.seekable() else None


TIFF = Tiff()
