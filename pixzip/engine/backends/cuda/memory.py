"""Batches against the memory of a device: as large as fits, and half as large where it did not."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from pixcodecs.errors import PixzipError

from pixzip.engine.batching import halving

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Bytes of a device that a pixel takes while it is encoded, RGB, with what the host copies: most are shares of symbols.
BYTES_A_PIXEL = 96
#: A batch has at most so many pixels, whatever the memory: the host holds them too.
MOST_PIXELS = 64 << 20


class TooLargeError(MemoryError):
    """A batch does not fit the addresses of a kernel."""


def batch_pixels() -> int:
    """Pixels of a batch that should fit the free memory of the GPU, a half of which is left alone.

    A GPU is not started in order to be asked: before it is, it is taken to have enough.
    """
    if not torch.cuda.is_initialized():
        return MOST_PIXELS
    free_bytes, _ = torch.cuda.mem_get_info()
    return min(MOST_PIXELS, free_bytes // 2 // BYTES_A_PIXEL)


def halved(work: Callable[[list[Item]], list[Result]], items: Sequence[Item]) -> list[Result]:
    """The results of items, as one batch, or as halves of it where the device's memory runs out, and so on.

    Raises:
        PixzipError: it runs out for one item alone.
    """

    def alone(item: Item, error: BaseException) -> Result:
        raise PixzipError(f"the device's memory does not hold the smallest batch, one tile: {error}") from error

    def recover() -> None:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    return halving(work, items, (torch.OutOfMemoryError, TooLargeError), alone, recover)
