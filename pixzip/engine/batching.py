"""Batches: consecutive items, halves of a batch that fails, and generators that run side by side."""

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TypeVar

from pixcodecs import forking

T = TypeVar("T")
Question = TypeVar("Question")
Answer = TypeVar("Answer")
Other = TypeVar("Other")
Result = TypeVar("Result")
Alone = TypeVar("Alone")

#: Number of pixels that are coded together.
BATCH_PIXELS = 16 << 20


def batches(items: Sequence[T], pixels: Callable[[T], int], limit: int = BATCH_PIXELS) -> Iterator[list[T]]:
    """Split items into batches of at most `limit` pixels; a larger item is a batch of its own."""
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


def alike(items: Sequence[T], kind: Callable[[T], object]) -> list[list[int]]:
    """Positions of the items of each kind; kinds are in the order of their first items."""
    found: dict[object, list[int]] = {}
    for i, item in enumerate(items):
        found.setdefault(kind(item), []).append(i)
    return list(found.values())


def halving(
    work: Callable[[list[T]], list[Result]],
    items: Sequence[T],
    errors: type[BaseException] | tuple[type[BaseException], ...],
    alone: Callable[[T, BaseException], Alone],
    recover: Callable[[], None] = lambda: None,
) -> list[Result | Alone]:
    """The results of items, computed as one batch; a batch that fails is halved, again and again; none of none.

    Args:
        errors: exceptions of `work` after which smaller batches may succeed.
        alone: gives the result of a single item that fails, or raises.
        recover: called before a batch is halved, after the traceback of its error is freed.
    """
    batch = list(items)
    if not batch:
        return []
    try:
        return [*work(batch)]
    except errors as e:
        if len(batch) == 1:
            return [alone(batch[0], e)]
    # after `except`: its traceback would keep the memory of `work` alive
    recover()
    middle = len(batch) // 2
    return [
        result for part in (batch[:middle], batch[middle:]) for result in halving(work, part, errors, alone, recover)
    ]


def drive(
    generators: Sequence[Generator[Question, Answer, Result]], solve: Callable[[list[Question]], list[Answer]]
) -> list[Result]:
    """Run all generators to their ends; the questions of one round are answered as one batch.

    Args:
        solve: answers the questions of one round, in order.
    Returns:
        The generators' return values, in order.
    """
    results: dict[int, Result] = {}
    answers: dict[int, Answer | None] = dict.fromkeys(range(len(generators)))
    while answers:
        asked: dict[int, Question] = {}
        for i, answer in answers.items():
            try:
                with forking.shielded:
                    asked[i] = generators[i].send(answer)  # type: ignore[arg-type]
            except StopIteration as stop:
                results[i] = stop.value
        answers = dict(zip(asked, solve(list(asked.values())), strict=True)) if asked else {}
    return [results[i] for i in range(len(generators))]


def relay(
    generator: Generator[Question, Answer, Result],
    translate: Callable[[Question], Other],
    note: Callable[[Other, Answer], object] = lambda question, answer: None,
) -> Generator[Other, Answer, Result]:
    """Run a generator by another one that asks its questions in other words.

    Args:
        translate: what the generator asks -> what is asked.
        note: called with a translated question and its answer, before the generator is sent the answer.
    """
    try:
        question = next(generator)
        while True:
            asked = translate(question)
            answer = yield asked
            note(asked, answer)
            question = generator.send(answer)
    except StopIteration as stop:
        result: Result = stop.value
        return result
