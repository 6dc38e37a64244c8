"""What better starts of the stages could save at most: starts that know the image."""

import importlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from pixzip.engine.base import Job
from pixzip.engine.order import to_coding_order
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.engine.wavefront import WavefrontEngine
from tests.helpers.support import scene, tiny_weights


def test_weights_that_know_the_image_save_bits_and_untrained_starts_are_the_formats(tmp_path: Path) -> None:
    bench, warm_start = (importlib.import_module(f"bench.{name}") for name in ("starts", "warm_start"))
    model = tiny_weights(3, seed=5)
    (tmp_path / "images").mkdir()
    for i in range(2):
        Image.fromarray(scene(3, 70, 80, 3)).save(tmp_path / "images" / f"{i}.png")
    (tmp_path / "m").write_bytes(model.to_bytes())
    args = f"{tmp_path}/m --data {tmp_path}/images --crops 1 --side 80 --out {tmp_path}/out.json".split()
    done = CliRunner().invoke(bench.main, args)
    assert done.exit_code == 0, done.output
    bits = json.loads((tmp_path / "out.json").read_text())["bits"]
    samples = to_coding_order(scene(3, 70, 80, 3), model.order)
    light, full = WavefrontEngine(model).nll_bits([Job.encoding(samples, stage=stage) for stage in (LIGHT, FULL)])
    assert bits["light"] == bits["light, untrained"] == pytest.approx(light, abs=1e-6)
    assert bits["full"] == bits["full, untrained"] == pytest.approx(full, abs=1e-6)
    assert bits["full, own weights"] < bits["full"]
    own = warm_start.warmed(model, warm_start.learn(model, [samples]), 1.0, 300.0)
    assert bits["light, own sums"] == warm_start.bits_of(own, [samples]).sum() != bits["light"]
