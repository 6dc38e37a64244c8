"""Maps of bits add up to the file, for every kind of block and model, and are large where the detail is."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pixcodecs.container.image import Layout

import pixzip
from pixzip import api
from pixzip.codec import compress, evaluate, tiles
from pixzip.codec.bits_map import pixel_bits
from pixzip.codec.options import Options
from pixzip.engine.backends.torch.engine import with_known_answer
from pixzip.models import library
from pixzip.models.family.architectures import FAMILY
from pixzip.models.family.weights import fixed
from tests.helpers.family import tiny
from tests.helpers.pictures import picture
from tests.helpers.support import photo, tiny_weights


def check_map(bits: np.ndarray, data: bytes, shape: tuple[int, ...]) -> dict[str, Any]:
    """Check the map of a file, and return the facts about the file."""
    facts = pixzip.info(data)
    assert bits.shape == shape[:2]
    assert bits.dtype == np.float32
    assert np.isfinite(bits).all()
    assert (bits >= 0).all()
    assert float(bits.sum(dtype=np.float64)) == pytest.approx(
        8 * (facts["file_bytes"] - facts["header_bytes"]), rel=1e-5
    )
    return facts


def flat_drawing() -> np.ndarray:
    """An image for which WebP is smallest: a repeated tile."""
    return np.tile(np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8), (8, 8, 1))


NOISE = np.random.default_rng(5).integers(0, 256, (40, 48, 1), np.uint16)
BLOCKS: dict[str, tuple[Any, str]] = {
    "photo": (photo(3, 70, 60), "MODEL (full)"),
    "grey": (photo(1, 70, 60), "MODEL (full)"),
    "alpha": (photo(4, 40, 48), "ALPHA"),
    "WebP": (flat_drawing(), "WEBP_BODY"),
    "constant": (np.full((9, 11, 3), 7, np.uint8), "CONSTANT"),
    "raw": (np.random.default_rng(0).integers(0, 256, (4, 3), np.uint8), "RAW"),
    "16 bits": (photo(1, 40, 48).astype(np.uint16) * 257 ^ NOISE, "HIGH_LOW"),
    "10 bits": (photo(1, 40, 48).astype(np.uint16) * 4 ^ NOISE & 3, "NARROW"),
    "few of 16 bits": (photo(1, 40, 48).astype(np.uint16) // 4 * 1028, "LEVELS"),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_map_adds_up_to_the_file_without_its_header(name: str) -> None:
    image, kind = BLOCKS[name]
    data = pixzip.encode(image, "fast")
    facts = check_map(pixzip.bits_map(data), data, image.shape)

    assert list(facts["blocks"]) == [kind]
    np.testing.assert_array_equal(pixzip.bits_map(image, "fast"), pixzip.bits_map(data))


def test_16_bits_of_a_model_have_a_map() -> None:
    image = photo(1, 40, 48).astype(np.uint16) * 257 ^ NOISE
    (data,) = compress([image], Options(partial(library.resolve, "fast"), models_only=True))
    bits = pixzip.bits_map(data)

    assert list(check_map(bits, data, image.shape)["blocks"]) == ["DEEP_MODEL"]
    assert bits.min() > 4  # the noise below is in every pixel


def test_palettes_have_maps_too() -> None:
    indices = picture(Layout.PALETTE, 4)
    data = pixzip.encode(indices, "fast")
    check_map(pixzip.bits_map(data), data, (5, 7))


def test_the_map_of_what_a_model_coded_holds_the_bits_of_that_model() -> None:
    image = photo(3, 40, 48)
    bits = float(pixzip.bits_map(image, effort=1).sum())
    (found,) = evaluate([image], Options(partial(library.resolve, "fast")))

    assert found["model_bits"] <= bits < found["file_bits"]


def test_a_map_shows_where_the_detail_is() -> None:
    image = photo(3, 40, 48)
    image[:, :24] = 128
    bits = pixzip.bits_map(image, "fast")
    assert bits[:, 30:].mean() > 20 * bits[:, 2:20].mean()


def test_a_map_of_several_tiles_has_each_ones_bits_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "WHOLE_PIXELS", 1024)
    monkeypatch.setattr(tiles, "TILE_SIDE", 32)
    image = photo(3, 40, 60)
    image[:20, :30] = 128  # the first of four tiles
    data = pixzip.encode(image, effort=1)
    bits = pixzip.bits_map(data)
    facts = check_map(bits, data, image.shape)

    assert (facts["tiles"], facts["tile_width"], facts["tile_height"]) == (4, 30, 20)
    assert facts["blocks"] == {"CONSTANT": 1, "MODEL": 3}
    assert bits[:20, :30].sum() == pytest.approx(8 * 4)  # kind and pixel
    assert bits[20:, :30].sum() > 1000


@pytest.mark.parametrize("name", FAMILY)
def test_models_of_the_family_have_maps(name: str) -> None:
    weights = fixed(tiny(name).requires_grad_(False))
    image = photo(3, 7, 9)
    (data,) = compress([image], Options.only(weights, models_only=True))
    facts = check_map(pixel_bits(data, Options.only(weights)), data, image.shape)

    assert list(facts["blocks"]) == ["MODEL"]


def test_models_of_ones_own_have_maps(tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(with_known_answer(tiny_weights(3)).to_bytes())
    codec = api.Codec(path)
    data = codec.encode(photo(3))

    check_map(codec.bits_map(data), data, (24, 32))
    np.testing.assert_array_equal(codec.decode(data), photo(3))
