"""Which device a batch is coded on: the one that is taken to be sooner done, as experience has it."""

import pytest
from pixcodecs.container.blocks import Precision

from pixzip.engine import batching, executor
from pixzip.engine.crossover import Crossover
from pixzip.engine.schedule import count_steps
from tests.helpers.support import tiny_weights


class Clock:
    """Shows what it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def coded(crossover: Crossover, clock: Clock, device: str, steps: int, pixels: int, seconds: float) -> None:
    with crossover.timed(device, steps, pixels):
        clock.now += seconds


PHOTO = count_steps(512, 768), 512 * 768


def test_one_small_image_stays_with_the_cpu_and_a_collection_starts_the_gpu() -> None:
    crossover = Crossover()
    assert crossover.choose(count_steps(64, 64), 64 * 64) == "cpu"
    assert crossover.choose(PHOTO[0], 24 * PHOTO[1]) == "cuda"


def test_a_gpu_that_has_started_is_worth_its_while_for_less() -> None:
    clock = Clock()
    crossover = Crossover(clock)
    assert crossover.choose(*PHOTO) == "cpu"
    coded(crossover, clock, "cuda", *PHOTO, 5.0)
    assert crossover.choose(*PHOTO) == "cuda"


def test_what_starting_takes_is_not_held_against_later_batches() -> None:
    clock = Clock()
    crossover = Crossover(clock)
    before = crossover.costs["cuda"].factor
    coded(crossover, clock, "cuda", *PHOTO, 100.0)
    assert crossover.costs["cuda"].factor == before


def test_a_gpu_that_turns_out_slow_is_left_alone() -> None:
    clock = Clock()
    crossover = Crossover(clock)
    for _ in range(8):
        coded(crossover, clock, "cuda", *PHOTO, 60.0)
        coded(crossover, clock, "cpu", *PHOTO, 2.0)
    assert crossover.choose(*PHOTO) == "cpu"


def test_the_factor_comes_to_what_batches_take() -> None:
    clock = Clock()
    crossover = Crossover(clock)
    cost = crossover.costs["cpu"]
    expected_s = PHOTO[0] * cost.step_s + PHOTO[1] * cost.pixel_s
    for _ in range(20):
        coded(crossover, clock, "cpu", *PHOTO, 3 * expected_s)
    assert cost.factor == pytest.approx(3.0, rel=1e-3)


def test_auto_is_decided_batch_by_batch_where_there_is_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The GPU is an engine of the CPU's here, which says that it was asked."""
    used: list[str] = []
    monkeypatch.setattr(executor, "resolve_device", lambda name: "cuda" if name == "auto" else name)
    monkeypatch.setattr(executor, "crossover", lambda crossover=Crossover(): crossover)  # noqa: B008
    monkeypatch.setattr(executor.memory, "batch_pixels", lambda: 0)
    made = executor.engine
    monkeypatch.setattr(executor, "engine", lambda weights, device: used.append(device) or made(weights, "cpu"))
    assert executor.coding_device("auto") == "auto"
    weights = tiny_weights(1)
    small, large = (executor.np.zeros((side, side, 1), executor.np.uint8) for side in (8, 40))
    executor.encode([executor.Ask(small, weights)], "auto")
    executor.crossover().costs["cuda"].start_s = 0.0
    executor.crossover().costs["cuda"].step_s = 0.0
    executor.encode([executor.Ask(large, weights)], "auto")
    assert used == ["cpu", "cuda"]


def test_what_a_gpu_codes_step_by_step_stays_with_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[str] = []
    made = executor.engine
    monkeypatch.setattr(executor, "engine", lambda weights, device: used.append(device) or made(weights, "cpu"))
    monkeypatch.setattr(executor.memory, "batch_pixels", lambda: 0)
    weights = tiny_weights(1)
    deep = executor.np.zeros((8, 8, 1), executor.np.uint16)
    executor.encode([executor.Ask(deep, weights, Precision(12, 2))], "auto")
    executor.stepping_engine(weights, "auto")
    executor.stepping_engine(weights, "cuda")
    assert used == ["cpu", "cpu", "cuda"]


def test_a_batch_of_a_cpu_has_the_size_it_had() -> None:
    assert executor.batch_pixels("cpu") == batching.BATCH_PIXELS
    assert list(executor.batches([1, 2], lambda n: n * batching.BATCH_PIXELS, "cpu")) == [[1], [2]]
