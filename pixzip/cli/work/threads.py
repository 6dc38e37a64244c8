"""The threads that a command computes with."""

import torch
from threadpoolctl import threadpool_limits

from pixzip import codec as codec  # whose libraries have pools too


def set_threads(threads: int | None) -> None:
    """Set the threads of PyTorch, which kernels follow, and of OpenMP and BLAS; None leaves them as they are."""
    if threads is None:
        return
    threadpool_limits(threads)
    torch.set_num_threads(threads)
