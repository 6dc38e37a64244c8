"""Training in bfloat16: products alone are rounded, and a run learns what it learns in float32."""

from pathlib import Path

import pytest
import torch

from pixzip.train.loop import run
from pixzip.train.wavefront import WavefrontJob
from tests.helpers.training import DATA, wavefront_config, write_data


def test_a_run_in_bfloat16_learns_what_one_in_float32_learns(tmp_path: Path) -> None:
    write_data(tmp_path)
    held_out = {}
    for precision in (torch.float32, torch.bfloat16):
        job = WavefrontJob([tmp_path / DATA], wavefront_config())
        job.precision = precision
        losses: list[float] = []
        run(job, tmp_path / str(precision), lambda status, losses=losses: losses.append(status.bits_per_dim))  # type: ignore[misc]
        assert {p.dtype for p in job.model.parameters()} == {torch.float32}
        held_out[precision] = losses[-1]
    assert held_out[torch.bfloat16] == pytest.approx(held_out[torch.float32], rel=5e-3)
    assert held_out[torch.bfloat16] != held_out[torch.float32]
