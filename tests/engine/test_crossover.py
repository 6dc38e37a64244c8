"""The device of a batch is the one with the shorter estimated time, corrected by measurements."""

import numpy as np
import pytest
from pixcodecs.container.blocks import Precision

from pixzip.engine import batching, device, executor, wavefront
from pixzip.engine.backends.cuda import memory
from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.engine.crossover import Cost, Crossover
from pixzip.engine.executor import Ask, Local
from pixzip.engine.schedule import count_steps
from pixzip.engine.stages.light import LIGHT
from tests.helpers.support import tiny_weights


class Clock:
    """A clock that shows a set time."""

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


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The devices of requested engines; the GPU's engine runs on the CPU here."""
    asked: list[str] = []
    monkeypatch.setattr(
        executor, "engine", lambda model, device: asked.append(device) or TensorEngine(model, backend="float32")
    )
    monkeypatch.setattr(memory, "batch_pixels", lambda: 0)
    return asked


def test_auto_is_decided_batch_by_batch_where_there_is_a_gpu(used: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "resolve_device", lambda name: "cuda" if name == "auto" else name)
    crossover = Crossover()
    monkeypatch.setattr(wavefront, "crossover", lambda: crossover)
    assert device.coding_device("auto") == "auto"
    model, here = tiny_weights(1), Local("auto")
    small, large = (np.zeros((side, side, 1), np.uint8) for side in (8, 40))
    here.encode([Ask(small, model)])
    crossover.costs["cuda"].start_s = 0.0
    crossover.costs["cuda"].step_s = 0.0
    here.encode([Ask(large, model)])
    assert used == ["cpu", "cuda"]


def test_what_a_gpu_codes_step_by_step_stays_with_the_cpu(used: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    model, high_depth = tiny_weights(1), np.zeros((8, 8, 1), np.uint16)
    Local("auto").encode([Ask(high_depth, model, Precision(12, 2))])
    crossover = Crossover()
    monkeypatch.setattr(wavefront, "crossover", lambda: crossover)
    crossover.costs["cuda"] = Cost(0, 0, 0)
    eight_bits = np.zeros((8, 8, 1), np.uint8)
    Local("auto").encode([Ask(eight_bits, model), Ask(eight_bits, model, stage=LIGHT)])
    Local("auto").encode([Ask(eight_bits, model)])
    Local("auto").stream_engine(model)
    Local("cuda").stream_engine(model)
    assert used == ["cpu", "cpu", "cuda", "cpu", "cuda"]


def test_a_batch_of_a_cpu_has_the_size_it_had() -> None:
    assert Local("cpu").batch_pixels == batching.BATCH_PIXELS
    assert list(executor.batches([1, 2], lambda n: n * batching.BATCH_PIXELS, Local())) == [[1], [2]]
