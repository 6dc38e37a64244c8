"""Equal bytes on every machine that this one can simulate, each in its own process."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pixcodecs.coders import range as range_coder

from pixzip.engine.backends.torch.engine import TensorEngine
from tests.helpers.machines import FORMS, STAGES, batches, digest, stages, written
from tests.helpers.support import encoding, tiny_weights

#: Variables for instruction sets and threads; removed from a child's environment unless a case sets them.
VARIABLES = (
    "ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS", "OMP_NUM_THREADS", "MKL_NUM_THREADS",
    "OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES",
)  # fmt: skip
#: Machines on which the libraries differ, and on which the compiled loop does.
LIBRARIES: dict[str, dict[str, str]] = {
    "default": {"OMP_NUM_THREADS": "1"},
    "AVX512 without VNNI": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE", "OMP_NUM_THREADS": "1"},
    "AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "OMP_NUM_THREADS": "1"},
    "SSE4.1": {"ONEDNN_MAX_CPU_ISA": "SSE41", "OMP_NUM_THREADS": "1"},
    "plain torch kernels": {"ATEN_CPU_CAPABILITY": "default", "OMP_NUM_THREADS": "1"},
    "MKL with AVX2": {"MKL_ENABLE_INSTRUCTIONS": "AVX2", "OMP_NUM_THREADS": "1"},
    "OpenBLAS with SSE4.2": {"OPENBLAS_CORETYPE": "Nehalem", "OMP_NUM_THREADS": "1"},
    "two threads": {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"},  # active waiting starves on a busy machine
    "two threads, all of the oldest": {
        "ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default", "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "OPENBLAS_CORETYPE": "Prescott", "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE",
    },
}  # fmt: skip
COMPILED: dict[str, dict[str, str]] = {
    "compiled for any CPU": {"NUMBA_CPU_NAME": "generic", "OMP_NUM_THREADS": "1"},
    "compiled for AVX2 without fused operations": {
        "NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,-fma", "OMP_NUM_THREADS": "1",
    },
}  # fmt: skip
INTERPRETER = {"NUMBA_DISABLE_JIT": "1"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model and the payloads, written by this process, for every case to decode."""
    made: Path = tmp_path_factory.mktemp("machines")
    model = tiny_weights(3, seed=11, spread=1.0)
    (made / "model").write_bytes(model.to_bytes())
    engine = TensorEngine(model, backend="float32")
    for n, (images, precisions) in enumerate(batches()):
        for i, payload in enumerate(engine.encode(encoding(images, precisions))):
            (made / f"{n}-{i}").write_bytes(payload)
    encoder = range_coder.Encoder()
    engine.encode_into(encoding(batches()[0][0]), encoder)
    (made / "stream").write_bytes(encoder.finish())
    return made


@cache
def here() -> list[str]:
    """What both stages give in this process."""
    return stages()


def found_on(machine: dict[str, str], folder: Path, env: dict[str, str], *parts: str) -> dict[str, Any]:
    """What a process finds whose environment simulates a machine."""
    kept = {k: v for k, v in env.items() if k not in VARIABLES}
    command = [sys.executable, "-m", "tests.helpers.machines", str(folder), *parts]
    done = subprocess.run(command, env=kept | machine, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout))


def check_forms(found: dict[str, Any], folder: Path) -> None:
    """Compare payloads and pixels of every form of the engine with those written here."""
    payloads = digest(payload for batch in written(folder) for payload in batch)
    pixels = digest(samples.tobytes() for images, _ in batches() for samples in images)
    assert {"compiled", "float32"} <= set(found[FORMS])
    for form, digests in found[FORMS].items():
        assert digests == [payloads, payloads, pixels, pixels], form


@pytest.mark.parametrize("name", COMPILED)
def test_kernels_for_other_cpus_write_the_same_bytes_with_and_without_a_stage(
    name: str, folder: Path, child_env: dict[str, str]
) -> None:
    """One process for both, because the kernels for another CPU take a minute to compile on a fresh checkout."""
    found = found_on(COMPILED[name], folder, child_env, FORMS, STAGES)
    check_forms(found, folder)
    assert found[STAGES] == here()
    assert found["threads"] == 1


def test_the_interpreter_writes_the_same_bytes_under_both_stages(folder: Path, child_env: dict[str, str]) -> None:
    assert found_on(INTERPRETER, folder, child_env, STAGES)[STAGES] == here()


@pytest.mark.parametrize("name", LIBRARIES)
def test_payloads_and_decoded_pixels_are_the_same(name: str, folder: Path, child_env: dict[str, str]) -> None:
    found = found_on(LIBRARIES[name], folder, child_env, FORMS)
    check_forms(found, folder)
    assert found["threads"] == int(LIBRARIES[name]["OMP_NUM_THREADS"])
