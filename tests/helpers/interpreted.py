"""Run the Triton kernel in Triton's interpreter for `test_triton_kernel`, and print JSON.

`python -m tests.helpers.interpreted` is a separate process, because TRITON_INTERPRET must be in the environment
before Triton is imported.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from pixcodecs.coders import rans
from pixcodecs.coders.registry import RANGE, RANS
from pixcodecs.errors import BitstreamError

from pixzip.engine.backends.cuda import engine as device_engine
from pixzip.engine.backends.cuda.batch import Steps
from pixzip.engine.backends.cuda.engine import DeviceEngine
from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.engine.backends.triton import form as triton_form
from pixzip.engine.backends.triton.form import Kernel
from pixzip.engine.batch import Samples
from tests.helpers.support import decoding, encoding, noise, scene, shares, tiny_weights

#: Pixels that the kernel processes at once: fewer than a step has.
ROWS_AT_ONCE = 2
#: Steps per launch, so that there are several launches.
STEPS_AT_ONCE = 4


def sizes(images: list[Samples]) -> list[tuple[int, int]]:
    return [samples.shape[:2] for samples in images]


def same(a: list[Samples], b: list[Samples]) -> bool:
    return all(x.dtype == y.dtype and np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def with_engine(channels: int, images: list[Samples]) -> dict[str, Any]:
    """Compare a model's kernel with its steps and its plain engine."""
    plain = TensorEngine(tiny_weights(channels, seed=31, spread=1.0), backend="float32")
    device_engine.known_answer_pattern = lambda channels: noise(channels, 1, 2, 9)  # the real one takes minutes
    made = DeviceEngine(plain.model, "cpu", lambda e: Kernel(e.model, torch.device("cpu"), ROWS_AT_ONCE))
    found: dict[str, Any] = {}
    pairs = zip(made.form.edges(images), Steps(plain.layers).edges(images), strict=True)
    found["edges of tensor operations"] = all(np.array_equal(a, b) for a, b in pairs)
    coders = [(RANGE, RANS)[i % 2] for i in range(len(images))]
    payloads = [plain.encode(encoding([p], coder=c))[0] for p, c in zip(images, coders, strict=True)]
    found["pixels of payloads of both coders"] = same(
        made.decode(decoding(payloads, sizes(images), coders=coders)), images
    )
    lanes = [rans.encode(shares(plain, p), n) for p, n in zip(images, (2, 4, 1), strict=False)]
    found["pixels of lanes that take turns"] = same(
        made.form.decode(decoding(lanes, sizes(images), coders=[RANS] * len(lanes))), images
    )
    return found


def outcome(work: Callable[[], object]) -> str:
    try:
        work()
    except BitstreamError as e:
        return str(e).partition(":")[0]
    return "decoded"


def damages(payload: bytes) -> list[bytes]:
    """Yield damaged payloads."""
    flipped = [payload[:i] + bytes([payload[i] ^ 1 << i]) + payload[i + 1 :] for i in range(0, len(payload), 3)]
    cut = [payload[:n] for n in (0, 4, len(payload) - 4, len(payload) - 1)]
    return [payload, *flipped, *cut, payload + bytes(4), payload + b"\1\0\0\0", b"\xff" * 12]


def with_damage() -> list[tuple[str, str]]:
    """The outcomes of the plain engine and of the kernel on damaged payloads of the range coder."""
    plain = TensorEngine(tiny_weights(1, seed=32), backend="float32")
    form = Kernel(plain.model, torch.device("cpu"), ROWS_AT_ONCE)
    payload = plain.encode(encoding([noise(1, 1, 2, 4)]))[0]
    return [
        (
            outcome(lambda data=data: plain.decode(decoding([data], [(1, 2)]))),
            outcome(lambda data=data: form.decode(decoding([data], [(1, 2)]))),
        )
        for data in damages(payload)
    ]


def main() -> None:
    from triton.runtime.interpreter import interpreter_builder

    torch.set_num_threads(1)
    object.__setattr__(interpreter_builder.options, "sanitize_overflow", False)  # twice as fast
    triton_form.STEPS_AT_ONCE = STEPS_AT_ONCE
    sys.stdout.write(
        json.dumps(
            {
                "RGB": with_engine(3, [scene(3, 3, 5, 1), noise(3, 1, 2, 2), noise(3, 2, 1, 3)]),
                "grey": with_engine(1, [scene(1, 3, 4, 4), noise(1, 1, 1, 5)]),
                "damage": with_damage(),
            }
        )
    )


if __name__ == "__main__":
    main()
