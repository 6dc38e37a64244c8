"""What a byte of a file may cost: the estimate, the limit, and files that would be out of proportion without them."""

import contextlib
import dataclasses
import io
import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from PIL import Image
from pixcodecs.container import blocks, stack
from pixcodecs.container.blocks import Kind
from pixcodecs.container.image import Layout
from pixcodecs.container.limits import LIFT, MAX_PIXELS
from pixcodecs.errors import BitstreamError, UnsupportedImageError

from pixzip import codec, image
from pixzip.codec import by_rows, costs, describe, original, tiles
from pixzip.codec.bits_map import pixel_bits
from pixzip.codec.options import Options
from pixzip.codec.stack import decompress_stack
from pixzip.engine import executor
from pixzip.engine.executor import Local, Payload
from pixzip.engine.stages.base import IDENTITY
from pixzip.engine.stages.light import LIGHT
from pixzip.engine.stages.registry import STAGES
from pixzip.image.formats import metadata
from pixzip.image.picture import Chunk, Picture
from pixzip.models import library
from pixzip.originals import RebuildError
from tests.helpers import costly, costly_originals, golden

OPTIONS = Options(golden.weights, {m.model_id: m for m in map(golden.weights, (1, 3))}.__getitem__)
SMALL, LARGE = (
    dict([*costly.cases(size), *costly_originals.cases(size)]) for size in (1 << 12, 1 << 19)
)  # fmt: skip
HEAVY = (
    "tiles of a model, 16 x 16", "one tile of a model", "one tile of a model that adapts",
    "version 1", "images of one pixel", "sizes that alternate", "columns that alternate", "one large image in a stack",
)  # fmt: skip


class Counting(Local):
    """Counts the pixels that models decode."""

    def decode(self, asked: Sequence[Payload], report: object = None) -> list[blocks.Samples]:
        seen.extend(p.shape[0] * p.shape[1] for p in asked)
        return super().decode(asked)


seen: list[int] = []


def never(*args: object) -> None:
    raise AssertionError("a model runs")


def decode(data: bytes, max_pixels: int | None = MAX_PIXELS) -> object:
    options = Options(max_pixels=max_pixels)
    if stack.is_stack(data):
        return decompress_stack(data, options)
    opening = codec.Opening(data)
    pictures = codec.decompress([opening], options)
    original.check(opening, pictures[0], options)
    return pictures


def noise(height: int, width: int, channels: int = 3) -> Picture:
    samples = np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)
    return Picture(samples, Layout.RGB if channels == 3 else Layout.GREY, 8)


def of_models(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A file of six tiles, each coded by a model."""
    monkeypatch.setattr(tiles, "TILE_SIDE", 24)
    monkeypatch.setattr(tiles, "WHOLE_PIXELS", 400)
    return codec.compress([noise(48, 72)], dataclasses.replace(OPTIONS, models_only=True))[0]


@pytest.mark.parametrize("name", HEAVY)
def test_what_would_take_too_long_is_refused_before_a_model_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "engine", never)
    data = LARGE[name]()
    assert len(data) < 1.1 * (1 << 19)
    with pytest.raises(BitstreamError, match="decoding would take more than 50 s of processor time") as refused:
        decode(data)
    assert LIFT in str(refused.value)
    with pytest.raises(AssertionError, match="a model runs"):
        decode(data, None)


@pytest.mark.parametrize("name", SMALL)
def test_a_small_file_ends_soon_whatever_is_in_it(name: str) -> None:
    data, began = SMALL[name](), time.process_time()
    describe.facts(data)
    with contextlib.suppress(BitstreamError, RebuildError):  # its checksums may not be those of its samples
        decode(data)
    assert time.process_time() - began < 20  # most take a hundredth of it


def test_the_largest_samples_of_a_small_file_are_those_of_four_bytes_a_pixel() -> None:
    def constant(width: int, height: int, depth: int) -> bytes:
        tile = costly.Block(bytes([Kind.CONSTANT]) + bytes(4 * depth // 8))
        count = -(-width // 4096) * -(-height // 4096)
        return costly.image(width, height, [tile] * count, layout=Layout.RGBA, depth=depth, side=(4096, 4096))

    codec.Opening(constant(9459, 9459, 8))
    with pytest.raises(BitstreamError, match=r"715781448 bytes of samples in \d+ bytes") as refused:
        codec.Opening(constant(9459, 9459, 16))
    assert LIFT in str(refused.value)
    codec.Opening(constant(9459, 9459, 16), None)


def test_a_tile_is_not_as_large_as_an_image_may_be() -> None:
    data = costly.image(8000, 8000, [costly.Block(bytes([Kind.CONSTANT, 0]))], layout=Layout.GREY)
    with pytest.raises(BitstreamError, match="a tile of 64000000 pixels"):
        codec.decompress([data])


def test_photographs_are_far_from_the_limit_of_time() -> None:
    base, side = library.resolve("base", 3), 1024
    for megapixels, bits_a_pixel in ((1, 1), (3.5, 0.5), (24, 2), (85, 1)):
        size = int(megapixels * side * side * bits_a_pixel / 8)
        for stage in STAGES.values():
            a_megapixel = costs.payload_ns(base, side, side, stage=stage)
            assert 1.1 * megapixels * a_megapixel < costs.limit_ns(size), megapixels


def test_a_model_that_adapts_takes_longer_for_each_channel() -> None:
    for channels in (1, 3):
        model = golden.weights(channels)
        plain, light = (costs.payload_ns(model, 20, 30, stage=stage) for stage in (IDENTITY, LIGHT))
        assert light == plain + 20 * 30 * 300 * channels


def test_a_stage_of_a_stack_takes_longer_for_each_channel_and_passes_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    model, spent = library.resolve("fast", 3), []
    monkeypatch.setattr(costs.Budget, "spend", lambda _, ns: spent.append(ns))
    run = stack.Run(3, 10, 10)
    for stage, passes in ((0, 1), (1, 1), (2, 1), (2, 2)):
        spent.append(0)
        header = stack.StackHeader(Layout.RGB, 8, 256, (run,), b"", (), 0, 0, 0, stage=stage)
        costs.check_stack(header, model, 100, passes)
    none, light, full, twice = spent[2::3]
    assert (light - none, full - none, twice) == (300 * 3 * 300, 300 * 3 * 1500, 2 * full)


def test_models_without_a_clock_are_not_timed() -> None:
    class Other:
        architecture, levels = "row-lstm-1", 256

    assert costs.payload_ns(Other(), 256, 256) == 0  # type: ignore[arg-type]


def test_every_part_of_a_block_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "engine", never)
    side, payload = 1500, costly.dense(3 * 1500 * 1500)
    model = blocks.model(0, payload)
    nested = blocks.levels(np.ones((3, 256), np.bool_), 8, model)
    for block in (blocks.high_low(8, model, model), blocks.high_low(8, model, nested)):
        data = costly.image(side, side, [costly.Block(block)], depth=16, models=[costly.model_id(3)])
        header = codec.Opening(data).header
        by_id = {header.models[0]: library.by_id(header.models[0])}
        alone = costs.payload_ns(by_id[header.models[0]], side, side)
        found = codec.decoder.tile_ns(codec.Opening(data), 0, by_id)
        assert found == alone * block.count(payload)


def limited(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(costs, "SMALL_NS", int(seconds * 1e9))


def test_files_are_written_so_that_they_are_read_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    data = of_models(monkeypatch)
    picture, opening = noise(48, 72), codec.Opening(data)
    model = golden.weights(3)
    own = [codec.decoder.tile_ns(opening, i, {model.model_id: model}) for i in range(6)]
    limited(monkeypatch, sum(own[:4]) / 1e9)
    with pytest.raises(BitstreamError, match="decoding would take"):
        codec.decompress([data], OPTIONS)
    assert codec.decompress([data], dataclasses.replace(OPTIONS, max_pixels=None)) == [picture]
    lighter = codec.affordable.lightened(data, [model], OPTIONS)
    assert codec.decompress([lighter], OPTIONS) == [picture]
    kinds = describe.facts(lighter)["blocks"]
    assert kinds["MODEL"] == 4
    assert sum(kinds.values()) == 6
    limited(monkeypatch, 50)
    assert codec.affordable.lightened(data, [model], OPTIONS) is data


def test_encoders_ask_whether_a_file_is_light_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec.search, "photographic", lambda samples: True)
    smooth = np.add.outer(np.arange(40), np.arange(48))[..., None] + np.random.default_rng(0).integers(
        0, 3, (40, 48, 1)
    )
    picture = Picture(smooth.astype(np.uint8), Layout.GREY, 8)

    def by_memory(options: Options) -> bytes:
        return codec.compress([picture], options)[0]

    def by_bands(options: Options) -> bytes:
        out = io.BytesIO()
        by_rows.compress_rows(_Rows(picture), out, options)
        return out.getvalue()

    both: tuple[Callable[[Options], bytes], ...] = (by_memory, by_bands)
    limited(monkeypatch, 0)
    for write in both:
        assert "MODEL" not in describe.facts(write(OPTIONS))["blocks"]
        assert codec.decompress([write(OPTIONS)], OPTIONS) == [picture]
        free = dataclasses.replace(OPTIONS, max_pixels=None, models_only=True)
        assert "MODEL" in describe.facts(write(free))["blocks"]


class _Rows:
    def __init__(self, picture: Picture) -> None:
        self.frame, self._rest = picture.frame, picture.samples

    def read(self, n: int) -> blocks.Samples:
        rows, self._rest = self._rest[:n], self._rest[n:]
        return rows


def test_salvage_decodes_no_tile_more_than_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    data = of_models(monkeypatch)
    header = codec.Opening(data).header
    table = [_with_other_samples(tile) for tile in header.tiles]  # every tile turns out to be damaged
    bad = (
        codec.opening.container.pack_header(dataclasses.replace(header, tiles=tuple(table))) + data[header.size_bytes :]
    )
    seen.clear()
    with pytest.raises(BitstreamError, match="no tile of the file decodes"):
        codec.recover(bad, dataclasses.replace(OPTIONS, executor=Counting()), salvage=True)
    assert sum(seen) <= 2 * 48 * 72


def _with_other_samples(tile: codec.opening.container.Tile) -> codec.opening.container.Tile:
    return tile._replace(samples_crc=tile.samples_crc ^ 1)


def test_bands_share_what_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    data, asked = of_models(monkeypatch), []

    def model_of(model_id: bytes) -> object:
        asked.append(model_id)
        return OPTIONS.model_by_id(model_id)

    parsed: list[object] = []
    monkeypatch.setattr(codec.opening, "frame_of", parsed.append)
    monkeypatch.setattr(codec.decoder, "framed", never)
    opening = codec.Opening(data)
    bands = list(by_rows.decompress_rows(opening, dataclasses.replace(OPTIONS, model_by_id=model_of)))  # type: ignore[arg-type]
    assert len(bands) == 2
    assert np.array_equal(np.concatenate(bands), noise(48, 72).samples)
    assert len(asked) == 1
    assert not parsed


def test_rows_of_small_tiles_are_decoded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    data = SMALL["tiles of one pixel value"]()
    opening = codec.Opening(data)
    calls: list[int] = []
    decoded = by_rows.decode_region
    monkeypatch.setattr(by_rows, "decode_region", lambda *given: calls.append(1) or decoded(*given))
    assert sum(map(len, by_rows.decompress_rows(opening, Options()))) == opening.header.height
    assert len(calls) == 1
    assert opening.header.height > 2 * opening.header.tile_height


def test_a_map_of_bits_counts_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    data = of_models(monkeypatch)
    model = golden.weights(3)
    once = sum(codec.decoder.tile_ns(codec.Opening(data), i, {model.model_id: model}) for i in range(6))
    limited(monkeypatch, 1.5 * once / 1e9)
    codec.decompress([data], OPTIONS)
    with pytest.raises(BitstreamError, match="decoding would take"):
        pixel_bits(data, OPTIONS)


def test_one_profile_is_inflated_and_only_where_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    inflated: list[int] = []
    monkeypatch.setattr(metadata, "_inflate", lambda data: inflated.append(1) or b"")
    chunks = [Chunk(b"iCCP", b"icc\0\0" + bytes(9))] * 200
    assert metadata.from_chunks(chunks, {"icc"})[1] == ["iCCP"] * 200
    assert len(inflated) == 1
    metadata.from_chunks(chunks, {"exif", "xmp"})
    assert len(inflated) == 1


@pytest.mark.parametrize("name", ["profiles, damaged at their end", "XMP, damaged at its end"])
def test_pillow_is_not_given_thousands_of_compressed_chunks(name: str) -> None:
    began = time.process_time()
    with pytest.raises(OSError, match="compressed chunks that may inflate"):
        Image.open(io.BytesIO(LARGE[name]()))
    assert time.process_time() - began < 20


def test_a_picture_of_the_row_reader_is_the_same_in_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_rows, "LARGE_PIXELS", 100)
    monkeypatch.setattr(by_rows, "PART_PIXELS", 100)
    for depth, layout in ((8, Layout.RGB), (16, Layout.GREY), (1, Layout.GREY), (4, Layout.GREY)):
        channels = 3 if layout is Layout.RGB else 1
        samples = np.random.default_rng(0).integers(0, 1 << depth, (25, 30, channels)).astype(blocks.dtype(depth))
        picture = Picture(samples, layout, depth)
        (data,) = codec.compress([picture])
        with Image.open(io.BytesIO(data)) as found, Image.open(io.BytesIO(image.write(picture))) as expected:
            assert found.mode == expected.mode
            assert found.tobytes() == expected.tobytes()


def test_memory_to_write_webp_is_in_proportion_to_the_source() -> None:
    image.check_memory(".webp", 24 << 20, 10 << 20)
    image.check_memory(".png", 89 << 20, 100)
    with pytest.raises(UnsupportedImageError, match="--no-pixel-limit lifts the limit"):
        image.check_memory(".webp", 24 << 20, 1 << 20)
