"""Processes forked from one that codes, or has coded, work and give the same bytes; so do spawned ones."""

import os
import subprocess
import sys

import pytest
import torch
from pixcodecs.errors import PixzipError

from pixzip.engine.device import coding_device, resolve_device
from tests.conftest import ROOT
from tests.helpers.forks import CASES


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("case", CASES)
def test_children_code_as_their_parents_do(case: str, child_env: dict[str, str]) -> None:
    command = [sys.executable, "-m", "tests.helpers.forks", case]
    env = child_env | {"OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr[-4000:]


def test_a_child_of_a_process_that_uses_cuda_codes_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "_is_in_bad_fork", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert (resolve_device("auto"), coding_device("auto")) == ("cpu", "cpu")
    with pytest.raises(PixzipError, match=r"forked from one that uses CUDA \(start it by spawn\)"):
        resolve_device("cuda")
