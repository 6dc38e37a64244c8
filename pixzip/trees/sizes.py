"""How much work a file is: the pixels that its first bytes declare."""

from pathlib import Path

from pixcodecs.container.image import read_header
from pixcodecs.container.signature import SIGNATURE
from pixcodecs.errors import BitstreamError

from pixzip import image
from pixzip.io import stores
from pixzip.io.buffers import FileBuffer


def work(name: str, size_bytes: int | None) -> int:
    """How much work a file is, in about pixels: of one at a URL its bytes, because its listing says no more.

    Always the same for the same file, so that all parts of a job array agree.

    Args:
        name: path or URL.
        size_bytes: of the file, if it is known.
    """
    return (size_bytes or 0) if stores.is_url(name) else pixels(Path(name))


def pixels(path: Path) -> int:
    """The pixels of an image or `.pxz` file, without decoding it; of a stack or an unreadable file its bytes."""
    try:
        with path.open("rb") as file:
            start = file.read(len(SIGNATURE))
            file.seek(0)
            found = _packed(FileBuffer(file.fileno())) if start == SIGNATURE else image.declared_pixels(file)
            return found if found >= 0 else path.stat().st_size
    except OSError:
        return 0  # the error is reported when the file is worked on


def _packed(buffer: FileBuffer) -> int:
    try:
        header = read_header(buffer)
    except BitstreamError:
        return -1
    return header.width * header.height
