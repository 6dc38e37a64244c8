"""Tests on a CUDA device: every form writes and reads the bytes of the CPU."""

import importlib.util
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
import torch
from pixcodecs.coders import rans
from pixcodecs.coders.registry import RANGE, RANS
from pixcodecs.errors import BitstreamError, PixzipError

from pixzip.engine.backends.cuda.batch import Form, Steps
from pixzip.engine.backends.cuda.engine import DeviceEngine
from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.engine.batch import Samples
from pixzip.engine.wavefront import WavefrontEngine
from pixzip.models import library
from pixzip.models.registry import load_wavefront
from tests.helpers.support import decoding, encoding, noise, scene, shares, tiny_weights

pytestmark = [
    pytest.mark.gpu,
    # warnings of compilers and PyTorch are ignored; a RuntimeWarning of pixzip stays an error
    pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning", "default::UserWarning"),
]

CODERS = [RANGE, RANS]
FORMS = ["steps", "kernel"]
HAS_TRITON = importlib.util.find_spec("triton") is not None
SIZES = [(7, 11), (1, 1), (1, 40), (33, 1), (2, 14), (20, 37), (3, 3)]


def images(channels: int, n: int) -> list[Samples]:
    """Small photographs and noise, of alternating sizes."""
    return [(scene, noise)[i % 2](channels, *SIZES[i % len(SIZES)], i) for i in range(n)]


def sizes(batch: Sequence[Samples]) -> list[tuple[int, int]]:
    return [samples.shape[:2] for samples in batch]


def same(a: Sequence[Samples], b: Sequence[Samples]) -> bool:
    return all(x.dtype == y.dtype and np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def make(form: str, engine: TensorEngine) -> Form:
    if form == "steps":
        return Steps(engine.layers)
    from pixzip.engine.backends.triton.form import Kernel

    return Kernel(engine.model, engine.layers.products.device)


@cache
def on_cpu(channels: int) -> WavefrontEngine:
    return WavefrontEngine(tiny_weights(channels, seed=51, spread=1.0))


@cache
def on_gpu(channels: int, form: str) -> DeviceEngine:
    return DeviceEngine(on_cpu(channels).model, "cuda", lambda engine: make(form, engine))


@pytest.fixture(params=FORMS, name="form")
def _form(request: pytest.FixtureRequest) -> str:
    if request.param == "kernel" and not HAS_TRITON:
        pytest.skip("no Triton")
    return str(request.param)


@pytest.mark.parametrize("channels", [1, 3])
def test_step_by_step_the_bytes_are_those_of_the_cpu(channels: int) -> None:
    cpu, gpu, batch = on_cpu(channels), TensorEngine(on_cpu(channels).model, "cuda"), images(channels, 7)
    for coder in CODERS:
        payloads = gpu.encode(encoding(batch, coder=coder))
        assert payloads == cpu.encode(encoding(batch, coder=coder))
        assert same(gpu.decode(decoding(payloads, sizes(batch), coders=[coder] * len(batch))), batch)


@pytest.mark.parametrize("n", [1, 7, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_bytes_are_those_of_the_cpu_and_each_reads_the_others(channels: int, n: int, form: str) -> None:
    cpu, gpu, batch = on_cpu(channels), on_gpu(channels, form), images(channels, n)
    for coder in CODERS:
        coders = [coder] * n
        here, there = cpu.encode(encoding(batch, coder=coder)), gpu.encode(encoding(batch, coder=coder))
        assert there == here
        assert same(gpu.decode(decoding(here, sizes(batch), coders=coders)), batch)
        assert same(cpu.decode(decoding(there, sizes(batch), coders=coders)), batch)


@pytest.mark.parametrize("channels", [1, 3])
def test_large_images_in_lanes_of_all_numbers(channels: int, form: str) -> None:
    """Steps have more pixels than a product has rows and a payload has lanes, and there are several launches."""
    cpu, gpu = on_cpu(channels), on_gpu(channels, form)
    batch = [scene(channels, 150, 320, 1), noise(channels, 70, 131, 2), scene(channels, 300, 9, 3)]
    for coder in CODERS:
        assert gpu.encode(encoding(batch, coder=coder)) == cpu.encode(encoding(batch, coder=coder))
    found = [shares(cpu, samples) for samples in batch]
    for lanes in ((1, 2, 8), (32, 64, 1), (256, 16, 128)):
        payloads = [rans.encode(share, n) for share, n in zip(found, lanes, strict=True)]
        assert same(gpu.decode(decoding(payloads, sizes(batch), coders=[RANS] * 3)), batch)
    payloads = cpu.encode(encoding(batch))
    assert same(gpu.decode(decoding(payloads, sizes(batch))), batch)


def test_runs_repeat_and_payloads_of_both_coders_keep_their_order(form: str) -> None:
    cpu, gpu, batch = on_cpu(3), on_gpu(3, form), images(3, 8)
    coders = [CODERS[i // 2 % 2] for i in range(8)]
    payloads = [cpu.encode(encoding([samples], coder=coder))[0] for samples, coder in zip(batch, coders, strict=True)]
    for _ in range(5):
        assert same(gpu.decode(decoding(payloads, sizes(batch), coders=coders)), batch)


@pytest.mark.parametrize("total", range(1, 6))
def test_images_of_one_step_and_of_a_few(total: int, form: str) -> None:
    cpu, gpu, batch = on_cpu(3), on_gpu(3, form), [noise(3, 1, total, total)]
    told: list[tuple[int, int]] = []
    payloads = gpu.encode(encoding(batch, coder=RANS), lambda done, of: told.append((done, of)))
    assert payloads == cpu.encode(encoding(batch, coder=RANS))
    assert same(gpu.decode(decoding(payloads, sizes(batch), coders=[RANS])), batch)
    assert told[-1] == (total, total)


def test_damaged_payloads_are_errors(form: str) -> None:
    cpu, gpu, batch = on_cpu(1), on_gpu(1, form), [scene(1, 9, 12, 1)] * 3
    for coder in CODERS:
        good = cpu.encode(encoding(batch, coder=coder))
        for bad in (good[1] + b"\1\0\0\0" * 3, good[1] + b"\1"):
            with pytest.raises(BitstreamError):
                gpu.decode(decoding([good[0], bad, good[2]], sizes(batch), coders=[coder] * 3))
        assert same(gpu.decode(decoding(good, sizes(batch), coders=[coder] * 3)), batch)
    flipped = good[1][:5] + bytes([good[1][5] ^ 85]) + good[1][6:]
    for bad in (flipped, good[1][:-4]):  # rANS knows its final state
        with pytest.raises(BitstreamError):
            gpu.decode(decoding([good[0], bad, good[2]], sizes(batch), coders=[RANS] * 3))


@pytest.mark.skipif(not HAS_TRITON, reason="no Triton")
def test_the_kernel_is_the_form_that_is_taken() -> None:
    from pixzip.engine.backends.triton.form import Kernel

    assert isinstance(DeviceEngine(on_cpu(3).model, "cuda").form, Kernel)


@pytest.mark.parametrize("name", ["fast", "base"])  # compiling each takes about a minute
def test_shipped_models_write_and_read_the_bytes_of_the_cpu(name: str) -> None:
    weights = load_wavefront(library.shipped_paths()[name])
    channels = weights.channels
    batch = [scene(channels, 30, 45, 1), noise(channels, 9, 20, 2), scene(channels, 1, 5, 3)]
    cpu, gpu = WavefrontEngine(weights), DeviceEngine(weights, "cuda")
    assert gpu.form is not None
    for coder in CODERS:
        payloads = cpu.encode(encoding(batch, coder=coder))
        assert gpu.encode(encoding(batch, coder=coder)) == payloads
        assert same(gpu.decode(decoding(payloads, sizes(batch), coders=[coder] * 3)), batch)
        slow = Steps(gpu.layers)
        if coder.name in slow.coders:
            assert same(slow.decode(decoding(payloads, sizes(batch), coders=[coder] * 3)), batch)


@pytest.mark.skipif(not HAS_TRITON, reason="no Triton")
def test_a_batch_that_does_not_fit_the_memory_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu, batch = on_gpu(3, "kernel"), [scene(3, 256, 256, i) for i in range(4)] * 8
    whole = gpu.encode(encoding(batch, coder=RANS))
    assert gpu.form is not None
    edges, taken = gpu.form.edges, []

    def counted(part: Sequence[Samples], progress: object = None) -> object:
        found = edges(part)
        taken.append(len(part))
        return found

    monkeypatch.setattr(gpu.form, "edges", counted)
    total = torch.cuda.get_device_properties(0).total_memory
    try:
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        # edges of the batch take 100 MiB, those of its half 50, and small parts are allocated in 20 MiB
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + (64 << 20)) / total)
        assert gpu.encode(encoding(batch, coder=RANS)) == whole
        assert len(taken) > 1
        assert sum(taken) == len(batch)
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + (1 << 20)) / total)
        with pytest.raises(PixzipError, match="does not hold the smallest batch"):
            gpu.encode(encoding([scene(3, 1024, 1024, 1)]))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert gpu.encode(encoding(batch[:4], coder=RANS)) == whole[:4]


def test_threads_may_share_an_engine(form: str) -> None:
    cpu, gpu = on_cpu(3), on_gpu(3, form)
    batches = [[scene(3, 20 + i, 31, i), noise(3, 5, 7 + i, i)] for i in range(4)]
    expected = [cpu.encode(encoding(batch, coder=RANS)) for batch in batches]

    def there_and_back(i: int) -> bool:
        payloads = gpu.encode(encoding(batches[i], coder=RANS))
        coders = [RANS] * 2
        return payloads == expected[i] and same(
            gpu.decode(decoding(payloads, sizes(batches[i]), coders=coders)), batches[i]
        )

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(there_and_back, [*range(4)] * 3))
