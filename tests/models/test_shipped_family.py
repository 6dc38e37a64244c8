"""The shipped models of the PixelRNN family are listed without PyTorch, found by name and by id, and draw and code."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixzip import codec
from pixzip.models import library
from pixzip.models.registry import FAMILY_NAMES
from tests.helpers.shell import good
from tests.helpers.training import megapixels_logged

NAMES = sorted(library.family_paths())
#: Bytes of a file, and of all.
MOST, MOST_TOGETHER = 2 << 20, 8 << 20


def test_the_card_is_that_of_the_weights_and_of_the_logs() -> None:
    """`python bench/card.py` was run after the last change."""
    card = library.card(library.FAMILY)
    assert {facts["name"]: model_id for model_id, facts in card.items()} == {
        name: library.find(name).model_id.hex() for name in NAMES
    }
    for facts in card.values():
        model = library.find(facts["name"])
        assert facts["architecture"] == model.architecture
        assert (facts["channels"], facts["multiply_adds_per_pixel"]) == (model.channels, model.multiply_adds)
        assert facts["megapixels_seen"] == pytest.approx(megapixels_logged(facts["name"]), rel=1e-9)


def test_each_is_small_and_of_another_density() -> None:
    sizes = [path.stat().st_size for path in library.family_paths().values()]
    assert max(sizes) <= MOST
    assert sum(sizes) <= MOST_TOGETHER
    for data in {name.rpartition("-")[2] for name in NAMES}:
        found = [library.find(name).architecture for name in NAMES if name.endswith(data)]
        assert len(found) == len(set(found))
        assert set(found) <= set(FAMILY_NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_found_by_its_id_alone(name: str) -> None:
    model = library.find(name)
    assert library.by_id(model.model_id).model_id == model.model_id
    assert library.name_of(model.model_id) == name
    assert not library.is_own(name)


def test_they_are_listed(tmp_path: Path) -> None:
    rows = {row["name"]: row for row in json.loads(good("models", "--json").stdout)}
    for name in NAMES:
        assert rows[name]["where"] == "shipped"
        assert rows[name]["model_id"] == library.find(name).model_id.hex()
        assert name in good("models").stdout


def test_one_draws_and_codes_a_stack_by_its_name_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    good("sample", "--model", "pixelcnn-mnist", "-n", "2", "-o", "samples.png")
    with Image.open("samples.png") as drawn:
        assert 0.02 < np.asarray(drawn.convert("L")).mean() / 255 < 0.5  # digits are mostly black
        digit = drawn.convert("1").crop((0, 0, 28, 28))
    Path("digits").mkdir()
    for i in range(3):
        digit.rotate(90 * i).save(f"digits/{i}.png")
    good("compress", "--stack", "digits", "--model", "pixelcnn-mnist", "-o", "digits.pxz")
    assert "pixelcnn-mnist" in good("info", "digits.pxz").stdout
    good("decompress", "digits.pxz", "-o", "back")
    for i in range(3):
        with Image.open(f"digits/{i}.png") as before, Image.open(f"back/{i}.png") as after:
            assert np.array_equal(np.asarray(before), np.asarray(after))
    assert codec.Options.of("pixelcnn-mnist").drawings_for is None
