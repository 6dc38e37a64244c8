"""Efforts, 1 to 9, as in other codecs: which model codes, whether a stage adapts it to the image, and what is tried.

| effort | model | stage | search |
|---|---|---|---|
| 1 | fast | none | usual |
| 2 | fast | light | usual |
| 3 | fast | the strongest | usual |
| 4 | base | none | usual |
| 5 | base | light | usual: the default |
| 6 | base | light | more |
| 7 | base | the strongest | more |
| 8 | base | the strongest | most |
| 9 | all of these in turn, and the smallest file | | |

Where a user names a model, that one codes, and the effort chooses the stage and the search only.  More effort takes
longer to encode; decoding takes longer with `base` than with `fast`, and with a stage than without.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from pixzip.engine.stages.base import IDENTITY, Identity
from pixzip.engine.stages.light import LIGHT
from pixzip.models.base import Model

#: The stage that makes the smallest files.
STRONGEST = LIGHT
#: Tiles of fewer pixels are coded with and without the stage, which has little to learn from them.
SMALL_PIXELS = 4096


class Thoroughness(IntEnum):
    """How much is tried.

    `USUAL` tries what is likely to be smallest.  `MORE` also tries the models for drawings on photographs, and WebP
    by all efforts on drawings.  `MOST` also tries WebP by all efforts on photographs, ranks of levels with every model,
    and models without their stage.
    """

    USUAL = 0
    MORE = 1
    MOST = 2


@dataclass(frozen=True)
class Effort:
    """What one attempt at a file tries.

    Attributes:
        model: name of the model, where the user names none.
        stage: adapts models to the image.
        thoroughness: how much is tried.
    """

    model: str = "base"
    stage: Identity = IDENTITY
    thoroughness: Thoroughness = Thoroughness.USUAL

    def stages(self, model: Model, pixels: int) -> Sequence[Identity]:
        """The stages to try on a tile, of which the smallest block counts; none comes first: it is decoded faster."""
        if self.stage is IDENTITY or not model.adapts:
            return [IDENTITY]
        both = self.thoroughness >= Thoroughness.MOST or pixels < SMALL_PIXELS
        return [IDENTITY, self.stage] if both else [self.stage]


#: What is tried at each effort.
EFFORTS = {
    1: Effort("fast"),
    2: Effort("fast", LIGHT),
    3: Effort("fast", STRONGEST),
    4: Effort("base"),
    5: Effort("base", LIGHT),
    6: Effort("base", LIGHT, Thoroughness.MORE),
    7: Effort("base", STRONGEST, Thoroughness.MORE),
    8: Effort("base", STRONGEST, Thoroughness.MOST),
    9: Effort("base", STRONGEST, Thoroughness.MOST),
}
DEFAULT_EFFORT = 5
#: No stage, for measuring models.
PLAIN_EFFORT = 4
PLAIN = EFFORTS[PLAIN_EFFORT]
MOST_EFFORT = max(EFFORTS)


def attempts(effort: int) -> list[Effort]:
    """What is tried in turn at an effort; the smallest file counts."""
    return [*dict.fromkeys(reversed(EFFORTS.values()))] if effort == MOST_EFFORT else [EFFORTS[effort]]
