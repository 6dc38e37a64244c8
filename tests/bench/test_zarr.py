"""The benchmark of Zarr arrays: its figures, and the page made from them."""

import importlib
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner
from numcodecs.abc import Codec

from pixzip.numcodecs import Pixzip
from tests.conftest import ROOT
from tests.helpers.support import scene


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, imported with the script's own search path."""
    monkeypatch.syspath_prepend(ROOT / "bench")
    return importlib.import_module("zarr_store")


def test_chunks_are_counted_and_the_page_is_made_of_the_figures(bench: ModuleType, tmp_path: Path) -> None:
    images = np.stack([scene(3, 9, 8, seed) for seed in range(5)])
    np.save(tmp_path / "five.npy", images)
    out, page = tmp_path / "zarr.json", tmp_path / "page.md"
    page.write_text(f"before\n{bench.START}\nold\n{bench.END}\nafter\n")
    to = ["--out", str(out), "--page", str(page)]
    data = [str(tmp_path / "five.npy"), "--limit", "4", "--chunk", "2"]
    assert CliRunner().invoke(bench.main, [*data, *to], catch_exceptions=False).exit_code == 0
    found = json.loads(out.read_text())["sets"]["five"]
    text = page.read_text()

    assert (found["images"], found["raw"], found["chunks_of"]) == (4, 4 * 9 * 8 * 3, 2)
    (ours,) = (figures for name, figures in found["codecs"].items() if name.startswith("pixzip"))
    assert ours["chunks"] == 2
    assert ours["bytes"] == sum(len(Pixzip("fast").encode(images[i : i + 2])) for i in (0, 2))
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert f"{ours['bytes']:,}" in text
    CliRunner().invoke(bench.main, to, catch_exceptions=False)
    assert page.read_text() == text


def test_a_codec_that_loses_pixels_ends_the_benchmark(bench: ModuleType) -> None:
    class Lossy(Codec):
        codec_id = "lossy"

        def encode(self, buf: np.ndarray) -> bytes:
            return np.asarray(buf).tobytes()

        def decode(self, buf: bytes, out: None = None) -> np.ndarray:
            return np.frombuffer(buf, np.uint8) ^ 1

    with pytest.raises(SystemExit, match="did not give the images back"):
        bench.measure(np.ones((2, 4, 4, 3), np.uint8), 1, Lossy())
