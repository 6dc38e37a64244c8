"""The number of threads of a command."""

import torch
from threadpoolctl import threadpool_limits

from pixzip import codec as codec  # loads libraries that have thread pools


def set_threads(threads: int | None) -> None:
    """Set the number of threads of PyTorch (used by kernels, too), OpenMP and BLAS; None does not change it."""
    if threads is None:
        return
    threadpool_limits(threads)
    torch.set_num_threads(threads)
