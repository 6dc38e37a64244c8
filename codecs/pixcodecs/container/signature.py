"""The first bytes of a `.pxz` file: signature and version."""

from pixcodecs.buffer import Buffer as Buffer
from pixcodecs.container.limits import KEPT_VERSION, MODEL_VERSION, PAGES_VERSION, STACK_VERSION

SIGNATURE = b"\x89PX"
#: Version of written files of one image.
VERSION = 2


def is_stack(data: Buffer) -> bool:
    """Whether a file, given at least its first four bytes, is a stack."""
    return data[: len(SIGNATURE) + 1] == SIGNATURE + bytes([STACK_VERSION])


def is_kept(data: Buffer) -> bool:
    """Whether a file, given at least its first four bytes, keeps another file as it is."""
    return data[: len(SIGNATURE) + 1] == SIGNATURE + bytes([KEPT_VERSION])


def is_pages(data: Buffer) -> bool:
    """Whether a file, given at least its first four bytes, holds several pages or frames."""
    return data[: len(SIGNATURE) + 1] == SIGNATURE + bytes([PAGES_VERSION])


def is_model(data: Buffer) -> bool:
    """Whether a file, given at least its first four bytes, is a model file."""
    return data[: len(SIGNATURE) + 1] == SIGNATURE + bytes([MODEL_VERSION])
