"""Variants of the stages with a part left out, for `bench.parts`.

Kernels copy constants when they are imported, so `leave_out` comes before everything that imports them.
"""

from collections.abc import Callable
from typing import Any

from pixzip.models.wavefront import colours, least_squares, mixing


def _no_least_squares() -> None:
    least_squares.MOST_SHIFT = 0.0


def _no_colours() -> None:
    colours.LEAST_PIXELS = 1 << 40


def _no_repeats() -> None:
    mixing.LEAST_REPEAT = 1 << 17


def _no_counts() -> None:
    _no_repeats()
    full = mixing.tables

    def blank(squash: Any) -> mixing.Tables:
        found = full(squash)
        return found._replace(counted=0 * found.counted, sure=0 * found.sure)

    mixing.tables = blank


def _no_learning() -> None:
    mixing.RATE = mixing.REPEAT_RATE = 62


def _cold() -> None:
    from pixzip.models.wavefront.weights import IntegerWeights

    IntegerWeights.mixing = property(  # type: ignore[assignment]
        lambda self: (
            mixing.squash_table(), mixing.initial_weights(self.channels), mixing.initial_repeat_weights(),
        )
    )  # fmt: skip


#: Label -> stage, and what leaves its part out.
VARIANTS: dict[str, tuple[str, Callable[[], None]]] = {
    "no stage": ("none", lambda: None),
    "light": ("light", lambda: None),
    "light without least squares": ("light", _no_least_squares),
    "light without colours seen": ("light", _no_colours),
    "full": ("full", lambda: None),
    "full without repetitions": ("full", _no_repeats),
    "full without repetitions and contexts": ("full", _no_counts),
    "full without least squares": ("full", _no_least_squares),
    "full without colours seen": ("full", _no_colours),
    "full whose weights do not learn": ("full", _no_learning),
    "full without trained weights": ("full", _cold),
}


def leave_out(label: str) -> None:
    """Change constants to those of a variant."""
    VARIANTS[label][1]()
