"""What coding pictures takes besides the pictures: models, and where and how they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pixcodecs.coders.base import EntropyCoder
from pixcodecs.coders.registry import RANGE
from pixcodecs.container.limits import MAX_PIXELS

from pixzip.engine.executor import Executor, Local
from pixzip.models import library
from pixzip.models.base import Model

#: Number of channels, 1 or 3 -> the model that codes images of so many.
ModelFor = Callable[[int], Model]
#: Id that a file gives -> its model.
ModelById = Callable[[bytes], Model]


_default_for = partial(library.resolve, library.DEFAULT)
_HERE = Local()


@dataclass(frozen=True)
class Options:
    """How pictures are coded.

    Attributes:
        model_for: what encoders take; raises ModelMismatchError for channels that it has no model for.
        model_by_id: what decoders take; raises ModelMismatchError for models that are not here.
        drawings_for: like `model_for`, for what looks like no photograph, and for alpha: tried beside it.
        executor: where models run.
        coder: of what models code; RANS for files that a GPU shall decode.
        models_only: let a model code whatever it can, be it the smallest or not: to measure models.
        verify: decode files again and compare before they are given.
        max_pixels: refuse to decode larger images; None lifts the limit.
    """

    model_for: ModelFor = _default_for
    model_by_id: ModelById = library.by_id
    drawings_for: ModelFor | None = None
    executor: Executor = _HERE
    coder: EntropyCoder = RANGE
    models_only: bool = False
    verify: bool = False
    max_pixels: int | None = MAX_PIXELS

    @classmethod
    def of(cls, model: str, device: str = "cpu", **choices: Any) -> Options:
        """Options that encode with a model and decode with that and all that are known.

        Args:
            model: name of a shipped or local model, or path of a weights file.
            device: as `coding_device` gives it.
            choices: other fields.
        """
        return cls(
            partial(library.resolve, model), library.with_model(model), library.graphics_beside(model), Local(device),
            **choices,
        )  # fmt: skip

    @classmethod
    def only(cls, model: Model, **choices: Any) -> Options:
        """Options that code with one model, whatever images or files ask for."""
        return cls(lambda channels: model, lambda model_id: model, **choices)

    @classmethod
    def decoding(cls, device: str = "cpu", extra: Sequence[Path] = (), **choices: Any) -> Options:
        """Options that decode.

        Args:
            extra: weights files to look at besides shipped and local ones.
        """
        return cls(model_by_id=partial(library.by_id, extra=extra), executor=Local(device), **choices)


#: The default model on the CPU.
DEFAULTS = Options()
