"""Every engine codes no images at all: nothing is the answer."""

from collections.abc import Callable

import pytest
from pixcodecs.coders import range as range_coder

from pixzip.engine.backends.cuda.batch import Steps
from pixzip.engine.backends.cuda.engine import DeviceEngine
from pixzip.engine.backends.cuda.memory import halved
from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.engine.base import Engine
from pixzip.engine.batching import halving
from pixzip.engine.executor import Local
from pixzip.engine.family import FamilyEngine
from pixzip.engine.wavefront import WavefrontEngine
from tests.helpers.family import pair
from tests.helpers.support import tiny_weights

ENGINES: dict[str, Callable[[], Engine]] = {
    "compiled": lambda: WavefrontEngine(tiny_weights(1)),
    "tensors": lambda: TensorEngine(tiny_weights(1), backend="float32"),
    "device": lambda: DeviceEngine(tiny_weights(1), "cpu", lambda e: Steps(e.layers)),
    "family": lambda: FamilyEngine(pair("pixelcnn-1 head=softmax levels=2 channels=1")[1]),
}


@pytest.mark.parametrize("name", ENGINES)
def test_no_jobs_have_no_results(name: str) -> None:
    engine = ENGINES[name]()
    for code in (engine.encode, engine.decode, engine.nll_maps, engine.nll_bits):
        assert code([]) == []
    engine.encode_into([], encoder := range_coder.Encoder())
    assert encoder.finish() == b""
    assert engine.decode_from([], range_coder.Decoder(b"")) == []
    with type(engine).placed([]) as device:
        assert device in ("cpu", "cuda")


def test_no_items_are_no_work() -> None:
    def fails(items: list[int]) -> list[int]:
        raise AssertionError(items)

    assert halving(fails, [], ValueError, lambda item, error: item) == []
    assert halved(fails, []) == []


def test_an_executor_answers_nothing_with_nothing() -> None:
    assert Local().encode([]) == []
    assert Local().decode([]) == []
