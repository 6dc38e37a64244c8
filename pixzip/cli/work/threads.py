"""The number of threads of a command."""

import sys

from pixcodecs import threads as own


def set_threads(threads: int | None) -> None:
    """Set the number of threads of the compiled kernels and of PyTorch; None does not change it."""
    if threads is None:
        return
    own.set_threads(threads)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)
