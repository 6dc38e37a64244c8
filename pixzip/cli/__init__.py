"""The command line: one file per command, and the code that commands share.

Only `work` imports large libraries like NumPy and PyTorch, so that `--help`, shell completion and wrong arguments are
answered at once: a command checks its arguments, then imports its module of `work`.
"""

from pixzip.cli.group import main

__all__ = ["main"]
