"""Payloads and files by rANS: equal on every path through the program, no larger than allowed, and read back."""

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pixcodecs import threads
from pixcodecs.coders import rans
from pixcodecs.coders.registry import RANGE, RANS
from pixcodecs.container import blocks
from pixcodecs.container import image as container
from pixcodecs.container.blocks import Kind, Precision
from pixcodecs.container.image import Header, Layout, Tile
from pixcodecs.errors import BitstreamError

from bench.deep.blocks import describe_blocks
from pixzip import codec
from pixzip.codec import tiles
from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.engine.wavefront import SteppedEngine, WavefrontEngine, at_once
from pixzip.image.picture import Picture
from pixzip.models import library
from pixzip.models.wavefront.reference import Reference, bin_freqs, place_freqs
from pixzip.models.wavefront.weights import IntegerWeights
from tests.helpers.support import decoding, encoding, noise, photo, scene, tiny_weights
from tests.oracles.rans import PlainRansDecoder

WEIGHTS = {channels: tiny_weights(channels) for channels in (1, 3)}
BY_ID = {w.model_id: w for w in WEIGHTS.values()}
weights_for: Callable[[int], IntegerWeights] = WEIGHTS.__getitem__
by_id: Callable[[bytes], IntegerWeights] = BY_ID.__getitem__
options = partial(codec.Options, weights_for, by_id)
EXAMPLE = Path(__file__).parents[2] / "examples" / "photo.webp"


@pytest.fixture
def many_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few bytes per lane, so that small images have several lanes."""
    monkeypatch.setattr(rans, "BYTES_A_LANE", 16)


def payload_of(file: bytes, kind: Kind = Kind.RANS_MODEL) -> bytes:
    block = codec.Opening(file).block(0)
    assert block[0] == kind
    return block[2:]


# Payloads of an engine.


def high_depth_of(samples: np.ndarray, precision: Precision) -> np.ndarray:
    more = precision.depth - 8
    return samples.astype(np.uint16) << more | samples[::-1, ::-1] >> 8 - more


@pytest.fixture(scope="module")
def engines() -> dict[str, SteppedEngine]:
    model = tiny_weights(3, seed=11, spread=1.0)
    return {"compiled": WavefrontEngine(model), "tensors": TensorEngine(model, backend="float32")}


@pytest.mark.usefixtures("many_lanes")
@pytest.mark.parametrize("precision", [Precision(), Precision(12, 2), Precision(16, 6)])
def test_forms_threads_and_batches_give_the_same_payloads_and_pixels(
    precision: Precision, engines: dict[str, SteppedEngine]
) -> None:
    images = [scene(3, 9, 14, 1), noise(3, 1, 1, 2), noise(3, 5, 3, 3), noise(3, 12, 1, 4), scene(3, 1, 20, 5)]
    if precision.depth > 8:
        images = [high_depth_of(samples, precision) for samples in images]
    precisions = [precision] * len(images)
    jobs = encoding(images, precisions, RANS)
    expected = engines["compiled"].encode(jobs)
    coded = decoding(expected, [job.size for job in jobs], precisions, [RANS] * len(jobs))
    assert max(payload[0] for payload in expected) >= 2
    before = threads.get_threads()
    try:
        for own in engines.values():
            for count in (1, 2):
                threads.set_threads(count)
                assert own.encode(jobs) == expected
                assert all(map(np.array_equal, own.decode(coded), images))
            assert [own.encode([job])[0] for job in jobs] == expected
    finally:
        threads.set_threads(before)


def test_few_pixels_at_a_time_give_the_same_payloads(
    engines: dict[str, SteppedEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shares take memory, so jobs that are too large for one batch are split."""
    engine, images = next(iter(engines.values())), [scene(3, 5, 7, i) for i in range(5)]
    whole, batches = engine.encode(encoding(images, coder=RANS)), []
    batch = engine.batch
    monkeypatch.setattr(engine, "batch", lambda sizes, *rest: batches.append(len(sizes)) or batch(sizes, *rest))
    small = dataclasses.replace(RANS, most_pixels=2 * 5 * 7)
    assert engine.encode(encoding(images, coder=small)) == whole  # another coder than `RANS`: step by step
    assert batches == [2, 2, 1]
    assert at_once(encoding(images, coder=small)) == [[0, 1], [2, 3], [4]]
    assert at_once(encoding(images)) == [[0, 1, 2, 3, 4]]


def test_both_coders_decode_side_by_side(engines: dict[str, SteppedEngine]) -> None:
    images = [scene(3, 9, 14, 1), noise(3, 5, 3, 3), scene(3, 7, 7, 2)]
    made = [RANS, RANGE, RANS]
    payloads = [engines["compiled"].encode(encoding([x], coder=c))[0] for x, c in zip(images, made, strict=True)]
    back = engines["compiled"].decode(decoding(payloads, [x.shape[:2] for x in images], None, made))
    assert all(map(np.array_equal, back, images))


def test_states_that_cannot_be_are_refused_before_anything_is_allocated(
    engines: dict[str, SteppedEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: object) -> None:
        raise AssertionError

    monkeypatch.setattr(engines["compiled"], "batch", never)
    with pytest.raises(BitstreamError, match="a state is out of its range"):
        engines["compiled"].decode(decoding([b"\0" + bytes(8)], [(9000, 9000)], None, [RANS]))


def values(payload: bytes, model: IntegerWeights, sides: tuple[int, int], precision: Precision) -> np.ndarray:
    """(H, W, C) samples decoded by `docs/format.md` alone: plain coder and reference model."""
    (height, width), channels = sides, model.config.channels
    decoder, own = PlainRansDecoder(payload), Reference(model, height, width, precision)
    for t in range(width + 2 * (height - 1)):
        step = [(y, t - 2 * y) for y in range(height) if 0 <= t - 2 * y < width]
        states = []
        for y, x in step:
            own.begin(y, x)
            states.append((own.centre, own.hidden, own.known, own.fine))
        for channel in range(channels):
            prefixes = [0] * len(step)
            for place in reversed(range(precision.digits)):
                for j in range(len(step)):
                    own.centre, own.hidden, own.known, own.fine = states[j]
                    if precision.depth > 8:
                        freqs = own.digit_freqs(channel, prefixes[j], place)
                    else:
                        table = np.diff(own.cumulative(channel))
                        freqs = bin_freqs(table) if place else place_freqs(table, prefixes[j])
                    prefixes[j] = 16 * prefixes[j] + decoder.decode(j % decoder.lanes, freqs.tolist())
            for j, (y, x) in enumerate(step):
                own.centre, own.hidden, own.known, own.fine = states[j]
                own.store(y, x, channel, prefixes[j])
                states[j] = own.centre, own.hidden, own.known, own.fine
    assert decoder.ended()
    return own.pixels


@pytest.mark.usefixtures("many_lanes")
@pytest.mark.parametrize("precision", [Precision(), Precision(12, 2)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_payload_is_decoded_by_nothing_but_the_specification(channels: int, precision: Precision) -> None:
    model, samples = tiny_weights(channels, seed=9, spread=1.0), scene(channels, 5, 8, 9)
    if precision.depth > 8:
        samples = high_depth_of(samples, precision)
    (payload,) = TensorEngine(model, backend="float32").encode(encoding([samples], [precision], RANS))
    assert payload[0] >= 1
    assert np.array_equal(values(payload, model, (5, 8), precision), samples)


# Files.

BIG = photo(4, 90, 130, 3)


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "WHOLE_PIXELS", 1000)
    monkeypatch.setattr(tiles, "TILE_SIDE", 40)


@pytest.mark.usefixtures("small_tiles", "many_lanes")
def test_tiles_of_colours_and_alpha_come_back_whole_and_in_part() -> None:
    (file,) = codec.compress([BIG], options(models_only=True, coder=RANS, verify=True))
    header = codec.Opening(file).header
    assert describe_blocks(file) == {"ALPHA (RANS_MODEL; RANS_MODEL)": len(header.tiles)}
    assert len(header.tiles) == 12
    part = tiles.Window(30, 35, 50, 20)
    found = codec.recover(file, options(), region=part)
    assert np.array_equal(found.picture.samples, BIG[part.slices])


@pytest.mark.usefixtures("small_tiles")
def test_a_damaged_tile_costs_no_other() -> None:
    (file,) = codec.compress([BIG[..., :3]], options(models_only=True, coder=RANS))
    header = codec.Opening(file).header
    parts = [container.block(file, header, i) for i in range(len(header.tiles))]
    parts[5] = parts[5][:-4] + bytes(4)
    table = [
        t._replace(size_bytes=len(p), block_crc=container.crc32(p)) for t, p in zip(header.tiles, parts, strict=True)
    ]
    head = Header(130, 90, Layout.RGB, 8, header.models, (), header.tile_width, header.tile_height, tuple(table))
    found = codec.recover(container.pack_header(head) + b"".join(parts), options(), salvage=True)
    assert found.damaged == (tiles.Window(*header.windows[5]),)


def nested() -> dict[str, Picture]:
    """Kind of blocks -> pictures."""
    rng = np.random.default_rng(5)
    grey, colours = photo(1, 130, 130).astype(np.uint16), photo(3, 60, 80).astype(np.uint16)
    deep, colourful = (x << 4 | rng.integers(0, 16, x.shape, np.uint16) for x in (grey, colours))
    return {
        "RANS_MODEL": codec.as_picture(photo(3, 60, 80)),
        "LEVELS 8 > RANS_MODEL": codec.as_picture(photo(3, 60, 80) // 3 * 3),
        "ALPHA (RANS_MODEL; RANS_MODEL)": codec.as_picture(photo(4, 60, 80)),
        "NARROW 12 > HIGH_LOW 4 (RANS_MODEL; RAW)": codec.as_picture(colourful),
        "NARROW 12 > DEEP_RANS_MODEL, unit 4": codec.as_picture(deep),
        "CONSTANT": codec.as_picture(np.zeros((5, 6), np.uint8)),
    }


def fast(channels: int) -> IntegerWeights:
    return library.resolve("fast", channels)


def test_nested_blocks_come_back_from_one_batch_and_beside_files_of_the_range_coder() -> None:
    made = list(nested().values())
    files = codec.compress(made, codec.Options(fast, coder=RANS))
    assert [next(iter(describe_blocks(file))) for file in files] == list(nested())
    others = codec.compress(made[:3], codec.Options(fast))
    assert not any("RANS" in next(iter(describe_blocks(file))) for file in others)
    mixed = [*others[:2], *files, *others[2:]]
    assert codec.decompress(mixed) == [*made[:2], *made, *made[2:3]]


@pytest.mark.parametrize("models_only", [False, True])
def test_a_batch_gives_the_bytes_of_each_alone(models_only: bool) -> None:
    images = [photo(3, 9, 14), photo(3, 1, 1), photo(1, 6, 3), photo(3, 20, 2), photo(1, 1, 17), photo(4, 7, 1)]
    images += [photo(3, 8, 9).astype(np.uint16) * 257 ^ 9]
    alone = [codec.compress([x], options(models_only=models_only, coder=RANS))[0] for x in images]
    assert codec.compress(images, options(models_only=models_only, coder=RANS, verify=True)) == alone


@pytest.mark.parametrize("name", ["base", "fast"])
def test_a_photograph_takes_its_models_bits_and_a_header(name: str) -> None:
    with Image.open(EXAMPLE) as shown:
        image = np.ascontiguousarray(np.asarray(shown.convert("RGB"))[100:228, 200:392])

    def weights(channels: int) -> IntegerWeights:
        return library.resolve(name, channels)

    (file,) = codec.compress([image], codec.Options(weights, coder=RANS))
    (row,) = codec.evaluate([image], codec.Options(weights))
    assert payload_of(file)
    assert row["model_bits"] < 8 * len(file) <= 1.002 * row["model_bits"] + 8 * 32
    (back,) = codec.decompress([file])
    assert np.array_equal(codec.as_array(back), image)


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 3), (1, 1, 4)])
def test_one_pixel_takes_at_most_40_bytes(shape: tuple[int, ...]) -> None:
    for value in (0, 77, 255):
        (file,) = codec.compress([np.full(shape, value, np.uint8)], options(coder=RANS))
        assert len(file) <= 40


def test_every_flipped_byte_and_truncation_of_a_file_is_rejected() -> None:
    (file,) = codec.compress([photo(3, 3, 4)], options(models_only=True, coder=RANS))
    damaged = [file[:i] + bytes([file[i] ^ 1 << i % 8]) + file[i + 1 :] for i in range(len(file))]
    for data in [*damaged, *(file[:i] for i in range(len(file))), file + b"\0"]:
        with pytest.raises(BitstreamError):
            codec.decompress([data], options())


def forged(block: bytes, shape: tuple[int, int, int], model_id: bytes) -> bytes:
    """A hostile file with correct checksums, except that of the samples."""
    h, w, c = shape
    tile = Tile(len(block), container.crc32(block), 0)
    layout = {1: Layout.GREY, 3: Layout.RGB}[c]
    return container.pack_header(Header(w, h, layout, 8, (model_id,), (), w, h, (tile,))) + block


@pytest.mark.parametrize("seed", range(4))
def test_a_wrong_payload_with_right_checksums_is_rejected(seed: int) -> None:
    (file,) = codec.compress([photo(3, 9, 14)], options(models_only=True, coder=RANS))
    payload = payload_of(file)
    noisy = payload[:9] + np.random.default_rng(seed).bytes(len(payload) - 9 + 4 * (seed - 2))
    for bad_one in (noisy, payload[:-8], payload + bytes(400), b"", payload[:9], b"\x08" + payload[1:]):
        with pytest.raises(BitstreamError):
            codec.decompress(
                [forged(blocks.model(0, bad_one, RANS), (9, 14, 3), WEIGHTS[3].model_id)],
                options(),
            )


def test_a_short_payload_is_given_up_when_it_has_ended() -> None:
    block = blocks.model(0, b"\0" + bytes(6) + b"\xff\x7f", RANS)
    with pytest.raises(BitstreamError, match="ends before its last pixel"):
        codec.decompress([forged(block, (3, 65535, 1), WEIGHTS[1].model_id)], options())


def test_an_implausibly_short_payload_is_rejected() -> None:
    with pytest.raises(BitstreamError, match="take at least"):
        codec.decompress(
            [forged(blocks.model(0, bytes(64), RANS), (9000, 9000, 3), WEIGHTS[3].model_id)],
            options(),
        )
