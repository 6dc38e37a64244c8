"""Files that must be read, and written, for ever, and damaged ones that must be refused."""

import hashlib
import json

import numpy as np
import pytest
from pixcodecs.errors import BitstreamError

from pixzip import codec, library
from tests import golden

EXTRA = [golden.FOLDER / f"model-{channels}.safetensors" for channels in (1, 3)]


def decoded(name: str) -> golden.Picture:
    data = (golden.FOLDER / f"{name}.pxz").read_bytes()
    return codec.decompress([data], lambda model_id: library.by_id(model_id, EXTRA))[0]


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


@pytest.mark.parametrize("name", ["v2-rgb", "v2-grey", "v2-rgba"])
def test_encoding_by_models_gives_the_golden_bytes(name: str) -> None:
    (data,) = codec.compress([golden.picture(name)], golden.weights, models_only=True)
    assert data == (golden.FOLDER / f"{name}-model.pxz").read_bytes()


@pytest.mark.parametrize("name", golden.BAD)
def test_a_bad_golden_file_is_refused_with_its_message(name: str) -> None:
    with pytest.raises(BitstreamError, match=golden.BAD[name][1]):
        decoded(name)
