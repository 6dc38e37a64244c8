"""The GPU engine on a CPU: each form gives the bytes of the plain engine, or is not used."""

import re
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pixcodecs.coders.registry import CODERS, RANGE, RANS
from pixcodecs.container.blocks import Precision
from pixcodecs.errors import BitstreamError, ModelMismatchError, PixzipError

from pixzip.engine.backends.cuda import engine as device_engine
from pixzip.engine.backends.cuda import memory
from pixzip.engine.backends.cuda.batch import Form, Steps
from pixzip.engine.backends.cuda.engine import DeviceEngine
from pixzip.engine.backends.cuda.memory import TooLargeError, halved
from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.engine.base import Job, Progress
from pixzip.engine.batch import Samples
from pixzip.engine.known_answer import known_answer_pattern
from pixzip.engine.wavefront import WavefrontEngine
from tests.helpers.support import decoding, encoding, noise, scene, tiny_weights


class Both(Steps):
    """A form that decodes both coders by calling the plain engine."""

    coders = frozenset(CODERS)

    def __init__(self, engine: TensorEngine) -> None:
        super().__init__(engine.layers)
        self.plain = TensorEngine(engine.model, backend="float32")
        self.decoded: list[tuple[str, int]] = []

    def decode(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Samples]:
        self.decoded.append((jobs[0].coder.name, len(jobs)))
        return self.plain.decode(jobs)


FORMS: dict[str, Callable[[TensorEngine], Form]] = {"steps": lambda e: Steps(e.layers), "both": Both}


@pytest.fixture(autouse=True)
def _short_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of the pattern that a form must reproduce; the whole pattern takes seconds."""
    monkeypatch.setattr(device_engine, "known_answer_pattern", lambda c: known_answer_pattern(c)[12:18, 5:12])


def images(channels: int) -> list[Samples]:
    return [scene(channels, 5, 9, 1), noise(channels, 1, 1, 2), noise(channels, 4, 1, 3), scene(channels, 2, 6, 4)]


def sizes(batch: Sequence[Samples]) -> list[tuple[int, int]]:
    return [samples.shape[:2] for samples in batch]


def same(a: Sequence[Samples], b: Sequence[Samples]) -> bool:
    return all(x.dtype == y.dtype and np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("channels", [1, 3])
def test_bytes_and_pixels_are_those_of_the_plain_engine(form: str, channels: int) -> None:
    weights = tiny_weights(channels, seed=41)
    plain, device, batch = WavefrontEngine(weights), DeviceEngine(weights, "cpu", FORMS[form]), images(channels)
    for coder in CODERS.values():
        jobs = encoding(batch, coder=coder)
        payloads = device.encode(jobs)
        assert payloads == plain.encode(jobs)
        assert same(device.decode(decoding(payloads, sizes(batch), coders=[coder] * len(batch))), batch)
    jobs = encoding(batch)
    assert same(device.decode(decoding(plain.encode(jobs), sizes(batch))), batch)
    maps = zip(device.nll_maps(jobs), plain.nll_maps(jobs), strict=True)
    assert all(np.allclose(a, b, rtol=1e-9) for a, b in maps)


@pytest.mark.parametrize("form", FORMS)
def test_payloads_of_both_coders_in_one_call_keep_their_order(form: str) -> None:
    weights = tiny_weights(3, seed=42)
    device, batch = DeviceEngine(weights, "cpu", FORMS[form]), [*images(3), *images(3)[::-1]]
    coders = [RANS, RANGE, RANGE, RANS, RANGE, RANS, RANS, RANS]
    payloads = [device.encode(encoding([p], coder=c))[0] for p, c in zip(batch, coders, strict=True)]
    if isinstance(device.form, Both):
        device.form.decoded.clear()
    assert same(device.decode(decoding(payloads, sizes(batch), coders=coders)), batch)
    if isinstance(device.form, Both):
        assert device.form.decoded == [("rans", 5), ("range", 3)]


@pytest.mark.parametrize("precision", [Precision(12, 3), Precision(16, 8)])
def test_samples_of_more_than_8_bits_are_coded_step_by_step(
    precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tiny_weights(1, seed=43)
    plain, device = WavefrontEngine(weights), DeviceEngine(weights, "cpu", FORMS["steps"])
    for name in ("edges", "decode"):
        monkeypatch.setattr(device.form, name, None)
    high_depth = [samples.astype(np.uint16) << precision.depth - 8 for samples in images(1)]
    precisions = [precision] * len(high_depth)
    for coder in CODERS.values():
        jobs = encoding(high_depth, precisions, coder)
        payloads = device.encode(jobs)
        assert payloads == plain.encode(jobs)
        assert same(
            device.decode(decoding(payloads, sizes(high_depth), precisions, [coder] * len(high_depth))), high_depth
        )
    assert len(device.nll_maps(encoding(high_depth, precisions))) == len(high_depth)


# Forms that are not used.


class WrongEdges(Steps):
    def edges(self, images: Sequence[Samples], progress: Progress | None = None) -> list[NDArray[np.int64]]:
        found = super().edges(images, progress)
        found[0][-1, -1, -1, 1] += 1  # the share of one symbol of one pixel
        return found


class WrongPixels(Both):
    def decode(self, *args: object, **kwargs: object) -> list[Samples]:  # type: ignore[override]
        found = super().decode(*args, **kwargs)  # type: ignore[arg-type]
        found[0][-1, -1, -1] ^= 1
        return found


class LostTrack(Steps):
    def decode(self, *args: object, **kwargs: object) -> list[Samples]:  # type: ignore[override]
        raise BitstreamError("payload ends before its last pixel")


class Uncompiled(Exception):  # noqa: N818
    """An exception that is no `RuntimeError`, like those of Triton."""


def raising(error: Exception) -> Callable[[TensorEngine], Form]:
    def make(engine: TensorEngine) -> Form:
        raise error

    return make


def candidates(monkeypatch: pytest.MonkeyPatch, *made: Callable[[TensorEngine], Form]) -> None:
    monkeypatch.setattr(device_engine, "forms", lambda engine: iter(made))


WRONG: dict[str, Callable[[TensorEngine], Form]] = {
    "WrongEdges": lambda e: WrongEdges(e.layers),
    "WrongPixels": WrongPixels,
    "LostTrack": lambda e: LostTrack(e.layers),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_form_of_wrong_bytes_is_refused_where_it_is_asked_for_and_else_passed_over(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tiny_weights(1, seed=44)
    with pytest.raises(ModelMismatchError, match=f"{name} computes other bytes"):
        DeviceEngine(weights, "cpu", WRONG[name])
    candidates(monkeypatch, WRONG[name], FORMS["steps"])
    assert type(DeviceEngine(weights, "cpu").form) is Steps


@pytest.mark.parametrize(
    "error", [RuntimeError("no driver"), torch.OutOfMemoryError("none left"), Uncompiled("at 3:4")]
)
def test_a_form_that_this_machine_cannot_run_is_passed_over(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    candidates(monkeypatch, raising(error), FORMS["both"])
    assert type(DeviceEngine(tiny_weights(1, seed=44), "cpu").form) is Both


def test_without_a_form_all_runs_step_by_step_after_a_warning_that_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    weights, batch = tiny_weights(1, seed=45), images(1)
    candidates(monkeypatch, raising(RuntimeError("no driver\nat all")), WRONG["WrongEdges"], raising(Uncompiled()))
    with pytest.warns(RuntimeWarning, match=re.escape("slow: no driver; other bytes; Uncompiled")):
        device = DeviceEngine(weights, "cpu")
    assert device.form is None
    for coder in CODERS.values():
        jobs = encoding(batch, coder=coder)
        payloads = WavefrontEngine(weights).encode(jobs)
        assert device.encode(jobs) == payloads
        assert same(device.decode(decoding(payloads, sizes(batch), coders=[coder] * len(batch))), batch)


def test_the_first_form_that_is_exact_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    candidates(monkeypatch, FORMS["both"], FORMS["steps"])
    assert type(DeviceEngine(tiny_weights(1, seed=44), "cpu").form) is Both


def test_a_machine_without_a_gpu_still_has_a_form() -> None:
    assert type(DeviceEngine(tiny_weights(1, seed=44), "cpu").form) is Steps


# Memory.


def limited(most: int, error: Exception, seen: list[list[int]]) -> Callable[[list[int]], list[str]]:
    def work(items: list[int]) -> list[str]:
        seen.append(items)
        if len(items) > most:
            raise error
        return [str(i) for i in items]

    return work


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("tried to allocate"), TooLargeError("too large")])
@pytest.mark.parametrize(("n", "most"), [(1, 1), (8, 8), (8, 4), (7, 2), (5, 1), (64, 3)])
def test_batches_are_halved_until_they_fit_and_keep_their_order(error: Exception, n: int, most: int) -> None:
    seen: list[list[int]] = []
    assert halved(limited(most, error, seen), range(n)) == [str(i) for i in range(n)]
    assert seen[0] == list(range(n))
    assert [i for items in seen if len(items) <= most for i in items] == list(range(n))


def test_one_item_that_does_not_fit_is_an_error_that_says_so() -> None:
    with pytest.raises(PixzipError, match="does not hold the smallest batch, one tile: tried to allocate"):
        halved(limited(0, torch.OutOfMemoryError("tried to allocate"), []), [1, 2, 3])


def test_other_errors_are_not_of_memory() -> None:
    seen: list[list[int]] = []
    with pytest.raises(ValueError, match="a mistake"):
        halved(limited(2, ValueError("a mistake"), seen), [1, 2, 3])
    assert len(seen) == 1


def test_an_engine_short_of_memory_codes_in_smaller_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    weights, batch = tiny_weights(1, seed=46), images(1)
    plain, device = WavefrontEngine(weights), DeviceEngine(weights, "cpu", FORMS["both"])
    form, most = device.form, 0
    assert form is not None
    for name in ("edges", "decode"):
        whole = getattr(form, name)

        def small(first: Sequence[object], *args: object, whole: Callable[..., object] = whole) -> object:
            nonlocal most
            if len(first) > 1:
                raise torch.OutOfMemoryError("tried to allocate")
            most = max(most, len(first))
            return whole(first, *args)

        monkeypatch.setattr(form, name, small)
    for coder in CODERS.values():
        jobs = encoding(batch, coder=coder)
        payloads = device.encode(jobs)
        assert payloads == plain.encode(jobs)
        assert same(device.decode(decoding(payloads, sizes(batch), coders=[coder] * len(batch))), batch)
    assert most == 1


def test_a_batch_of_a_gpu_takes_half_of_its_free_memory_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    for free_bytes, pixels in ((0, 0), (10**9, 10**9 // 2 // memory.BYTES_A_PIXEL), (1 << 40, memory.MOST_PIXELS)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda free=free_bytes: (free, 1 << 40))
        assert memory.batch_pixels() == pixels


def test_a_gpu_is_not_started_to_be_asked_for_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: pytest.fail("asked"))
    assert memory.batch_pixels() == memory.MOST_PIXELS
