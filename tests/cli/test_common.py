"""Every command that computes takes -q, -v and -j, and says what matters to the user."""

import re
from pathlib import Path

import click
import pytest
import torch
from click.shell_completion import ShellComplete

from pixzip import codec, image
from pixzip.cli import main, words
from pixzip.cli.options import Manner
from pixzip.cli.verbs import VERBS
from pixzip.cli.work.threads import set_threads
from pixzip.cli.work.training_display import Display
from pixzip.codec import by_rows
from pixzip.report import codecs
from pixzip.train import family_configs, wavefront
from pixzip.train.loop import Status
from tests.helpers.shell import RGB, good


def completed(args: list[str], incomplete: str) -> list[str]:
    items = ShellComplete(main, {}, "pixzip", "_PIXZIP_COMPLETE").get_completions(args, incomplete)
    return [item.value for item in items]


def test_every_command_that_computes_takes_the_same_options() -> None:
    for verb in VERBS:
        given = {name for option in verb.load().params if isinstance(option, click.Option) for name in option.opts}
        common = {"-q", "--quiet", "-v", "--verbose", "-j", "--threads"}
        assert given >= common if verb.name not in ("info", "models") else not given & common, verb.name


@pytest.mark.usefixtures("shipped")
def test_heatmap_and_eval_are_quiet_or_verbose_and_take_threads() -> None:
    before = torch.get_num_threads()
    try:
        warned = good("heatmap", "rgb.png", "-j", "1").stderr
        assert torch.get_num_threads() == 1
        assert warned.startswith("pixzip: rgb.png: warning: spread evenly")
        assert good("heatmap", "rgb.png", "-f", "-q").stderr == ""
        lines = good("heatmap", "rgb.png", "-f", "-v", "-o", "x.npy").stderr.splitlines()
        assert re.fullmatch(r"rgb\.png -> x\.npy: 560 bytes, \d+\.\d\d s", lines[-1])
        assert good("eval", "rgb.png").stderr == ""
        assert re.fullmatch(r"rgb\.png: 12x9 pixels, \d+\.\d\d s\n", good("eval", "rgb.png", "-v").stderr)
    finally:
        set_threads(before)


def test_a_model_of_ones_own_that_loses_everywhere_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "more.png").write_bytes(image.write(codec.as_picture(RGB[:5])))
    own = ("compress", "rgb.png", "more.png", "-f", "--model", "rgb.model")
    assert good(*own).stderr.startswith("pixzip: warning: model rgb.model is not used in 2 of 2 images, where WebP ")
    assert good(*own, "-q").stderr == ""
    assert good(*own, "--models-only").stderr == ""
    monkeypatch.setattr(by_rows, "LARGE_PIXELS", 20)
    assert "is not used in the image, where" in good("compress", "rgb.png", "-f", "--model", "rgb.model").stderr


@pytest.mark.usefixtures("shipped")
def test_a_shipped_model_may_lose_without_a_word() -> None:
    assert good("compress", "rgb.png").stderr == ""


@pytest.mark.parametrize("verbose", [False, True])
def test_a_measurement_of_a_training_run_is_a_readable_line(verbose: bool, capsys: pytest.CaptureFixture[str]) -> None:
    status = Status(step=3, megapixels=12.5, megapixels_per_s=0.25, held_out=3.21, training=3.1, bits_per_dim=3.3)
    with Display(50.0, True, Manner(verbose=verbose)) as display:
        display(status)
        status.log.append({"step": 3, "megapixels": 12.5, "tflops": 1.5})
        display(status)
        display(status)
    line, *more = capsys.readouterr().err.splitlines()
    assert line == "12.5/50 MP  0:02:30 left  3.1000 bits/dim (3.2100 held out)  0.25 MP/s"
    assert len(line) < 80
    assert more == ["step 3  megapixels 12.5  tflops 1.5"] * verbose
    with Display(50.0, True, Manner(quiet=True)) as display:
        display(status)
        status.log.append({})
        display(status)
    assert capsys.readouterr().err == ""


def test_words_for_completion_are_those_of_the_commands() -> None:
    assert ("all", *codecs.known()) == words.CODECS
    assert set(words.CONFIGS) == {*wavefront.CONFIGS, *family_configs.CONFIGS}
    assert len(set(words.CONFIGS)) == len(words.CONFIGS)


def test_codecs_and_configs_are_completed() -> None:
    assert completed(["bench", "--codecs"], "jp") == ["jpegls", "jpeg2000"]
    assert completed(["bench", "--codecs"], "png,jxl-e3,jxl") == ["png,jxl-e3,jxl-e7", "png,jxl-e3,jxl-e9"]
    assert completed(["train", "--config"], "row-lstm-mnist-") == [
        "row-lstm-mnist-binary", "row-lstm-mnist-small", "row-lstm-mnist-binary-small",
    ]  # fmt: skip
    assert completed(["train", "--config"], "fa") == ["fast", "fast-grey"]
    assert completed(["heatmap"], "ph") == completed(["sample", "-o"], "ph") == ["ph"]
