"""The threads that a command computes with."""

import torch
from threadpoolctl import threadpool_limits

from pixzip import codec as codec  # whose libraries have pools too


def set_threads(threads: int | None) -> None:
    """How many threads the engines compute with: those of PyTorch, which kernels follow, OpenMP and BLAS."""
    if threads is None:
        return
    threadpool_limits(threads)
    torch.set_num_threads(threads)
