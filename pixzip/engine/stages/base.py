"""A stage refines what the model says and learns what came, the same in encoder and decoder, without side information.

So that a step stays parallel and every machine gives the same bytes, a stage reads its state when a step begins, and
adds what the step taught it when the step ends: in sums of integers, which no order of pixels or threads changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pixcodecs.coders.base import Rows, Symbols

from pixzip.engine.batch import Batch, Step


class Learner(Protocol):
    """A stage at work on one batch; calls come in the order of the methods, for every step."""

    def begin(self, step: Step) -> None:
        """Read the state, as all steps before have left it."""

    def refine(self, channel: int, before: Sequence[Symbols], freqs: Rows) -> Rows:
        """(M, K) frequencies of the model -> those that are coded: integers of at least 1, of sums below 2^20.

        Args:
            before: (M,) digits of the channel already coded.
        """

    def learn(self, channel: int, digits: Sequence[Symbols]) -> None:
        """Note the digits of a channel's (M,) samples; the state stays as it is until `end`."""

    def end(self) -> None:
        """Add to the state what the step taught."""


class Stage(Protocol):
    """What makes learners.

    Attributes:
        name: for the command line and Python.
    """

    @property
    def name(self) -> str: ...

    def start(self, batch: Batch) -> Learner:
        """A learner that knows nothing of the batch's images yet."""


class _Nothing:
    """The learner of the identity."""

    def begin(self, step: Step) -> None: ...

    def refine(self, channel: int, before: Sequence[Symbols], freqs: Rows) -> Rows:
        return freqs

    def learn(self, channel: int, digits: Sequence[Symbols]) -> None: ...

    def end(self) -> None: ...


@dataclass(frozen=True)
class Identity:
    """Codes what the model says."""

    name: str = "none"

    def start(self, batch: Batch) -> Learner:
        return _Nothing()


IDENTITY = Identity()
#: Stages by name.
STAGES: dict[str, Stage] = {IDENTITY.name: IDENTITY}
