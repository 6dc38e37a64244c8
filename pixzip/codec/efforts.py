"""Efforts, 1 to 9, as in other codecs: which model codes, which stage adapts it to the image, and what is tried.

| effort | model | stage of photographs | of drawings | search |
|---|---|---|---|---|
| 1 | fast | none | none | usual |
| 2 | fast | light | light | usual |
| 3 | fast | full | full | usual |
| 4 | base | light | full | less |
| 5 | base | light | full | usual: the default |
| 6 | base | light | full | more |
| 7 | base | full | full | more |
| 8 | base | full | full | most |
| 9 | large | full | full | most, and all of the above in turn: the smallest file |

From effort 5 on, pixels that came out of a JPEG decoder are found out and coded as JPEG's coefficients.
Where a user names a model, that one codes, and the effort chooses the stage and the search only.  More effort takes
longer to encode; decoding takes longer with `base` than with `fast`, with `large` than with `base`, and with a stage
than without.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from pixcodecs.coders.base import EntropyCoder
from pixcodecs.coders.registry import RANGE

from pixzip.engine.stages.base import IDENTITY, Identity
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.models.base import Model

#: Tiles of fewer pixels are coded with and without the stage, which has little to learn from them.
SMALL_PIXELS = 4096
#: The stage of drawings has to make a stack this much smaller than that of photographs would.
SLOWER = 1.05


class Thoroughness(IntEnum):
    """How much is tried.

    `USUAL` tries what is likely to be smallest, and `LESS` the same, without WebP on photographs.  `MORE` also tries
    WebP by all efforts on drawings.  `MOST` also tries WebP by all efforts and the models for drawings on photographs,
    ranks of levels with every model, and models without their stage.
    """

    LESS = 0
    USUAL = 1
    MORE = 2
    MOST = 3


class Tile(NamedTuple):
    """What the choice of a stage depends on."""

    pixels: int
    depth: int
    photographic: bool
    coder: EntropyCoder


@dataclass(frozen=True)
class Effort:
    """What one attempt at a file tries.

    Attributes:
        model: name of the model, where the user names none.
        stage, drawings: the stages that adapt models to photographs, and to drawings and small pictures.
        thoroughness: how much is tried.
        jpeg: whether to look for the JPEG that pixels may have come from.
    """

    model: str = "base"
    stage: Identity = IDENTITY
    drawings: Identity = IDENTITY
    thoroughness: Thoroughness = Thoroughness.USUAL
    jpeg: bool = False

    def stages(self, model: Model, tile: Tile) -> Sequence[Identity]:
        """The stages to try on a tile, of which the smallest block counts; none comes first: it is decoded faster."""
        stage = self.stage if tile.photographic else self.drawings
        if stage == IDENTITY or not model.adapts:
            return [IDENTITY]
        if stage == FULL and (tile.depth > 8 or tile.coder is not RANGE):
            stage = LIGHT
        unsure = tile.pixels < SMALL_PIXELS or (stage == LIGHT and not tile.photographic)  # it is made for photographs
        return [IDENTITY, stage] if unsure or self.thoroughness >= Thoroughness.MOST else [stage]

    def stages_of_stack(self, model: Model, depth: int) -> dict[Identity, float]:
        """The stages that a sample of a stack is coded with, and how many times its size each counts; the least is
        chosen, and the first of equals.  Where photographs get a quicker stage than drawings, that of drawings has to
        pay for its time."""
        if IDENTITY in (self.stage, self.drawings) or not model.adapts or depth != 8:
            return {IDENTITY: 1.0}
        found = {IDENTITY: 1.0, self.stage: 1.0}
        return found if self.drawings == self.stage else found | {self.drawings: SLOWER}


#: No stage, for measuring models.
PLAIN = Effort()
#: What is tried at each effort.
EFFORTS = {
    1: Effort("fast"),
    2: Effort("fast", LIGHT, LIGHT),
    3: Effort("fast", FULL, FULL),
    4: Effort("base", LIGHT, FULL, Thoroughness.LESS),
    5: Effort("base", LIGHT, FULL, jpeg=True),
    6: Effort("base", LIGHT, FULL, Thoroughness.MORE, jpeg=True),
    7: Effort("base", FULL, FULL, Thoroughness.MORE, jpeg=True),
    8: Effort("base", FULL, FULL, Thoroughness.MOST, jpeg=True),
    9: Effort("large", FULL, FULL, Thoroughness.MOST, jpeg=True),
}
DEFAULT_EFFORT = 5
#: An effort without a stage, where a model is named.
PLAIN_EFFORT = 1
MOST_EFFORT = max(EFFORTS)


def attempts(effort: int) -> list[Effort]:
    """What is tried in turn at an effort; the smallest file counts."""
    return [*dict.fromkeys(reversed(EFFORTS.values()))] if effort == MOST_EFFORT else [EFFORTS[effort]]
