"""Golden files: good ones must be read and written identically for ever, damaged ones refused."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from pixcodecs.container import image as container

from pixzip import codec
from pixzip.cli import main
from pixzip.models import library
from tests.helpers import golden, golden_models
from tests.helpers.golden_bad import BAD
from tests.helpers.golden_blocks import BLOCKS
from tests.helpers.golden_kept import BAD_KEPT, KEPT
from tests.helpers.golden_originals import BAD_ORIGINALS, ORIGINALS
from tests.helpers.golden_page_originals import BAD_PAGE_ORIGINALS, PAGE_ORIGINALS
from tests.helpers.golden_pages import BAD_PAGES, PAGES
from tests.helpers.golden_stacks import BAD_STACKS, STACKS

EXTRA = [golden.FOLDER / f"model-{channels}.safetensors" for channels in (1, 3)]


def weights_for(model_id: bytes) -> Any:
    return library.by_id(model_id, EXTRA)


def decoded(name: str) -> golden.Picture:
    data = (golden.FOLDER / f"{name}.pxz").read_bytes()
    return codec.decompress([data], codec.Options(model_by_id=weights_for))[0]


@pytest.mark.parametrize("name", golden.SHAPES)
def test_a_file_of_version_1_decodes_to_its_pixels(name: str) -> None:
    pixels = codec.as_array(decoded(name))
    expected = json.loads((golden.FOLDER / "pixels.json").read_text())[name]
    assert hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest() == expected
    assert pixels.shape == golden.SHAPES[name]


@pytest.mark.parametrize("suffix", ["", "-model"])
@pytest.mark.parametrize("name", golden.PICTURES)
def test_a_file_of_version_2_decodes_to_its_picture(name: str, suffix: str) -> None:
    assert decoded(f"{name}{suffix}") == golden.picture(name)


@pytest.mark.parametrize("name", ["v2-rgb", "v2-grey", "v2-rgba-of-models", "v2-rgb-key", "v2-palette8"])
def test_encoding_by_models_gives_the_golden_bytes(name: str) -> None:
    (data,) = codec.compress([golden.picture(name)], codec.Options(golden.weights, models_only=True))
    assert data == (golden.FOLDER / f"{name}-model.pxz").read_bytes()


@pytest.mark.parametrize("name", BLOCKS)
def test_a_file_made_of_blocks_decodes_to_its_picture(name: str) -> None:
    assert decoded(name) == BLOCKS[name].picture


MADE = [
    "v2-deep-12",
    "v2-deep-16",
    "v2-deep-narrow",
    *(name for name in BLOCKS if name.startswith(("v2-rans", "v2-light", "v2-full"))),
]


@pytest.mark.parametrize("name", MADE)
def test_encoding_of_more_than_8_bits_by_rans_and_by_a_stage_gives_the_golden_bytes(name: str) -> None:
    assert BLOCKS[name].file() == (golden.FOLDER / f"{name}.pxz").read_bytes()


def test_the_tiled_file_has_tiles() -> None:
    header = container.read_header((golden.FOLDER / "v2-tiles-model.pxz").read_bytes())
    assert header.windows == [(0, 0, 20, 17), (20, 0, 20, 17), (0, 17, 20, 17), (20, 17, 20, 17)]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_its_message(name: str) -> None:
    bad = BAD[name]
    with pytest.raises(bad.error, match=re.escape(bad.message)) as found:
        decoded(name)
    assert found.type is bad.error


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_salvaged_of_a_bad_file_is_said(name: str) -> None:
    bad = BAD[name]
    data = (golden.FOLDER / f"{name}.pxz").read_bytes()
    if bad.salvaged is None:
        assert codec.recover(data, codec.Options(model_by_id=weights_for), salvage=True).picture.samples.size
        return
    with pytest.raises(bad.error, match=re.escape(bad.salvaged)) as found:
        codec.recover(data, codec.Options(model_by_id=weights_for), salvage=True)
    assert found.type is bad.error


@pytest.mark.parametrize("name", BAD)
def test_the_command_line_refuses_a_bad_file_in_one_line(name: str, tmp_path: Path) -> None:
    bad, file, out = BAD[name], golden.FOLDER / f"{name}.pxz", tmp_path / "out.png"
    models = [argument for path in EXTRA for argument in ("--model", str(path))]
    found = CliRunner().invoke(main, ["decompress", str(file), "-o", str(out), *models])
    assert found.exit_code == 2
    (line,) = found.stderr.splitlines()
    assert line.startswith(f"pixzip: {file}: ")
    assert (bad.command or bad.message) in line
    assert not [*tmp_path.iterdir()]


def test_every_golden_file_is_known_and_there() -> None:
    versions = [*golden.SHAPES, *(f"{name}{suffix}" for name in golden.PICTURES for suffix in ("", "-model"))]
    made = {
        *BLOCKS,
        *BAD,
        *STACKS,
        *BAD_STACKS,
        *KEPT,
        *BAD_KEPT,
        *ORIGINALS,
        *BAD_ORIGINALS,
        *PAGES,
        *BAD_PAGES,
        *PAGE_ORIGINALS,
        *BAD_PAGE_ORIGINALS,
        *golden_models.made(),
    }
    assert {p.stem for p in golden.FOLDER.glob("*.pxz")} == {*versions, *made}
