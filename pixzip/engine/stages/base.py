"""A stage refines the model's frequencies and learns from coded symbols, equally in encoder and decoder.

There is no side information.  A stage reads its state when a step begins and updates it when the step ends, by sums
of integers.  So a step stays parallel, and the bytes depend neither on the machine nor on the order of pixels or
threads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pixcodecs.coders.base import Rows, Symbols

from pixzip.engine.batch import Batch, Step


class Learner(Protocol):
    """The state of a stage for one batch; in every step the methods are called in the order given here."""

    def begin(self, step: Step) -> None:
        """Read the state left by the earlier steps."""

    def refine(self, channel: int, before: Sequence[Symbols], freqs: Rows) -> Rows:
        """(M, K) frequencies of the model -> frequencies for the coder: integers >= 1, sums below 2^20.

        Args:
            before: (M,) arrays of the channel's digits already coded.
        """

    def learn(self, channel: int, digits: Sequence[Symbols]) -> None:
        """Record the digits of a channel's (M,) samples; the state does not change before `end`."""

    def end(self) -> None:
        """Update the state with the records of the step."""


class Stage(Protocol):
    """Creates learners.

    A stage is hashable: jobs with equal stages are coded as one batch.

    Attributes:
        name: name on the command line and in Python.
    """

    @property
    def name(self) -> str: ...

    def start(self, batch: Batch) -> Learner:
        """A learner in its initial state for the batch."""


class _Nothing:
    """The learner of the identity."""

    def begin(self, step: Step) -> None: ...

    def refine(self, channel: int, before: Sequence[Symbols], freqs: Rows) -> Rows:
        return freqs

    def learn(self, channel: int, digits: Sequence[Symbols]) -> None: ...

    def end(self) -> None: ...


@dataclass(frozen=True)
class Identity:
    """A stage that leaves rows of frequencies unchanged: none at all, or one that backends run inside the model.

    Attributes:
        number: number in a file, permanent; 0 if a file does not name it.
    """

    name: str = "none"
    number: int = 0

    def start(self, batch: Batch) -> Learner:
        return _Nothing()


IDENTITY = Identity()
