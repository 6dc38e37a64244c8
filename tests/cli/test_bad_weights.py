"""Every command that takes a model names a bad weights file in one line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.shell import bad, good
from tests.helpers.support import tiny_weights
from tests.helpers.weights_mutations import joined, seed_of, with_config

FILES: dict[str, Callable[[], bytes]] = {
    "first": lambda: with_config(seed_of("gated-pixelcnn-1"), lambda config: config.update(first=1)),
    "blocks": lambda: with_config(
        seed_of("wavefront-pixelcnn-2"), lambda config: config.update(blocks=4096, mixing=4096)
    ),
    "float8": lambda: joined({"a": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}}, b"\0"),
    "deep": lambda: joined('{"a":' + "[" * 99_999, b""),
}
COMMANDS = [
    "compress rgb.png --model M",
    "compress rgb.png --model M --stack",
    "heatmap rgb.png -o map.png --model M",
    "sample --model M -o grid.png",
    "complete rgb.png --keep-rows 2 --model M -o grid.png",
    "eval rgb.png --model M",
    "bench rgb.png --codecs pixzip:M -o report",
    "train --data rgb.png --config tiny --init M -o run",
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("case", FILES)
def test_a_bad_weights_file_is_one_line(case: str, command: str, folder: Path) -> None:
    (folder / "M").write_bytes(FILES[case]())
    result = bad(*command.split(), words="M ")
    lines = [line for line in result.stderr.splitlines() if line.startswith("pixzip: ")]
    assert len(lines) == 1
    assert len(lines[0]) < 500


@pytest.mark.parametrize("command", ["decompress rgb.png.pxz -o back.png --model M", "verify rgb.png.pxz --model M"])
def test_a_bad_file_of_further_weights_is_one_line(command: str, folder: Path) -> None:
    (folder / "good").write_bytes(tiny_weights(3).to_bytes())
    good("compress", "rgb.png", "--model", "good", "--models-only")
    for made in FILES.values():
        (folder / "M").write_bytes(made())
        bad(*command.split(), words="M ")
