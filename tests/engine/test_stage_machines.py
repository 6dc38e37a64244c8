"""Equal bytes under the light and the full stage on every machine that this one can simulate, in separate processes."""

import subprocess
import sys

import pytest

from tests.engine.test_full import digests
from tests.engine.test_light import both
from tests.engine.test_machines import VARIABLES
from tests.engine.test_stacks import digests as stacked

#: Prints digests of payloads of both stages.
CHILD = "from tests.engine.test_stage_machines import both, digests, stacked; print(both(), digests(), stacked())"


@pytest.mark.parametrize(
    "case",
    [
        {"NUMBA_CPU_NAME": "generic"},
        {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,-fma"},
        {"NUMBA_DISABLE_JIT": "1"},
    ],
    ids=["any CPU", "AVX2 without fused operations", "interpreter"],
)
def test_every_machine_writes_the_same_bytes(case: dict[str, str], child_env: dict[str, str]) -> None:
    kept = {k: v for k, v in child_env.items() if k not in VARIABLES}
    done = subprocess.run(
        [sys.executable, "-c", CHILD], env=kept | case, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == [*both().split(), *digests().split(), *stacked().split()]
