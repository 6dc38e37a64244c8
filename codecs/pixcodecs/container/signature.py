"""The first bytes of a `.pxz` file, which say that it is one and of which version."""

import mmap

from pixcodecs.container.limits import STACK_VERSION

Buffer = bytes | mmap.mmap

SIGNATURE = b"\x89PX"
#: The version of files of one image, as they are written.
VERSION = 2


def is_stack(data: Buffer) -> bool:
    """Whether a file, or the first four bytes of one, say that it is a stack."""
    return data[: len(SIGNATURE) + 1] == SIGNATURE + bytes([STACK_VERSION])
