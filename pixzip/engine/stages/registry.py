"""The stages that a file can name; numbers are permanent (`docs/format.md`, section 12).

A new stage is a module with an `Identity`, an entry here, its number in `pixcodecs.container.blocks.STAGES`, and its
time in `codec.costs`; `codec.efforts` says at which efforts it is used.
"""

from pixcodecs.errors import BitstreamError

from pixzip.engine.stages.base import IDENTITY, Identity
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT

#: Stages by name.
STAGES: dict[str, Identity] = {stage.name: stage for stage in (IDENTITY, LIGHT, FULL)}
_BY_NUMBER = {stage.number: stage for stage in STAGES.values()}


def stage_of(number: int) -> Identity:
    """The stage with a number in a file; 0 is none.

    Raises:
        BitstreamError: there is no such stage.
    """
    if number not in _BY_NUMBER:
        raise BitstreamError(f"stage {number} is unknown to this version")
    return _BY_NUMBER[number]
