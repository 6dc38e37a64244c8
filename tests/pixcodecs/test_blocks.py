"""Blocks: round trips of every kind, choice of the smallest, and refusal of all damage."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pixcodecs.coders.base import EntropyCoder
from pixcodecs.coders.registry import CODERS
from pixcodecs.container import blocks
from pixcodecs.container.blocks import Kind, ModelRequest, Precision, Samples
from pixcodecs.errors import BitstreamError
from pixcodecs.primitives import deflate, pack_bits, unpack_bits, varint

from pixzip.codec import decoders, webp_png
from pixzip.codec.search import Choice, Coded, Search
from pixzip.engine.batching import drive
from pixzip.engine.executor import Ask
from pixzip.engine.stages.registry import STAGES, stage_of

#: Model of `identity`, which needs no weights.
NONE_HERE: Any = None
SHAPES = [(1, 1), (1, 9), (8, 1), (5, 7), (33, 18)]


def identity(asked: list[Ask]) -> list[bytes]:
    """A dummy model whose payload is the packed samples."""
    return [pack_bits(a.samples, a.precision.depth) for a in asked]


def inverse(asked: list[ModelRequest]) -> list[Samples]:
    found = []
    for a in asked:
        size, depth = int(np.prod(a.shape)), a.precision.depth
        whole = a.payload[: -(-size * depth // 8) - 1].ljust(-(-size * depth // 8), b"\0")  # damage may have any length
        exact = len(a.payload) == len(whole)
        found.append(unpack_bits(a.payload if exact else whole, size, depth).reshape(a.shape))
    return found


def encode(samples: Samples, depth: int) -> Coded:
    return drive([Search({1: [Choice(0, NONE_HERE)], 3: [Choice(1, NONE_HERE)]}).encode(samples, depth)], identity)[0]


def decode(block: bytes, shape: tuple[int, int, int], depth: int) -> Samples:
    return drive([blocks.decode(block, shape, depth, decoders.DECODERS)], inverse)[0]


def content(kind: str, shape: tuple[int, int, int], depth: int, seed: int) -> Samples:
    rng = np.random.default_rng(seed)
    top = (1 << depth) - 1
    ramp = np.linspace(0, top, shape[0] * shape[1]).reshape(shape[0], shape[1], 1) * np.ones(shape[2])
    made = {
        "noise": lambda: rng.integers(0, top + 1, shape),
        "constant": lambda: np.broadcast_to(rng.integers(0, top + 1, shape[2]), shape),
        "ramp": lambda: ramp,
        "few levels": lambda: rng.choice(rng.integers(0, top + 1, 5), shape),
        "dark": lambda: rng.integers(0, max(1, top // 9) + 1, shape),
        "opaque": lambda: np.concatenate([rng.integers(0, top + 1, shape)[..., :-1], np.full((*shape[:2], 1), top)], 2),
    }
    return np.ascontiguousarray(made[kind]()).astype(blocks.dtype(depth))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.sampled_from(["noise", "constant", "ramp", "few levels", "dark", "opaque"]),
    st.sampled_from(SHAPES), st.integers(1, 4), st.integers(1, 16), st.integers(0, 2**31),
)  # fmt: skip
def test_samples_of_every_depth_come_back_and_cost_no_more_than_raw(
    kind: str, sides: tuple[int, int], channels: int, depth: int, seed: int
) -> None:
    shape = (*sides, channels)
    samples = content(kind, shape, depth, seed)
    coded = encode(samples, depth)
    found = decode(coded.block, shape, depth)
    assert found.dtype == samples.dtype
    assert np.array_equal(found, samples)
    assert len(coded.block) <= len(blocks.raw(samples, depth)) + 9


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_flat_graphics_become_webp(channels: int) -> None:
    samples = np.zeros((64, 64, channels), np.uint8)
    samples[10:30, 20:50] = 200
    coded = encode(samples, 8)
    assert coded.block[0] == Kind.WEBP_BODY
    assert not coded.models
    assert np.array_equal(decode(coded.block, samples.shape, 8), samples)


def test_a_models_smaller_payload_is_taken() -> None:
    samples = content("noise", (20, 20, 3), 8, 1)
    search = Search({1: [Choice(0, NONE_HERE)], 3: [Choice(1, NONE_HERE)]})
    (coded,) = drive([search.encode(samples, 8)], lambda asked: [b"short" for _ in asked])
    assert coded == Coded(blocks.model(1, b"short"), frozenset([1]))


def test_without_a_model_alpha_still_has_a_block() -> None:
    samples = content("noise", (9, 9, 4), 8, 2)
    (coded,) = drive([Search({3: [Choice(0, NONE_HERE)]}).encode(samples, 8)], identity)
    assert np.array_equal(decode(coded.block, samples.shape, 8), samples)


def test_twelve_bits_in_sixteen_cost_twelve() -> None:
    samples = content("noise", (40, 40, 1), 12, 3).astype(np.uint16)
    assert len(encode(samples, 16).block) <= 40 * 40 * 12 / 8 + 12


def test_eight_bits_stretched_to_sixteen_cost_eight() -> None:
    stretched = content("noise", (40, 40, 3), 8, 4).astype(np.uint16) * 257
    assert len(encode(stretched, 16).block) <= 40 * 40 * 3 + 240  # noise lacks some levels: the rest is their table


def raw_bits(n: int, depth: int) -> bytes:
    return blocks.raw(np.zeros((1, n, 1), blocks.dtype(depth)), depth)


SHAPE = (2, 3, 1)
NONE = deflate(bytes(32))
BROKEN = {
    "empty": (b"", SHAPE, 8),
    "unknown kind": (b"\x63", SHAPE, 8),
    "raw too short": (b"\x00abc", SHAPE, 8),
    "raw too long": (b"\x00abcdefg", SHAPE, 8),
    "raw with bits after the end": (b"\x00\xff", SHAPE, 1),
    "constant without a value": (b"\x01", SHAPE, 8),
    "constant of another depth": (b"\x01\x05", SHAPE, 16),
    "model for two channels": (b"\x02\x00abcd", (1, 2, 2), 8),
    "model for 16 bits": (b"\x02\x00abcd", SHAPE, 16),
    "webp of nothing": (b"\x03", SHAPE, 8),
    "webp of another size": (b"\x03" + (webp_png.webp(np.zeros((3, 2, 3), np.uint8))), SHAPE, 8),
    "webp above the depth": (b"\x03" + (webp_png.webp(np.full(SHAPE, 9, np.uint8))), SHAPE, 3),
    "webp for 16 bits": (b"\x03" + (webp_png.webp(np.zeros(SHAPE, np.uint8))), SHAPE, 16),
    "png of nothing": (b"\x04", SHAPE, 16),
    "png of another size": (b"\x04" + webp_png.png(np.zeros((3, 3, 1), np.uint16)), SHAPE, 16),
    "png that goes on": (b"\x04" + webp_png.png(np.zeros(SHAPE, np.uint16)) + b"x", (2, 3, 1), 12),
    "alpha of grey": (b"\x05\x07" + raw_bits(6, 8) + raw_bits(6, 8), SHAPE, 8),
    "alpha longer than the block": (b"\x05\x7f\x00", (1, 1, 2), 8),
    "split of 8 bits": (b"\x06\x04" + varint(4) + raw_bits(6, 4) + raw_bits(6, 4), SHAPE, 8),
    "split that leaves 9": (b"\x06\x07" + varint(8) + raw_bits(6, 9) + raw_bits(6, 7), SHAPE, 16),
    "narrowed to more": (b"\x07\x09" + raw_bits(6, 9), SHAPE, 8),
    "narrowed to nothing": (b"\x07\x00", SHAPE, 8),
    "levels of another length": (b"\x08\x03" + deflate(b"a")[:3] + b"\x01" + raw_bits(6, 1), SHAPE, 8),
    "a rank above the levels": (b"\x08" + varint(len(NONE)) + NONE + b"\x01\x00\x00", SHAPE, 8),
    "stage of nothing": (b"\x0d", SHAPE, 8),
    "stage without a block": (b"\x0d\x01", SHAPE, 8),
    "stage 0": (b"\x0d\x00\x02\x00abcdef", SHAPE, 8),
    "unknown stage": (b"\x0d\xfe\x02\x00abcdef", SHAPE, 8),
    "stage of raw samples": (b"\x0d\x01" + raw_bits(6, 8), SHAPE, 8),
    "stage of a stage": (b"\x0d\x01\x0d\x01\x02\x00abcdef", SHAPE, 8),
    "stage of a block at a smaller depth": (b"\x0d\x01\x07\x08\x02\x00abcdef", (2, 3, 1), 12),
    "stage of a model for 16 bits": (b"\x0d\x01\x02\x00abcd", SHAPE, 16),
    "stage nested too deep": (
        b"".join(bytes([7, depth]) for depth in range(15, 9, -1)) + b"\x0d\x01\x09\x00\x00abc", SHAPE, 16
    ),
    "nested for ever": (b"".join(bytes([7, depth]) for depth in range(15, 7, -1)) + raw_bits(6, 8), SHAPE, 16),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_blocks_are_refused(name: str) -> None:
    with pytest.raises(BitstreamError):
        decode(*BROKEN[name])


@pytest.mark.parametrize("coder", CODERS.values(), ids=CODERS)
@pytest.mark.parametrize("precision", [Precision(), Precision(12, 3)])
def test_an_adapted_block_is_the_request_of_its_inner_block_with_a_stage(
    coder: EntropyCoder, precision: Precision
) -> None:
    inner = blocks.model(2, b"payload", coder, precision)
    wrapped = blocks.adapted(1, inner)
    assert wrapped[:2] == bytes([Kind.ADAPTED, 1])
    plain, found = (next(blocks.decode(block, (4, 5, 3), precision.depth, {})) for block in (inner, wrapped))
    assert plain == ModelRequest(2, b"payload", (4, 5, 3), precision, coder)
    assert found == plain._replace(stage=1)


def test_the_numbers_of_stages_are_those_of_the_engine() -> None:
    assert {stage.number for stage in STAGES.values()} == {0, *blocks.STAGES}
    for number in blocks.STAGES:
        assert stage_of(number).number == number
    with pytest.raises(BitstreamError, match="stage 255 is unknown"):
        stage_of(255)


@pytest.mark.parametrize("kind", ["noise", "few levels", "ramp"])
def test_a_damaged_block_never_raises_anything_else(kind: str) -> None:
    """Without checksums, as in a forged file: a `BitstreamError` or other samples, but no other exception."""
    rng = np.random.default_rng(6)
    for depth, channels in [(8, 4), (16, 1), (12, 3), (2, 1)]:
        shape = (9, 11, channels)
        block = encode(content(kind, shape, depth, 5), depth).block
        for _ in range(150):
            damaged = bytearray(block)
            damaged[rng.integers(len(block))] = rng.integers(256)
            try:
                found = decode(bytes(damaged[: rng.integers(1, len(block) + 1)]), shape, depth)
            except BitstreamError:
                continue
            assert found.shape == shape


PIXEL = b"\x01\x07"
CONSTANTS = {
    "constant": (PIXEL, 1, 8),
    "alpha": (b"\x05\x02" + PIXEL + PIXEL, 2, 8),
    "high and low": (b"\x06\x08\x02" + PIXEL + PIXEL, 1, 16),
    "narrow": (b"\x07\x08" + PIXEL, 1, 16),
    "levels": (blocks.levels(np.ones((1, 256), np.bool_), 8, PIXEL), 1, 8),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_constant_takes_no_memory_however_it_is_wrapped(name: str) -> None:
    """A file of thirty bytes may declare ninety million pixels."""
    block, channels, depth = CONSTANTS[name]
    small = decode(block, (2, 3, channels), depth)
    tracemalloc.start()
    large = decode(block, (9000, 9000, channels), depth)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
    assert large.shape == (9000, 9000, channels)
    assert large.dtype == small.dtype
    assert (small == 7 * (257 if name == "high and low" else 1)).all()
    assert np.array_equal(large[5:7, 6:9], small)


def test_webp_above_pillows_limit_of_pixels_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # Pillow warns above this, and refuses above twice this
    samples = content("few levels", (8, 8, 3), 8, 7)
    assert np.array_equal(decode(b"\x03" + (webp_png.webp(samples)), samples.shape, 8), samples)


def test_webp_without_its_alpha_is_opaque() -> None:
    for channels in (2, 4):
        samples = content("opaque", (5, 6, channels), 8, 7)
        assert np.array_equal(decode(b"\x03" + (webp_png.webp(samples)), samples.shape, 8), samples)


@pytest.mark.parametrize("shape", [(200, 1, 1), (5000, 1, 2), (65535, 1, 1), (1, 65535, 3), (3000, 2, 4)])
def test_slivers_of_16_bits_become_png(shape: tuple[int, int, int]) -> None:
    samples = content("noise", shape, 16, 9)
    assert np.array_equal(webp_png.from_png(webp_png.png(samples), shape, 16), samples)


def two_models(first_bytes: int, second_bytes: int, asked: list[Any]) -> Any:
    """The choice of `Search` between two models of given sizes in bytes; `asked` records the models that are run."""

    def solve(questions: list[Ask]) -> list[bytes]:
        asked.extend(q.model for q in questions)
        return [bytes(first_bytes if q.model == "first" else second_bytes) for q in questions]

    choices: Any = {3: [Choice(0, "first"), Choice(2, "second")]}  # type: ignore[arg-type]
    return lambda samples: drive([Search(choices).encode(samples, 8)], solve)[0]


def test_the_better_of_two_models_codes_a_drawing() -> None:
    drawing = content("few levels", (40, 40, 3), 8, 1)
    for sizes, position in (((90, 3), 2), ((3, 90), 0)):
        coded = two_models(*sizes, asked=[])(drawing)
        assert coded.block[:2] == bytes([Kind.MODEL, position]) or coded.block[0] == Kind.LEVELS
        assert coded.models == {position}


def test_the_second_model_is_not_asked_about_photographs() -> None:
    photograph = content("noise", (130, 130, 3), 8, 1)  # WebP is larger than the raw samples
    asked: list[Any] = []
    two_models(1000, 900, asked)(photograph)
    assert asked == ["first"]
    two_models(60_000, 40_000, asked)(photograph)
    assert asked[1:] == ["first", "second"]


@pytest.mark.parametrize("depth", [8, 16])
def test_a_drawing_that_tiles_tear_apart_is_one_block(depth: int) -> None:
    tile = content("noise", (64, 64, 1), 8, 4).astype(np.uint16) * (1 if depth == 8 else 257)
    drawing = np.ascontiguousarray(np.tile(tile, (2, 2, 1)).astype(blocks.dtype(depth)))
    search = Search({})
    (part,) = drive([search.encode(np.ascontiguousarray(drawing[:64, :64]), depth)], identity)
    kind = Kind.LEVELS if depth == 16 else Kind.WEBP_BODY
    parts = [Coded(bytes([kind]) + part.block[1:])] * 4
    whole = search.whole(drawing, depth, parts)
    assert whole is not None
    assert whole.size_bytes < sum(part.size_bytes for part in parts)
    assert np.array_equal(decode(whole.block, drawing.shape, depth), drawing)
    photograph = [Coded(blocks.model(0, b""))] * 4
    assert search.whole(drawing, depth, photograph) is None
