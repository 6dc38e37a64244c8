"""What rounding costs, by part, measured on a checkpoint of a run in floats."""

import importlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pixzip.train.loop import Status
from pixzip.train.wavefront import train
from tests.train.test_loop import TINY, StoppedError, folder


def test_each_part_of_a_checkpoints_weights_is_rounded_alone(tmp_path: Path) -> None:
    bench = importlib.import_module("bench.rounding")
    data = folder(tmp_path / "data", 3)

    def stop(status: Status) -> None:
        if status.step == 21:  # after a checkpoint, in floats
            raise StoppedError

    with pytest.raises(StoppedError):
        train([data], TINY, tmp_path / "run", report=stop)
    page = tmp_path / "page.md"
    page.write_text(f"before {bench.START} {bench.END} after")
    args = f"{tmp_path}/run/checkpoint.safetensors --data {data} --out {tmp_path}/out.json --page {page}".split()
    done = CliRunner().invoke(bench.main, args)
    assert done.exit_code == 0, done.output
    result = json.loads((tmp_path / "out.json").read_text())
    bits = result["bits"]
    assert result["step"] == 20
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert abs(bits[bench.FLOATS] - log[-1]["held_out"]) < 1e-5
    assert len(set(bits.values())) >= 8  # parts differ
    train([data], TINY, tmp_path / "run")
    done = CliRunner().invoke(bench.main, args)
    assert done.exit_code == 2
    assert "rounded already" in done.output
    assert page.read_text().count("\n| ") == 2 + len(bits)
