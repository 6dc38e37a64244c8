"""What is coded together: consecutive items as batches, and many generators side by side."""

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
Question = TypeVar("Question")
Answer = TypeVar("Answer")
Result = TypeVar("Result")

#: Pixels that are coded together.
BATCH_PIXELS = 16 << 20


def drive(
    generators: Sequence[Generator[Question, Answer, Result]], solve: Callable[[list[Question]], list[Answer]]
) -> list[Result]:
    """Run every generator to its end.

    Args:
        solve: answers to the questions of one round, in order.
    Returns:
        What the generators return, in order.
    """
    results: dict[int, Result] = {}
    answers: dict[int, Answer | None] = dict.fromkeys(range(len(generators)))
    while answers:
        asked: dict[int, Question] = {}
        for i, answer in answers.items():
            try:
                asked[i] = generators[i].send(answer)  # type: ignore[arg-type]
            except StopIteration as stop:
                results[i] = stop.value
        answers = dict(zip(asked, solve(list(asked.values())), strict=True)) if asked else {}
    return [results[i] for i in range(len(generators))]


def batches(items: Sequence[T], pixels: Callable[[T], int], limit: int = BATCH_PIXELS) -> Iterator[list[T]]:
    """Consecutive items with at most `limit` pixels together, or one alone."""
    batch: list[T] = []
    total = 0
    for item in items:
        if batch and total + pixels(item) > limit:
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += pixels(item)
    if batch:
        yield batch
