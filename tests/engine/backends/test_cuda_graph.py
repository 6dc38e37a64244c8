"""Requirements of CUDA graphs: steps never read a value from the device, and the number of steps is right."""

from typing import Any

import numpy as np
import pytest
import torch
from pixcodecs.coders import rans
from pixcodecs.coders.base import EntropyCoder
from pixcodecs.coders.registry import RANS
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pixzip.engine.backends.cuda import graph
from pixzip.engine.backends.cuda.lanes import Lanes
from pixzip.engine.backends.cuda.slots import Slots
from pixzip.engine.backends.cuda.step import FromImages, FromPayloads, MaskedStep, Symbols
from pixzip.engine.backends.torch import gemm
from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.engine.backends.torch.layers import Layers
from tests.helpers.support import noise, shares, tiny_weights

#: A device whose tensors have shapes but no values: reading a value raises an error.
META = torch.device("meta")
IMAGES = [noise(3, 9, 5, 1), noise(3, 1, 1, 2), noise(3, 2, 8, 3)]


class OnDevice(TorchDispatchMode):
    """Refuses operations that cannot be captured: on tensors of the host, or with unknown shapes."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **kwargs or {})
        tensors = [x for x in tree_leaves((args, kwargs, out)) if isinstance(x, torch.Tensor)]
        if any(x.device != META for x in tensors):
            raise RuntimeError(f"{func} has a tensor of the host")
        indices = tree_leaves(args[1]) if str(func).startswith(("aten.index.", "aten.index_put")) else []
        if any(x.dtype == torch.bool for x in indices if x is not None):
            raise RuntimeError(f"{func} must count what is true")
        return out


@pytest.fixture(name="watched")
def _watched(monkeypatch: pytest.MonkeyPatch) -> OnDevice:
    def refused(*args: object, **kwargs: object) -> None:
        raise RuntimeError("a copy from the host")

    for name in ("tensor", "from_numpy", "as_tensor"):
        monkeypatch.setattr(torch, name, refused)
    return OnDevice()


def made(backend: str, coder: EntropyCoder | None, kind: type[MaskedStep] = MaskedStep) -> MaskedStep:
    """A step without values, for known images, or for payloads of several lanes and rounds."""
    weights = tiny_weights(3)
    slots = Slots([samples.shape[:2] for samples in IMAGES], META)
    symbols: Symbols = FromImages(slots, IMAGES, META)
    if coder:
        engine = TensorEngine(weights, backend="float32")
        payloads = [
            rans.encode(shares(engine, samples), lanes) for samples, lanes in zip(IMAGES, (2, 1, 4), strict=True)
        ]
        symbols = FromPayloads(Lanes(payloads, slots, META))
    return kind(Layers(weights, gemm.BACKENDS[backend](META)), slots, symbols)


@pytest.mark.parametrize("backend", gemm.BACKENDS)
@pytest.mark.parametrize("coder", [None, RANS])
def test_a_step_never_asks_its_device_for_a_value(
    backend: str, coder: EntropyCoder | None, request: pytest.FixtureRequest
) -> None:
    step = made(backend, coder)
    with request.getfixturevalue("watched"):
        for _ in range(3):
            step()


class Bad(MaskedStep):
    """A step that cannot be captured."""

    def item(self) -> None:
        self.t.item()

    def branch(self) -> None:
        if self.t > 0:
            self.t -= 1

    def mask(self) -> None:
        self.buffer[self.buffer > 0] = 1

    def constant(self) -> None:
        self.t += torch.tensor(1, device=META)

    def array(self) -> None:
        self.t += torch.from_numpy(np.ones(1))

    def host(self) -> None:
        self.t += torch.zeros((), dtype=torch.int64)

    def host_index(self) -> None:
        self.buffer[torch.zeros(1, dtype=torch.int64), 0] = 1

    def copy(self) -> None:
        self.buffer.cpu()


@pytest.mark.parametrize("what", ["item", "branch", "mask", "constant", "array", "host", "host_index", "copy"])
def test_a_step_that_asks_would_be_found(what: str, request: pytest.FixtureRequest) -> None:
    step = made("float32", None, Bad)
    with request.getfixturevalue("watched"), pytest.raises((RuntimeError, NotImplementedError)):
        getattr(step, what)()


@pytest.mark.parametrize("total", [1, 2, 3, 4, 64, 65, 130])
def test_steps_before_capturing_and_replays_are_all_the_steps(total: int) -> None:
    log: list[str] = []

    def captured(step: graph.Again, warm_up: int) -> graph.Again:
        for _ in range(warm_up):
            step()
        log.append("capture")
        return lambda: log.append("replay")

    def done() -> int:
        return log.count("step") + log.count("replay")

    def progress(so_far: int, of: int) -> None:
        assert log[-1] == "wait"
        assert (so_far, of) == (done(), total)
        log.append("progress")

    graph.repeat(lambda: log.append("step"), total, captured, progress, lambda: log.append("wait"))
    assert done() == total
    assert log.index("capture") == min(2, total)
    assert log.count("progress") == -(-total // graph.STEPS_AT_ONCE)


@pytest.mark.parametrize("total", [1, 2, 65])
def test_without_a_graph_every_step_is_taken(total: int) -> None:
    log: list[str] = []
    graph.repeat(lambda: log.append("step"), total)
    assert log == ["step"] * total
