"""Several pictures that belong together: pages of a TIFF file, frames of an animation."""

from dataclasses import dataclass, field
from typing import NamedTuple

from pixcodecs.container.pages import Kind as Kind

from pixzip.image.picture import Chunk, Picture

SUFFIXES = {Kind.TIFF: ".tif", Kind.PNG: ".png", Kind.GIF: ".gif", Kind.WEBP: ".webp"}


@dataclass(frozen=True)
class Page:
    """One page or frame; see `pixcodecs.container.pages.Member` for the fields."""

    picture: Picture
    duration: tuple[int, int] | None = None
    x: int = 0
    y: int = 0
    disposal: int = 0
    blend: bool = False
    thumbnail: bool = False
    aside: bool = False


@dataclass(frozen=True)
class Pages:
    """All pages or frames of a file; see `pixcodecs.container.pages.PagesHeader` for the fields."""

    kind: Kind
    pages: tuple[Page, ...]
    width: int = 0
    height: int = 0
    loops: int = 0
    background: bytes = b""
    metadata: tuple[Chunk, ...] = field(default=())

    @property
    def pixels(self) -> int:
        """The number of pixels of all pages."""
        return sum(page.picture.pixels for page in self.pages)


class LoadedPages(NamedTuple):
    """Pages, and the names of the file's content that they cannot hold."""

    pages: Pages
    dropped: list[str]
