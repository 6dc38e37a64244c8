"""The Triton kernel without a GPU: run in Triton's interpreter, and compiled for absent GPUs.

PIXZIP_COMPILE=all compiles every mode of every shipped model, which takes minutes; the default is one mode of a small
model.
"""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("triton")

from pixzip.engine.backends.cuda.memory import TooLargeError
from pixzip.engine.backends.triton import form as triton_form
from pixzip.engine.backends.triton import kernel
from pixzip.engine.backends.triton.form import Kernel
from pixzip.models import library
from tests.helpers.support import noise, tiny_weights

#: Bytes of shared memory per block on an A100 and on an H100.
SHARED_BYTES = {80: 163 << 10, 90: 227 << 10}
_ALL = os.environ.get("PIXZIP_COMPILE") == "all"
#: Model, mode, lanes, compute capability.
COMPILED = [("tiny", kernel.RANGE, 3, 90)]
if _ALL:
    COMPILED = [
        (name, mode, lanes, capability)
        for name in library.shipped_paths()
        for mode, lanes in ((kernel.KNOWN, 1), (kernel.RANGE, 3), (kernel.RANS, 1), (kernel.RANS, 256))
        for capability in SHARED_BYTES
    ]


@pytest.fixture(scope="module", name="found")
def _found() -> dict[str, Any]:
    versions = [tuple(map(int, version(name).split(".")[:2])) for name in ("triton", "numpy")]
    if versions[0] < (3, 7) and versions[1] >= (2, 4):
        pytest.skip("the interpreter of Triton before 3.7 takes no NumPy from 2.4 on")
    path = os.pathsep.join([str(library.__file__).rsplit("pixzip", 1)[0], *sys.path])
    done = subprocess.run(
        [sys.executable, "-m", "tests.helpers.interpreted"],
        env={**os.environ, "PYTHONPATH": path, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("model", ["RGB", "grey"])
def test_interpreted_kernel_is_the_other_forms(model: str, found: dict[str, Any]) -> None:
    """Edges equal those of tensor operations, and payloads of the plain engine are decoded with either coder."""
    assert len(found[model]) == 3
    assert all(found[model].values()), found[model]


def test_damaged_payloads_of_the_range_coder_are_errors_where_the_plain_engine_says_so(found: dict[str, Any]) -> None:
    answers = [tuple(pair) for pair in found["damage"]]
    assert all(plain == own for plain, own in answers), answers
    kinds = {own for _, own in answers}
    assert {"decoded", "payload damaged", "payload goes on after its last pixel"} <= kinds  # else it proves little


def _pointer(dtype: torch.dtype) -> str:
    return {torch.uint8: "*u8", torch.int8: "*i8", torch.int32: "*i32", torch.int64: "*i64"}[dtype]


@pytest.mark.parametrize(("name", "mode", "lanes", "capability"), COMPILED)
def test_kernel_compiles_for_gpus_and_fits_their_shared_memory(
    name: str, mode: int, lanes: int, capability: int
) -> None:
    from triton import compile as compiled
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    weights = tiny_weights(3) if name == "tiny" else library.load(library.shipped_paths()[name])
    cpu = torch.device("cpu")
    form = Kernel(weights, cpu)
    sources = triton_form._Sources([np.zeros(lanes, np.int64)], [np.zeros(0, np.uint32)], 0)
    batch = triton_form._Batch(weights, [(20, 40)], sources, cpu)
    constants = form.constants(batch, mode)
    arguments = [batch.images, None, None, None, *batch.tensors, *form.operands]
    assert len(arguments) + len(constants) == len(kernel.steps.arg_names)
    signature = {
        n: "i32" if a is None else _pointer(a.dtype)
        for n, a in zip(kernel.steps.arg_names, arguments, strict=False)
    } | dict.fromkeys(constants, "constexpr")  # fmt: skip
    source = ASTSource(kernel.steps, signature, constants)
    options = {"enable_fp_fusion": False, "num_warps": triton_form.WARPS, "num_stages": triton_form.STAGES}
    done = compiled(source, target=GPUTarget("cuda", capability, 32), options=options)
    assert done.asm["cubin"]
    assert done.metadata.shared <= SHARED_BYTES[capability]
    assert "bar.sync" in done.asm["ptx"]
    if _ALL:
        print(name, constants, capability, done.metadata.shared, len(done.asm["cubin"]))  # noqa: T201


@pytest.mark.parametrize("of", ["pixels", "rows", "words"])
def test_a_batch_beyond_addresses_of_32_bits_is_too_large(of: str, monkeypatch: pytest.MonkeyPatch) -> None:
    weights, cpu = tiny_weights(3), torch.device("cpu")
    size, words = {"pixels": ((1, 2000), 0), "rows": ((100, 1), 0), "words": ((1, 1), 30_000)}[of]
    sources = triton_form._Sources([np.zeros(1, np.int64)], [np.zeros(words, np.uint32)], 0)
    triton_form._Batch(weights, [size], sources, cpu)
    monkeypatch.setattr(triton_form, "_ADDRESSES", 20_000)
    with pytest.raises(TooLargeError, match="too large for addresses"):
        triton_form._Batch(weights, [size], sources, cpu)
    triton_form._Batch(weights, [(1, 1)], triton_form._of_nothing(1), cpu)


def test_without_a_gpu_or_the_interpreter_the_kernel_says_so() -> None:
    if torch.cuda.is_available():
        pytest.skip("needs a machine without CUDA")
    with pytest.raises(RuntimeError):
        Kernel(tiny_weights(1), torch.device("cpu")).edges([noise(1, 1, 1, 1)])
