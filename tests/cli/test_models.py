"""`pixzip models`, and local models in `PIXZIP_MODELS`."""

import json
import os
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pixcodecs.errors import ModelMismatchError

from pixzip import codec
from pixzip.models import library
from tests.conftest import ROOT
from tests.helpers.shell import RGB, bad, good, read
from tests.helpers.support import tiny_weights
from tests.helpers.training import megapixels_logged
from tests.helpers.weights_mutations import joined, seed_of, with_config


@pytest.fixture
def own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two folders of local models; no models are shipped."""
    for name, channels, seed in (("one/mine", 3, 0), ("one/mine-grey", 1, 0), ("two/mine", 3, 1), ("two/other", 3, 2)):
        path = folder / f"{name}.safetensors"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(tiny_weights(channels, seed=seed).to_bytes())
    monkeypatch.setenv("PIXZIP_MODELS", os.pathsep.join(["one", "", "nowhere", "two"]))
    return folder


def rows() -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(good("models", "--json").stdout)}


def test_shipped_models_are_listed_with_what_the_card_knows() -> None:
    found = rows()
    report = json.loads((ROOT / "bench" / "results" / "photos-valid" / "report.json").read_text())
    rates = {total["codec"]: total["bpsp"] for total in report["totals"]}
    for name, codec_id in {"base": "pixzip-e5", "fast": "pixzip-e1", "large": "pixzip-large-e7"}.items():
        assert report["models"][name] == found[name]["model_id"]
        assert found[name]["validation_bpsp"] == rates[codec_id]
        assert found[name]["trained_on"] == ["photos-train", "graphics"]
    assert found["graphics"]["validation_bpsp"] is None
    assert {row["where"] for row in found.values()} == {"shipped"}


def test_the_card_is_that_of_the_shipped_weights() -> None:
    """`python bench/card.py` was run after the last change."""
    card = json.loads((library.WEIGHTS / library.CARD).read_text())
    shipped = {m.model.model_id.hex(): m.name for m in library.list_models()}
    assert {model_id: facts["name"] for model_id, facts in card.items()} == shipped
    for facts in card.values():
        assert facts["megapixels_seen"] == pytest.approx(megapixels_logged(facts["name"]), rel=1e-9)


def test_text_is_aligned_and_a_terminals_table_has_at_most_120_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = good("models").stdout.splitlines()
    assert max(map(len, lines)) <= 120
    assert lines[0].split() == ["model", "id", "for", "bytes", "mul-adds/px", "trained", "on", "bpsp"]
    assert {line.rindex(" ") < lines[0].index("bpsp") + 4 == len(line) for line in lines[1:]} == {True}
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("pixzip.cli.models.on_terminal", lambda: True)
    table = good("models").stdout.splitlines()
    assert max(map(len, table)) <= 120
    assert [line.split() for line in table] == [line.split() for line in lines]
    monkeypatch.setenv("COLUMNS", "40")
    narrow = good("models").stdout
    assert max(map(len, narrow.splitlines())) <= 40
    assert all(word.strip(",") in narrow for line in lines for word in line.split())


def test_local_models_are_found_by_name_and_by_id(own: Path) -> None:
    found = rows()
    assert list(found) == ["mine", "mine-grey", "other"]
    assert found["mine"]["model_id"] == tiny_weights(3).model_id.hex()  # the first folder's
    assert found["mine"]["where"] == str(Path("one/mine.safetensors"))
    assert found["mine"]["trained_on"] is None
    assert good("models").stdout.splitlines()[1].split()[-2:] == ["-", "-"]
    good("compress", "rgb.png", "grey.png", "--model", "mine", "--models-only", "--verify")
    good("decompress", "rgb.png.pxz", "-o", "back.png")
    assert (read(own / "back.png") == RGB).all()
    info = json.loads(good("info", "rgb.png.pxz", "--json").stdout)
    assert info["models"] == [{"id": tiny_weights(3).model_id.hex(), "name": "mine"}]
    good("decompress", "rgb.png.pxz", "-o", "again.png", "--model", "other")


def test_without_the_folder_the_file_says_which_model_it_needs(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good("compress", "rgb.png", "--model", "mine", "--models-only")
    monkeypatch.delenv("PIXZIP_MODELS")
    bad("verify", "rgb.png.pxz", words=f"file needs model {tiny_weights(3).model_id.hex()}")
    bad("compress", "grey.png", "--model", "mine", words="no model 'mine'")


def test_a_shipped_name_stays_what_it_is(own: Path) -> None:
    (own / "shipped").mkdir()
    (own / "shipped" / "mine.safetensors").write_bytes(tiny_weights(3, seed=7).to_bytes())
    assert library.find("mine").model_id == tiny_weights(3, seed=7).model_id


def test_every_kind_of_bad_file_is_listed_with_its_error(own: Path) -> None:
    bad_files = {
        "first": with_config(seed_of("gated-pixelcnn-1"), lambda config: config.update(first=1)),
        "float8": joined({"a": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}}, b"\0"),
        "empty": b"",
        "escape": joined({"__metadata__": {"architecture": "\x1b]0;x\x07" * 999}}, b""),
    }
    for name, data in bad_files.items():
        (own / "one" / f"{name}.safetensors").write_bytes(data)
    (own / "one" / "folder.safetensors").mkdir()
    result = good("models", "--json")
    found = {row["name"]: row for row in json.loads(result.stdout)}
    assert {name for name, row in found.items() if row["error"]} == {*bad_files, "folder"}
    assert found["first"]["error"].endswith("first is 1, expected 3 to 15 in steps of 2")
    assert found["mine"]["error"] is None
    assert len(result.stderr.splitlines()) == 6  # and the folder that does not exist
    assert "\x1b" not in result.stderr
    assert max(map(len, result.stderr.splitlines())) < 600
    good("compress", "rgb.png", "--model", "mine", "--models-only")
    good("verify", "rgb.png.pxz")
    for name in found:
        if found[name]["error"]:
            bad("compress", "grey.png", "--model", name, words=f"one/{name}.safetensors")


def test_a_file_whose_model_is_not_there_names_the_files_that_are_none(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good("compress", "rgb.png", "--model", "mine", "--models-only")
    monkeypatch.setenv("PIXZIP_MODELS", "three")
    (own / "three").mkdir()
    for name in ("broken", "broken2"):
        (own / "three" / f"{name}.safetensors").write_bytes(b"no weights")
    bad("verify", "rgb.png.pxz", words="three/broken.safetensors is not a weights file")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_model_may_come_through_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    weights = tiny_weights(3)
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(weights.to_bytes(),))
    writer.start()
    found = [library.load(tmp_path / "pipe") for _ in range(3)]
    writer.join(60)
    assert {model.model_id for model in found} == {weights.model_id}


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "\ud800", "", "nowhere/x"])
def test_a_name_that_no_file_can_have_is_no_model(name: str) -> None:
    for find in (library.find, partial(library.resolve, channels=3), lambda name: library.load(Path(name))):
        with pytest.raises(ModelMismatchError):
            find(name)


def test_a_file_that_is_no_model_is_named_and_stands_in_nobodys_way(own: Path) -> None:
    (own / "one" / "broken.safetensors").write_bytes(b"no weights")
    result = good("models")
    assert result.stderr.startswith("pixzip: warning: ")
    assert "one/broken.safetensors is not a weights file" in result.stderr
    assert "mine" in result.stdout
    good("compress", "rgb.png", "--model", "other", "--models-only")
    good("verify", "rgb.png.pxz")
    assert codec.compress([RGB], codec.Options(partial(library.resolve, "other"), models_only=True))
