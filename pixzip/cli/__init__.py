"""The command line: each command in a file of its own, and what they share.

Nothing but `work` and `stack` imports NumPy, PyTorch or their like, so that `--help`, a shell's completion and a wrong
argument are answered at once: a command checks its arguments, and then imports its module of `work`.
"""

from pixzip.cli.group import main

__all__ = ["main"]
