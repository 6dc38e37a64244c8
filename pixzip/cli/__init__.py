"""The command line: each command in a file of its own, and what they share.

Nothing here imports NumPy or PyTorch before a command has work for them, so that `--help` and a shell's
completion answer at once.
"""

from pixzip.cli.group import main

__all__ = ["main"]
