"""Files that version 1 must read and write for ever, and damaged ones that it must refuse."""

import hashlib
import json

import numpy as np
import pytest
from pixcodecs.errors import BitstreamError

from pixzip import codec, library
from tests import golden


@pytest.mark.parametrize("name", golden.SHAPES)
def test_a_golden_file_decodes_to_its_pixels(name: str) -> None:
    extra = [golden.FOLDER / f"model-{channels}.safetensors" for channels in (1, 3)]
    (pixels,) = codec.decompress([(golden.FOLDER / f"{name}.pxz").read_bytes()], lambda i: library.by_id(i, extra))
    expected = json.loads((golden.FOLDER / "pixels.json").read_text())[name]
    assert hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest() == expected
    assert pixels.shape == golden.SHAPES[name]


@pytest.mark.parametrize("name", golden.SHAPES)
def test_encoding_gives_the_golden_bytes(name: str) -> None:
    (data,) = codec.compress([golden.image(golden.SHAPES[name])], golden.weights)
    assert data == (golden.FOLDER / f"{name}.pxz").read_bytes()


@pytest.mark.parametrize("name", golden.BAD)
def test_a_bad_golden_file_is_refused_with_its_message(name: str) -> None:
    with pytest.raises(BitstreamError, match=golden.BAD[name][1]):
        codec.decompress([(golden.FOLDER / f"{name}.pxz").read_bytes()], library.by_id)
