"""Files of trees whose first bytes are looked at before the work: those in a store are asked for together."""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import BinaryIO, TypeVar

from pixzip.io import heads, stores, streams
from pixzip.io.heads import Head
from pixzip.trees.places import Place

Item = TypeVar("Item")

#: Files whose longer heads are asked for at once.
_LONG_AT_ONCE = 64


def batched(items: Iterable[Item], counts: Callable[[Item], bool]) -> Iterator[list[Item]]:
    """Consecutive items, in lists of at most `heads.FILES_AT_ONCE` that count."""
    batch: list[Item] = []
    counted = 0
    for item in items:
        batch.append(item)
        counted += counts(item)
        if counted == heads.FILES_AT_ONCE:
            yield batch
            batch, counted = [], 0
    if batch:
        yield batch


def asked(urls: Sequence[str], enough: Callable[[bytes], bool] = lambda head: True) -> dict[str, Head]:
    """The first bytes of files in stores: `heads.HEAD_BYTES`, or `streams.PEEK_BYTES` where those are not enough.

    Args:
        urls: at most some `heads.FILES_AT_ONCE`.
    Raises:
        PixzipError, OSError: see `heads.read`.
    """
    found = dict(zip(urls, heads.read(urls), strict=True))
    read = {url: head for url, head in found.items() if isinstance(head, bytes)}
    short = [url for url, head in read.items() if len(head) == heads.HEAD_BYTES and not enough(head)]
    for i in range(0, len(short), _LONG_AT_ONCE):
        some = short[i : i + _LONG_AT_ONCE]
        found |= zip(some, heads.read(some, streams.PEEK_BYTES), strict=True)
    return found


def walked(
    place: Place, wanted: Callable[[str], bool], failed: Callable[[OSError], None] | None = None
) -> Iterator[tuple[str, Callable[[], BinaryIO]]]:
    """Yield the path of each file below, as `Place.walk` does, and a function that opens it.

    Args:
        wanted: tells whether the function will be called for a path; then the first bytes of those in a store are
            there already.
        failed: see `Place.walk`.
    Raises:
        PixzipError, OSError: the store does not answer.
    """
    if not place.remote:
        for inner in place.walk(failed):
            yield inner, partial(streams.opened, place.prefix + inner)
        return
    for batch in batched(place.walk(failed), wanted):
        found = asked([place.prefix + inner for inner in batch if wanted(inner) and not _is_empty(place, inner)])
        for inner in batch:
            url = place.prefix + inner
            yield inner, partial(_opened, url, found.get(url, b""))


def _is_empty(place: Place, inner: str) -> bool:
    """Whether a listing says so; a store refuses to give the first bytes of an empty file."""
    status = place.status(inner)
    return bool(status and not status.st_size)


def _opened(url: str, head: Head) -> BinaryIO:
    """
    Raises:
        OSError: the first bytes could not be read.
    """
    if isinstance(head, OSError):
        raise head
    if len(head) < heads.HEAD_BYTES:
        return io.BytesIO(head)
    return stores.opened(url, head=head)
