"""Commands that compute nothing load neither kernels nor PyTorch, and answer at once."""

import subprocess
import sys
from pathlib import Path

import pytest

import pixzip
from tests.helpers.support import scene

#: A command line on which neither can be imported.
START = """
import runpy, sys
sys.modules["numba"] = sys.modules["torch"] = None
sys.argv[0] = "pixzip"
runpy.run_module("pixzip", run_name="__main__")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("light")
    (made / "x.pxz").write_bytes(pixzip.encode(scene(3, 40, 50, 1), "fast"))
    (made / "stack.pxz").write_bytes(pixzip.encode_stack([scene(3, 9, 9, i) for i in range(3)], "fast"))
    (made / "damaged.pxz").write_bytes((made / "x.pxz").read_bytes()[:30])
    return made


@pytest.mark.parametrize(
    ("args", "status"),
    [
        (["--help"], 0), (["--version"], 0), (["models"], 0), (["models", "--json"], 0), (["compress", "--help"], 0),
        (["info", "x.pxz"], 0), (["info", "--json", "x.pxz"], 0), (["info", "stack.pxz"], 0),
        (["info", "damaged.pxz"], 2), (["info", "missing.pxz"], 2), (["compress", "missing.png"], 2),
        (["decompress", "missing.pxz"], 2), (["compress"], 2), (["nonsense"], 2),
    ],
)  # fmt: skip
def test_a_light_command_loads_no_kernels(
    args: list[str], status: int, folder: Path, child_env: dict[str, str]
) -> None:
    command = [sys.executable, "-c", START, *args]
    done = subprocess.run(command, cwd=folder, env=child_env, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode == status, done.stderr
