"""An open `.pxz` file, parsed once: header, positions of tiles, and blocks on demand."""

from pixcodecs.container import image as container
from pixcodecs.container import memory, signature
from pixcodecs.container.image import Buffer
from pixcodecs.container.limits import MAX_PIXELS
from pixcodecs.errors import BitstreamError
from pixcodecs.forking import cached_property

from pixzip.codec.beside import AnyFolder
from pixzip.codec.carried import Carrying
from pixzip.codec.tiles import Window
from pixzip.image.picture import Frame, frame_of
from pixzip.originals import Record, record_of


class Opening:
    """One open file.

    Attributes:
        file: bytes of the file, of which the blocks have not been read yet.
        header: parsed header.
        carrying: the models that come with the file.
    """

    def __init__(
        self, file: Buffer, max_pixels: int | None = MAX_PIXELS, *, whole: bool = True, folder: AnyFolder | None = None
    ) -> None:  # fmt: skip
        """
        Args:
            max_pixels: refuse larger images, and samples out of proportion to the file; None lifts the limits.
            whole: refuse a file whose length differs from that in its header.
            folder: of the file, in which and above which model files may be; None if it is not known.
        Raises:
            BitstreamError: the file is damaged, truncated or too large.
        """
        self.file, self.header = file, container.read_header(file, max_pixels)
        if whole:
            container.check_length(file, self.header)
        if max_pixels is not None:
            memory.check_memory(file, self.header)
        self.carrying = Carrying.of(self.header, len(file), folder)
        self._checked: set[int] = set()

    @property
    def pixels(self) -> int:
        return self.header.width * self.header.height

    @cached_property
    def frame(self) -> Frame:
        """Everything in the file about its picture except the samples.

        Raises:
            BitstreamError: the file contradicts itself.
        """
        return frame_of(self.header)

    @cached_property
    def original(self) -> Record | None:
        """How the original is rebuilt, or why it is not; None if the file does not say.

        Raises:
            BitstreamError: the record is damaged.
        """
        return record_of(self.header.extras)

    def check_frame(self) -> None:
        """
        Raises:
            BitstreamError: the file contradicts itself.
        """
        frame_of(self.header)

    @property
    def window(self) -> Window:
        """The window of the whole image."""
        return Window(0, 0, self.header.width, self.header.height)

    def tile(self, i: int) -> Window:
        """The position of a tile; tiles are numbered in raster order."""
        h = self.header
        row, column = divmod(i, h.tile_columns)
        x, y = column * h.tile_width, row * h.tile_height
        return Window(x, y, min(h.tile_width, h.width - x), min(h.tile_height, h.height - y))

    def tiles_in(self, region: Window) -> list[int]:
        """The tiles that overlap a region.

        Raises:
            PixzipError: the region is not inside the image.
        """
        h, (x, y, width, height) = self.header, region
        region.check_inside(h.width, h.height)
        columns = range(x // h.tile_width, (x + width - 1) // h.tile_width + 1)
        rows = range(y // h.tile_height, (y + height - 1) // h.tile_height + 1)
        return [row * h.tile_columns + column for row in rows for column in columns]

    def block(self, i: int) -> bytes:
        """The block of a tile; its checksum is verified at the first call, and again where the file may have changed.

        Raises:
            BitstreamError: the block is truncated or damaged.
        """
        if i in self._checked and isinstance(self.file, bytes):
            return self.file[self.header.starts[i] : self.header.starts[i + 1]]
        found = container.block(self.file, self.header, i)
        self._checked.add(i)
        return found

    def check_blocks(self) -> None:
        """
        Raises:
            BitstreamError: a block is damaged.
        """
        for i in range(len(self.header.tiles)):
            self.block(i)

    def is_whole(self, i: int) -> bool:
        """Whether a tile's block is present and undamaged."""
        try:
            self.block(i)
        except BitstreamError:
            return False
        return True


def opened(file: Buffer, max_pixels: int | None, folder: AnyFolder | None) -> Buffer | Opening:
    """A file of one image, opened; other files, which have openings of their own, as they are."""
    others = signature.is_stack, signature.is_kept, signature.is_pages, signature.is_model
    return file if any(is_one(file) for is_one in others) else Opening(file, max_pixels, folder=folder)
