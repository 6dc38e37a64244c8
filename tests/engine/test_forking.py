"""Processes forked from one that codes, or has coded, work and give the same bytes; so do spawned ones."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.helpers.forks import CASES


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("case", CASES)
def test_children_code_as_their_parents_do(case: str, child_env: dict[str, str]) -> None:
    command = [sys.executable, "-m", "tests.helpers.forks", case]
    env = child_env | {"OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
