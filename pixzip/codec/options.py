"""Options of coding pictures: models, and where and how they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pixcodecs.coders.base import EntropyCoder
from pixcodecs.coders.registry import RANGE
from pixcodecs.container.limits import MAX_PIXELS
from pixcodecs.container.references import Reference

from pixzip.codec import efforts
from pixzip.codec.efforts import PLAIN, Effort
from pixzip.engine.executor import Executor, Local
from pixzip.models import library
from pixzip.models.base import Model

#: Number of channels, 1 or 3 -> the model for such images.
ModelFor = Callable[[int], Model]
#: Model id from a file -> the model.
ModelById = Callable[[bytes], Model]


_default_for = partial(library.resolve, library.DEFAULT)
_HERE = Local()


@dataclass(frozen=True)
class Options:
    """Options for coding pictures.

    Attributes:
        model_for: gives encoders their model; raises ModelMismatchError if there is none for the number of channels.
        model_by_id: gives decoders their model; raises ModelMismatchError if it is not available.
        drawings_for: like `model_for`, tried as well on alpha and on tiles that do not look like photographs.
        executor: runs the models.
        coder: entropy coder of the models; RANS for files to decode on a GPU.
        effort: stage that adapts the models to images, and how much encoders try; by default no stage.
        alternatives: options that encoders try as well: the smallest file counts.
        reference: how encoders refer to models: by id, with the weights in the file, or in a model file, which the
            caller writes.
        tile: largest side of a tile, at least `tiles.LEAST_SIDE`, whose tiles no block spans; None for the usual one.
        models_only: use a model wherever possible, even if another block is smaller; for measuring models.
        verify: decode files and compare them before they are returned.
        max_pixels: refuse to decode larger images, and files that cost out of proportion to their size; None lifts
            all limits.  Encoders, too, keep to what readers accept by default unless it is None.
    """

    model_for: ModelFor = _default_for
    model_by_id: ModelById = library.by_id
    drawings_for: ModelFor | None = None
    executor: Executor = _HERE
    coder: EntropyCoder = RANGE
    effort: Effort = PLAIN
    alternatives: tuple[Options, ...] = ()
    reference: Reference = Reference.ID
    tile: int | None = None
    models_only: bool = False
    verify: bool = False
    max_pixels: int | None = MAX_PIXELS

    @classmethod
    def of(
        cls, model: str | None = None, device: str = "cpu", effort: int = efforts.DEFAULT_EFFORT, **choices: Any
    ) -> Options:  # fmt: skip
        """Options that encode with one model and decode with this and all known models.

        Args:
            model: name of a shipped or local model, or path of a weights file; None for that of the effort.
            device: see `coding_device`.
            effort: 1 to 9, see `efforts`.
            choices: values of other fields.
        """

        def at(tried: Effort) -> Options:
            name = model or tried.model
            own = partial(library.resolve, name), library.with_model(name), library.drawings_beside(name)
            return cls(*own, **{"executor": Local(device), **choices, "effort": tried})

        found = {(model or e.model, e.stage, e.drawings, e.thoroughness): e for e in reversed(efforts.attempts(effort))}
        *others, first = map(at, found.values())
        return replace(first, alternatives=tuple(others))

    @classmethod
    def only(cls, model: Model, **choices: Any) -> Options:
        """Options that code with one model, whatever images or files require."""
        return cls(lambda channels: model, lambda model_id: model, **choices)

    @classmethod
    def decoding(cls, device: str = "cpu", extra: Sequence[Path] = (), **choices: Any) -> Options:
        """Options for decoding.

        Args:
            extra: weights files to search besides shipped and local models.
        """
        return cls(model_by_id=partial(library.by_id, extra=extra), **{"executor": Local(device), **choices})


#: Options with the default model and effort on the CPU.
DEFAULTS = Options(effort=efforts.EFFORTS[efforts.DEFAULT_EFFORT])
