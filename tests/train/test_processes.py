"""Training by several processes: two real processes over gloo learn the same as one."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixzip.engine import family as family_engine
from pixzip.models.registry import load_wavefront
from pixzip.train.execution import Execution
from pixzip.train.family import FamilyTask
from pixzip.train.loop import Task, run
from pixzip.train.parallel import Processes
from pixzip.train.wavefront import WavefrontTask
from tests.conftest import ROOT
from tests.helpers.family import smooth
from tests.helpers.training import DATA, IMAGES, STEPS, family_config, wavefront_config, write_data

pytestmark = pytest.mark.skipif(os.name != "posix", reason="torchrun's agent is tried on POSIX alone")


def launched(env: Mapping[str, str], *args: object) -> subprocess.CompletedProcess[str]:
    """Run a module as two processes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    env = {**env, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*command, *map(str, args)], env=env, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )


def alone(task: Task[Any], out: Path) -> tuple[list[float], np.ndarray]:
    """The losses and weights of one process."""
    losses: list[float] = []
    run(task, out, lambda status: losses.append(status.bits_per_dim), Execution(precision="float32"))
    return losses, np.concatenate([p.detach().numpy().ravel() for p in task.model.parameters()])


def test_two_processes_learn_what_one_learns_and_end_together(
    tmp_path: Path, child_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(family_engine, "known_answer_pattern", lambda channels: smooth(channels, 3, 4, 1))
    write_data(tmp_path)
    started = time.monotonic()
    result = launched(child_env, "tests.helpers.two_processes", tmp_path)
    assert time.monotonic() - started < 120
    first, second = (json.loads((tmp_path / f"seen-{rank}.json").read_text()) for rank in (0, 1))

    tasks = {
        "wavefront": WavefrontTask([tmp_path / DATA], wavefront_config()),
        "family": FamilyTask([tmp_path / IMAGES], family_config()),
    }
    whole = {name: alone(task, tmp_path / f"one-{name}") for name, task in tasks.items()}
    for name, (losses, weights) in whole.items():
        assert len(losses) == STEPS
        np.testing.assert_allclose(first[name]["losses"], losses, rtol=1e-5)
        assert first[name]["weights"] == second[name]["weights"]
        found = np.frombuffer(bytes.fromhex(first[name]["weights"]), np.float32)
        np.testing.assert_allclose(found, weights, atol=1e-4)
        assert not second[name]["losses"]  # only one process reports
    assert (first["saves"]["steps"], second["saves"]["steps"]) == ([6, 12] * 3, [])  # and only one writes

    # the first one rounds for both
    assert first["rounded"]["weights"] == second["rounded"]["weights"] != first["wavefront"]["weights"]

    # then one process failed alone, after a checkpoint
    assert result.returncode != 0
    assert "only process 1 meets this" in result.stderr
    losses, weights = alone(WavefrontTask([tmp_path / DATA], wavefront_config()), tmp_path / "broken")
    assert len(losses) == STEPS - 6
    np.testing.assert_allclose(weights, whole["wavefront"][1], atol=1e-4)


def test_the_same_command_trains_on_two_processes(tmp_path: Path, child_env: dict[str, str]) -> None:
    write_data(tmp_path)
    sizes = ("--config", "tiny", "--batch", 2, "--set", "crop=16", "--megapixels", 0.002, "--device", "cpu")
    args = ("train", "--data", tmp_path / DATA, *sizes, "--peak-tflops", 0.5, "-o", tmp_path / "run")
    result = launched(child_env, "pixzip", *args)
    assert result.returncode == 0, result.stderr
    model = load_wavefront(tmp_path / "run/model.safetensors")
    assert result.stderr.count(f"model {model.model_id.hex()}") == 1
    log = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in log] == [2, 4]
    for entry in log:
        assert entry["mfu"] == pytest.approx(entry["tflops"] / (2 * 0.5), rel=1e-3)  # two devices


def test_parts_of_a_batch_are_equal_and_make_it_up() -> None:
    parts = [Processes(rank, 3).part(12) for rank in range(3)]
    assert [list(range(12))[part] for part in parts] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    with pytest.raises(ValueError, match="a batch of 4 is not divisible among 3 processes"):
        Processes(0, 3).part(4)
