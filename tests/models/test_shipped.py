"""The shipped models on a real photograph."""

import io
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pixcodecs.errors import ModelMismatchError

from pixzip import codec
from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.engine.order import to_coding_order
from pixzip.engine.wavefront import WavefrontEngine
from pixzip.models import library
from pixzip.models.wavefront.export import training_view
from tests.helpers.support import encoding

PHOTO = Path(__file__).parents[2] / "examples" / "photo.webp"
NAMES = ["base", "large", "fast", "base-grey", "fast-grey", "graphics", "graphics-grey"]
MAX_HEADER_BYTES = 32


def crop(channels: int, height: int = 96, width: int = 128) -> np.ndarray:
    with Image.open(PHOTO) as image:
        array = np.asarray(image.convert("RGB" if channels == 3 else "L"))
    return np.ascontiguousarray(array[200 : 200 + height, 300 : 300 + width])


def test_these_models_are_shipped() -> None:
    assert set(library.shipped_paths()) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_small_and_knows_its_answer(name: str) -> None:
    path = library.shipped_paths()[name]
    assert path.stat().st_size < 2 << 20
    assert len(library.load(path).known_answer) == 64


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["compiled", "float32", "int8"])
def test_every_form_gives_the_known_answer(name: str, form: str) -> None:
    weights = library.load(library.shipped_paths()[name])
    try:
        engine = WavefrontEngine(weights) if form == "compiled" else TensorEngine(weights, backend=form)
    except ModelMismatchError as e:
        if form == "int8" and "not exact on this machine" in str(e):
            pytest.skip("this CPU's int8 products saturate: the self-test refused them")
        raise
    assert engine.known_answer() == weights.known_answer


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_known_answer_refuses_the_engine(name: str) -> None:
    weights = library.load(library.shipped_paths()[name])
    with pytest.raises(ModelMismatchError, match="nothing was coded"):
        WavefrontEngine(replace(weights, known_answer="0" * 64))


@pytest.mark.parametrize("name", NAMES)
def test_training_view_and_integer_view_agree_within_half_a_percent(name: str) -> None:
    weights = library.load(library.shipped_paths()[name])
    samples = to_coding_order(codec.as_picture(crop(weights.config.channels)).samples, weights.order)
    (integer_bits,) = WavefrontEngine(weights).nll_bits(encoding([samples]))
    with torch.no_grad():
        training_bits = float(
            training_view(weights)(torch.from_numpy(samples).permute(2, 0, 1)[None].float()).double().sum()
        )
    assert training_bits == pytest.approx(integer_bits, rel=0.005)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_the_models_bits_and_a_header(name: str) -> None:
    channels = library.load(library.shipped_paths()[name]).config.channels
    image = crop(channels)
    (row,) = codec.evaluate([image], codec.Options(partial(library.resolve, name)))
    assert row["file_bits"] <= 1.002 * row["model_bits"] + 8 * MAX_HEADER_BYTES
    # an untrained model would need 8 bits per sub-pixel
    assert row["bpsp"] < 4


@pytest.mark.parametrize(("name", "shape"), [("base", (1, 1, 3)), ("fast", (1, 1, 3)), ("base-grey", (1, 1))])
def test_one_pixel_takes_at_most_forty_bytes(name: str, shape: tuple[int, ...]) -> None:
    for value in (0, 77, 255):
        (data,) = codec.compress([np.full(shape, value, np.uint8)], codec.Options(partial(library.resolve, name)))
        assert len(data) <= 40


@pytest.mark.parametrize("name", ["base", "fast"])
def test_grey_images_find_their_model_under_each_name(name: str) -> None:
    grey = library.load(library.shipped_paths()[f"{name}-grey"])
    assert library.resolve(name, 1).model_id == grey.model_id


def test_base_beats_lossless_webp_on_the_example() -> None:
    image = crop(3, 256, 384)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "WEBP", lossless=True, quality=100, method=6)
    (data,) = codec.compress([image], codec.Options(partial(library.resolve, "base")))
    assert len(data) < len(buffer.getvalue())
    header = codec.Opening(data).header
    assert (header.width, header.height) == (384, 256)


def test_what_a_retired_model_wrote_stays_readable() -> None:
    retired = library.retired_paths()
    assert retired
    for name, path in retired.items():
        weights = library.load(path)
        assert name.endswith(weights.model_id.hex())
        assert library.name_of(weights.model_id) == name
        image = crop(weights.config.channels, 24, 40)
        (file,) = codec.compress([image], codec.Options(lambda channels, weights=weights: weights, models_only=True))  # type: ignore[misc]
        (back,) = codec.decompress([file])
        assert np.array_equal(codec.as_array(back), image)


def test_a_retired_model_is_none_to_choose() -> None:
    assert not library.retired_paths().keys() & library.known_paths().keys()
