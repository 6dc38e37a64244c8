"""TIFF files of several pages, with thumbnails: read page by page, and written by tifffile."""

import io
from typing import Any, BinaryIO

import tifffile
from pixcodecs.errors import UnsupportedImageError

from pixzip.image.formats import exif, tiff_tags
from pixzip.image.formats.ifd import SUB_IFDS, Source
from pixzip.image.formats.metadata import from_chunks
from pixzip.image.formats.tiff_pages import describe_page, heard, options, samples_of
from pixzip.image.pages import Kind, LoadedPages, Page, Pages
from pixzip.image.picture import Picture

#: Most pages that are looked at: tifffile reads the directories one after another.
_MOST_PAGES = 1 << 16


def has_pages(file: BinaryIO) -> bool:
    """Whether the first page of a file has a next one, or images within."""
    try:
        source = Source(file)
    except ValueError:
        return False
    first = source.directory(source.first)
    return first is not None and (bool(first.next) or any(entry.code == SUB_IFDS for entry in first.entries))


def read(data: bytes, max_pixels: int | None) -> LoadedPages | None:
    """The pages of a file, each with its thumbnails behind it; None if it has one image.

    Raises:
        UnsupportedImageError: too large, damaged, or samples that a picture cannot hold.
        Exception: any error of tifffile on a damaged file.
    """
    stream = io.BytesIO(data)
    with heard() as complaints, tifffile.TiffFile(stream) as file:
        every = listed(file)
        if len(every) < 2:
            return None
        pages, dropped, left = [], list[str](), max_pixels
        for number, (page, thumbnail) in enumerate(every, 1):
            try:
                frame, lost = describe_page(page, stream, left)
                picture = Picture(
                    samples_of(page, frame), frame.layout, frame.depth, frame.palette, metadata=frame.metadata
                )
            except UnsupportedImageError as e:
                raise UnsupportedImageError(f"page {number} of {len(every)}: {e}") from None
            dropped += [name for name in lost if name != tiff_tags.name(SUB_IFDS)]
            left = None if left is None else left - picture.pixels
            pages.append(Page(picture, thumbnail=thumbnail))
        complaints.check()
    return LoadedPages(Pages(Kind.TIFF, tuple(pages)), [*dict.fromkeys(dropped)])


def listed(file: tifffile.TiffFile) -> list[tuple[Any, bool]]:
    """All pages of a file, each with its thumbnails behind it, and whether they are thumbnails.

    Raises:
        UnsupportedImageError: there are too many, or images within thumbnails.
        Exception: any error of tifffile on a damaged file.
    """
    found = [*file.pages]
    if len(found) > _MOST_PAGES:
        raise UnsupportedImageError(f"TIFF has {len(found)} pages, expected at most {_MOST_PAGES}")
    every: list[tuple[Any, bool]] = []
    for page in found:
        every += [(page, False), *((inner, True) for inner in _inner(page))]
    return every


def _inner(page: Any) -> list[Any]:
    """The images to which the SubIFDs of a page point.

    Raises:
        UnsupportedImageError: they have such images themselves.
    """
    if not page.subifds:
        return []
    found = [*page.pages]
    if any(inner.subifds for inner in found):
        raise UnsupportedImageError("TIFF has images within images within pages, one level is supported")
    return found


def write(pages: Pages) -> bytes:
    """The TIFF file of some pages.

    Raises:
        Exception: any error of tifffile.
    """
    out = io.BytesIO()
    tags = [exif.first_tags(_exif(page.picture)) for page in pages.pages]
    order = tags[0][1].order
    if any(form.order != order for _, form in tags):
        raise UnsupportedImageError("TIFF has one byte order, the tags of the pages have two: -o DIR/ takes all")
    with tifffile.TiffWriter(out, byteorder="<" if order == "<" else ">") as writer:
        for i, page in enumerate(pages.pages):
            chosen = options(page.picture.frame)
            del chosen["byteorder"]
            if not page.thumbnail:
                behind = pages.pages[i + 1 :]
                inner = next((n for n, other in enumerate(behind) if not other.thumbnail), len(behind))
                chosen["subifds"] = inner
            samples = page.picture.samples
            writer.write(samples[..., 0] if samples.shape[2] == 1 else samples, contiguous=False, **chosen)
    places = _directories(out)
    for at, (found, _) in zip(places, tags, strict=True):
        end = out.seek(0, io.SEEK_END)
        behind_it = tiff_tags.place(found, out, end + end % 2, at)
        out.write(bytes(end % 2 if behind_it else 0) + behind_it)
    return out.getvalue()


def _exif(picture: Picture) -> bytes:
    return from_chunks(picture.metadata, {"exif"})[0].exif


def _directories(file: io.BytesIO) -> list[int]:
    """The offsets of the directories of all pages, each followed by those of its thumbnails."""
    source = Source(file)
    found, at = list[int](), source.first
    while at and (directory := source.directory(at)):
        found.append(at)
        for entry in directory.entries:
            if entry.code == SUB_IFDS:
                found += source.numbers(entry)
        at = directory.next
    return found
