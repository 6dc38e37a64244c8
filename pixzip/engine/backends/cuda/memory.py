"""Fit batches into the memory of a device: as large as possible, halved when memory runs out."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from pixcodecs.errors import PixzipError

from pixzip.engine.batching import halving

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Bytes of device memory per RGB pixel during encoding, host copies included; mostly frequencies of symbols.
BYTES_A_PIXEL = 96
#: Largest number of pixels in a batch, whatever the device's memory: the host holds them too.
MOST_PIXELS = 64 << 20


class TooLargeError(MemoryError):
    """A batch does not fit the addresses of a kernel."""


def batch_pixels() -> int:
    """Number of pixels of a batch that fits in half of the GPU's free memory.

    The query does not initialise CUDA: before that, memory is assumed to suffice.
    """
    if not torch.cuda.is_initialized():
        return MOST_PIXELS
    free_bytes, _ = torch.cuda.mem_get_info()
    return min(MOST_PIXELS, free_bytes // 2 // BYTES_A_PIXEL)


def halved(work: Callable[[list[Item]], list[Result]], items: Sequence[Item]) -> list[Result]:
    """The results of items, computed as one batch; when the device's memory runs out, the batch is halved again.

    Raises:
        PixzipError: memory runs out for a single item.
    """

    def alone(item: Item, error: BaseException) -> Result:
        raise PixzipError(f"the device's memory does not hold the smallest batch, one tile: {error}") from error

    def recover() -> None:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    return halving(work, items, (torch.OutOfMemoryError, TooLargeError), alone, recover)
