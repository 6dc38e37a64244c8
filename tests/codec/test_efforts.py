"""Efforts: more never costs much, the most is never beaten, and every file comes back."""

import io
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pixcodecs.container import blocks
from pixcodecs.container import image as container
from pixcodecs.container.blocks import Kind
from pixcodecs.container.image import Header, Layout, Tile
from pixcodecs.errors import BitstreamError

import pixzip
from pixzip import codec
from pixzip.adapters.chunks import ChunkCodec
from pixzip.codec import by_rows, describe, encoder, tiles
from pixzip.codec.bits_map import pixel_bits
from pixzip.codec.efforts import DEFAULT_EFFORT, EFFORTS, MOST_EFFORT, PLAIN, attempts
from pixzip.codec.options import DEFAULTS, Options
from pixzip.engine.base import Job
from pixzip.engine.executor import Ask, Local
from pixzip.engine.family import with_known_answer
from pixzip.engine.stages.base import IDENTITY
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.engine.wavefront import WavefrontEngine
from pixzip.io import arguments
from pixzip.models import library
from pixzip.models.family.weights import fixed
from tests.helpers.family import tiny
from tests.helpers.support import noise, scene, tiny_weights

EXAMPLE = Path(__file__).parents[2] / "examples" / "photo.webp"
#: Of an image of few colours, the stage gains more than the larger model, and effort 4 has none.


def _crop() -> np.ndarray:
    """As many pixels as an image needs to remember its colours, and hardly more."""
    with Image.open(EXAMPLE) as shown:
        return np.ascontiguousarray(np.asarray(shown.convert("RGB"))[100:164, 200:265])


def _drawing() -> np.ndarray:
    image = np.full((70, 90, 3), 250, np.uint8)
    image[20:40, 30:60], image[30:60, 50:80] = (200, 30, 40), (20, 90, 200)
    y, x = np.mgrid[:70, :90]
    image[(y - 40) ** 2 + (x - 25) ** 2 < 300] = 0, 160, 90
    return image


def _pictures() -> dict[str, np.ndarray]:
    crop = _crop()
    return {
        "photograph": crop,
        "small photograph": crop[:30, :40],
        "grey": crop[..., 1],
        "grey with alpha": np.dstack([crop[..., 1], crop[..., 0] // 64 * 64]),
        "drawing": _drawing(),
        "few colours": crop // 16 * 16,
        "RGBA": np.dstack([crop, np.where(crop[..., 0] > 90, 255, 0).astype(np.uint8)]),
        "16 bits": crop.astype(np.uint16) << 8 | noise(3, *crop.shape[:2], 1),
        "12 bits": crop[:32, :40, 1].astype(np.uint16) << 4 | noise(1, 32, 40, 1)[..., 0] >> 4,
        "1 x 1": noise(3, 1, 1, 1),
        "8 x 8": scene(3, 8, 8, 2),
        "5 x 3": scene(1, 3, 5, 3),
        "2 x 2 with alpha": noise(4, 2, 2, 4),
    }


PICTURES = {name: np.ascontiguousarray(image) for name, image in _pictures().items()}


@cache
def file_of(name: str, effort: int) -> bytes:
    return codec.compress([PICTURES[name]], Options.of(effort=effort))[0]


@pytest.mark.parametrize("name", PICTURES)
def test_no_file_is_more_than_a_hundredth_larger_than_at_a_lower_effort(name: str) -> None:
    sizes = {effort: len(file_of(name, effort)) for effort in EFFORTS}
    for effort, size in sizes.items():
        lower = min((sizes[e] for e in range(1, effort)), default=size)
        assert size <= 1.01 * lower + 8, sizes


@pytest.mark.parametrize("name", PICTURES)
def test_the_most_effort_is_never_beaten(name: str) -> None:
    assert len(file_of(name, MOST_EFFORT)) == min(len(file_of(name, effort)) for effort in EFFORTS)


@pytest.mark.parametrize("effort", EFFORTS)
def test_files_of_every_effort_come_back(effort: int) -> None:
    found = codec.decompress([file_of(name, effort) for name in PICTURES])
    assert found == [codec.as_picture(image) for image in PICTURES.values()]


@pytest.mark.parametrize("name", PICTURES)
def test_the_stage_never_makes_a_small_image_larger(name: str) -> None:
    small = PICTURES[name][:30, :40]
    plain, light = (codec.compress([small], Options.of(effort=effort))[0] for effort in (1, 2))
    assert len(light) <= len(plain)


def facts(name: str, effort: int) -> dict[str, Any]:
    return describe.facts(file_of(name, effort))


def test_the_model_and_the_stage_are_those_of_the_table() -> None:
    for effort in range(1, MOST_EFFORT):
        found, own = facts("photograph", effort), EFFORTS[effort]
        assert [model["name"] for model in found["models"]] == [own.model]
        stages = [] if own.drawings == IDENTITY else [own.drawings.name]  # the picture is too small for a photograph
        assert found["stages"] == stages
        assert found["blocks"] == {f"MODEL ({stages[0]})" if stages else "MODEL": 1}
    (deep,) = codec.compress([PICTURES["16 bits"]], Options.of(effort=2, models_only=True))
    assert describe.facts(deep)["blocks"] == {"DEEP_MODEL (light)": 1}
    assert facts("RGBA", 2)["blocks"] == {"ALPHA": 1}
    assert facts("RGBA", 2)["stages"] == ["light"]
    assert facts("drawing", 5)["stages"] == []


def test_a_named_model_codes_at_every_effort() -> None:
    for effort in EFFORTS:
        options = Options.of("fast", effort=effort)
        fast = library.resolve("fast", 3)
        assert {own.model_for(3).model_id for own in (options, *options.alternatives)} == {fast.model_id}
        assert options.effort == EFFORTS[effort]
    differ = {(e.stage, e.drawings, e.thoroughness) for e in EFFORTS.values()}
    assert len(options.alternatives) == len(differ) - 1  # what differs by the model alone is tried once


def test_the_default_is_the_default() -> None:
    assert DEFAULTS.effort == Options.of().effort == EFFORTS[DEFAULT_EFFORT]
    assert Options.of().model_for(3).model_id == library.resolve(library.DEFAULT, 3).model_id
    assert Options(tiny_weights).effort == PLAIN
    assert pixzip.encode(PICTURES["photograph"]) == file_of("photograph", DEFAULT_EFFORT)
    assert max(EFFORTS) == arguments.MOST_EFFORT
    assert attempts(DEFAULT_EFFORT) == [EFFORTS[DEFAULT_EFFORT]]
    assert set(attempts(MOST_EFFORT)) == set(EFFORTS.values())


def test_nothing_is_tried_twice() -> None:
    """Names of models mean one and the same for grey."""
    options = Options.of(effort=MOST_EFFORT)
    tries = {
        name: encoder.attempts([codec.as_picture(PICTURES[name]).frame], options)
        for name in ("photograph", "grey", "RGBA")
    }
    assert len(tries["photograph"]) == len(tries["RGBA"]) == len(attempts(MOST_EFFORT))
    larger = [own for own in attempts(MOST_EFFORT) if own.model == "large"]
    assert len(tries["grey"]) == len(attempts(MOST_EFFORT)) - len(larger)
    assert len({(models[1][0].model_id, replace(own.effort, model="")) for own, models in tries["grey"]}) == len(
        tries["grey"]
    )


class Recording(Local):
    """Records what is asked."""

    def encode(self, asked: Sequence[Ask], report: object = None) -> list[bytes]:
        asks.extend(asked)
        return super().encode(asked)


asks: list[Ask] = []


def test_units_are_tried_without_the_stage_and_drawings_coded_with_it() -> None:
    asks.clear()
    codec.compress([PICTURES["16 bits"]], Options.of("fast", models_only=True, executor=Recording()))
    assert [ask.stage for ask in asks] == [IDENTITY] * (len(asks) - 1) + [LIGHT]
    assert len(asks) > 2
    asks.clear()
    codec.compress([PICTURES["few colours"]], Options.of("fast", executor=Recording()))
    graphics = library.resolve("graphics", 3).model_id
    assert FULL in {ask.stage for ask in asks if ask.model.model_id == graphics}


def test_what_a_stage_adapts_is_placed_on_the_cpu() -> None:
    """A GPU would ask the host in every step."""
    samples = np.zeros((40, 50, 3), np.uint8)
    with WavefrontEngine.placed([Job.encoding(samples), Job.encoding(samples, stage=LIGHT)]) as device:
        assert device == "cpu"


def test_a_model_of_the_family_is_not_adapted_and_a_block_that_says_so_is_refused() -> None:
    model = with_known_answer(fixed(tiny("pixelcnn-1", hidden=2, layers=1, features=2)))
    image = scene(3, 4, 4, 1)
    (file,) = codec.compress([image], Options.only(model, models_only=True, effort=EFFORTS[DEFAULT_EFFORT]))
    assert describe.facts(file)["blocks"] == {"MODEL": 1}
    opening = codec.Opening(file)
    block = blocks.adapted(LIGHT.number, opening.block(0))
    tile = Tile(len(block), container.crc32(block), opening.header.tiles[0].samples_crc)
    head = Header(4, 4, Layout.RGB, 8, (model.model_id,), (), 4, 4, (tile,))
    with pytest.raises(BitstreamError, match="stage light does not adapt models of pixelcnn-1"):
        codec.decompress([container.pack_header(head) + block], Options.only(model))


class Rows:
    """A source of rows in memory."""

    def __init__(self, image: np.ndarray) -> None:
        picture = codec.as_picture(image)
        self.frame, self._rest = picture.frame, picture.samples

    def read(self, n: int) -> blocks.Samples:
        rows, self._rest = self._rest[:n], self._rest[n:]
        return rows


@pytest.mark.parametrize("effort", [2, MOST_EFFORT])
def test_bands_of_tiles_give_the_same_file(effort: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "TILE_SIDE", 40)
    monkeypatch.setattr(tiles, "WHOLE_PIXELS", 100)
    options, out, seen = Options.of(effort=effort), io.BytesIO(), []
    by_rows.compress_rows(Rows(PICTURES["photograph"]), out, options, progress=lambda *given: seen.append(given))
    done: list[Any] = []
    (file,) = codec.compress([PICTURES["photograph"]], options, lambda *given: done.append(given))
    assert out.getvalue() == file
    assert len(codec.Opening(file).header.tiles) == 4
    assert seen[-1] == done[-1]
    assert seen[-1][0] == seen[-1][1]
    opening = codec.Opening(file)
    by_rows.check_rows(opening, Rows(PICTURES["photograph"]), options)
    part = codec.recover(file, region=tiles.Window(25, 20, 40, 30)).picture.samples
    assert np.array_equal(part, PICTURES["photograph"][20:50, 25:65])


def test_a_map_of_bits_and_the_models_own_bits_are_those_after_the_stage() -> None:
    file, opening = file_of("photograph", 2), codec.Opening(file_of("photograph", 2))
    assert opening.block(0)[0] == Kind.ADAPTED
    bits = float(pixel_bits(file).sum())
    assert bits == pytest.approx(8 * (len(file) - opening.header.size_bytes), rel=1e-5)
    (row,) = codec.evaluate([PICTURES["photograph"]], Options.of("fast", effort=2))
    assert row["file_bits"] == 8 * len(file)
    assert row["model_bits"] < bits <= 1.001 * row["model_bits"] + 64
    (plain,) = codec.evaluate([PICTURES["photograph"]], Options.of("fast", effort=1))
    assert row["model_bits"] < plain["model_bits"]


def test_verification_takes_the_file_that_is_kept() -> None:
    for name in ("few colours", "RGBA"):
        (file,) = codec.compress([PICTURES[name]], Options.of(effort=MOST_EFFORT, verify=True))
        assert file == file_of(name, MOST_EFFORT)


@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (10, ValueError), ("5", TypeError), (True, TypeError)])
def test_another_effort_is_refused(value: Any, error: type[Exception]) -> None:
    for refused in (
        lambda: pixzip.encode(PICTURES["8 x 8"], effort=value),
        lambda: pixzip.Codec(effort=value),
        lambda: ChunkCodec("fast", effort=value),
    ):
        with pytest.raises(error, match="effort is"):
            refused()


def test_python_pillow_and_chunks_take_an_effort(tmp_path: Path) -> None:
    image, path = PICTURES["photograph"], tmp_path / "x.pxz"
    expected = file_of("photograph", 1)
    assert pixzip.encode(image, effort=1) == expected
    assert pixzip.encode_batch([image], effort=1) == [expected]
    pixzip.save(image, path, effort=1)
    assert path.read_bytes() == expected
    Image.fromarray(image).save(path, effort=1)
    assert path.read_bytes() == expected
    assert pixzip.bits_map(image, effort=1).shape == image.shape[:2]
    chunks = ChunkCodec("fast", effort=1)
    assert chunks.encode(image).endswith(expected)
    assert chunks.config()["effort"] == 1
    assert "effort" not in ChunkCodec("fast").config()
    assert ChunkCodec(**chunks.config()) == chunks
    assert np.array_equal(ChunkCodec("fast").decode(chunks.encode(image)), image)
