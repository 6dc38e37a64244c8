"""Originals: their records, and `--rm`, which removes one after a check that the output gives it back."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from pixcodecs.container import signature
from pixcodecs.container.image import read_header
from pixcodecs.container.signature import Buffer
from pixcodecs.errors import PixzipError

from pixzip import codec, image
from pixzip.cli.errors import text_of
from pixzip.cli.ledger import Ledger
from pixzip.cli.options import PIXELS
from pixzip.io import files, stores, streams
from pixzip.io.signals import signals_wait
from pixzip.originals import Record, suffixes_of

#: Why a file is kept from which something else was written than its original.
ORIGINAL_LOST = "it gives back its original byte for byte, which what was written does not: --rm=pixels removes it"


def kept_suffixes(name: str, start: Buffer) -> tuple[str, ...]:
    """The suffixes of an original that a `.pxz` file gives back, the usual one first; none if it does not.

    A bad file is reported when it is read.

    Args:
        start: see `streams.peek`.
    """
    more = stores.is_url(name) and len(start) == streams.PEEK_BYTES  # its header may be longer, with a profile
    for read in (lambda: start, lambda: streams.read(name))[: 1 + more]:
        with contextlib.suppress(PixzipError, OSError):
            record = codec.Opening(read(), None, whole=False).original
            return suffixes_of(record.family) if record else ()
    return ()


def has_header(start: bytes) -> bool:
    """Whether the first bytes of a file are all of a header that may name an original, or of another kind of file."""
    others = signature.is_kept, signature.is_pages, signature.is_stack, signature.is_model
    if not start.startswith(signature.SIGNATURE) or any(is_one(start) for is_one in others):
        return True
    try:
        read_header(start, None)
    except PixzipError:
        return False
    return True


def why_kept(source: streams.Input, dropped: list[str], remove: str) -> str:
    """The reason to keep an original: content that would be lost; "" if there is none.

    Args:
        source: the original, open.
        dropped: names of its content that a picture does not hold.
        remove: the value of `--rm`: "bytes", for whose promise a record is needed besides; "pixels"; or "".
    Raises:
        OSError: the original cannot be read.
    """
    if dropped and remove == PIXELS:
        return f"{', '.join(dropped)} would be lost"
    if place := not_removable(source):
        return place
    kind = image.lossy_kind(source.file()) if remove else ""
    return f"it is {kind}, whose own bytes do not come back" if kind else ""


def not_removable(source: streams.Input) -> str:
    """The reason why removing an original would not remove its content; "" if there is none."""
    if Path(source.name).is_symlink():
        return "it is a link"
    if stores.is_url(stores.plain(source.name)):
        return "it is in a store"
    return "" if source.stat else "it is not a regular file"


@contextlib.contextmanager
def comparing(ledger: Ledger, name: str) -> Iterator[None]:
    """Take an output back if its comparison, for `--rm`, ends in an error.

    Raises:
        PixzipError: the error, with what became of the output.
    """
    try:
        yield
    except (PixzipError, OSError) as e:
        ledger.take_back(name)
        raise PixzipError(f"verification failed: {text_of(e)}; the output is taken back") from e
    except BaseException:
        ledger.take_back(name)
        raise


def check_written(ledger: Ledger, name: str, record: Record) -> None:
    """Compare a written original with its digest.

    Raises:
        PixzipError: what was written is another file, and is taken back.
    """
    with comparing(ledger, name):
        if hashlib.sha256(streams.read(ledger.target(name))).digest() != record.sha256:
            raise PixzipError("what was written is another file")


def remove(ledger: Ledger, name: str, stat: os.stat_result) -> None:
    """Remove an original whose output was checked, unless it has changed since it was read.

    Args:
        stat: status of the original when it was opened.
    Raises:
        OSError: the original cannot be removed.
    """
    now = Path(name).lstat()
    if _identity(now) != _identity(stat):
        ledger.keep(name, "it has changed meanwhile")
        return
    files.sync_folder(Path(ledger.target(name)).parent)
    with signals_wait():
        Path(name).unlink()
        ledger[name].original_removed = True


def _identity(stat: os.stat_result) -> tuple[int, ...]:
    """What tells a file and its content from others; the time of the last change cannot be set by programs."""
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
