"""References to models, and the names of model files: `docs/format.md`, section 18."""

import re
from enum import IntEnum

from pixcodecs.container.limits import MODEL_ID_BYTES

_NAME = re.compile(rf"pixzip-model-[0-9a-f]{{{2 * MODEL_ID_BYTES}}}\.pxz")


class Reference(IntEnum):
    """Wire ids of the types of model references: the reader has the model, the file has it, or a model file has it."""

    ID = 1
    EMBEDDED = 2
    BESIDE = 3


def file_name(model_id: bytes) -> str:
    """The name of a model's file."""
    return f"pixzip-model-{model_id.hex()}.pxz"


def is_file_name(name: str) -> bool:
    """Whether a file of this name, without folders, is a model file."""
    return _NAME.fullmatch(name) is not None
