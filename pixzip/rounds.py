"""Many generators side by side: what they ask for in a round is answered as one batch."""

from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")
Result = TypeVar("Result")


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
