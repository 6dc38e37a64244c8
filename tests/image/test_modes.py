"""Round trips of every mode x shape x content through the codec and through PNG."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pixcodecs.container import image as container
from pixcodecs.errors import BitstreamError

from pixzip import codec, image
from pixzip.image.picture import Chunk, Layout, Picture, Samples, sample_dtype
from tests.helpers import golden

MODELS = [golden.FOLDER / f"model-{channels}.safetensors" for channels in (1, 3)]
MODES = [(layout, depth) for layout in Layout for depth in range(1, 9 if layout is Layout.PALETTE else 17)]
CONTENTS = ("noise", "constant", "ramp", "few levels", "stretched", "high bits", "dark", "one pixel differs")


def content(kind: str, shape: tuple[int, int, int], depth: int, seed: int) -> Samples:
    rng = np.random.default_rng(seed)
    top = (1 << depth) - 1
    flat = np.full(shape, rng.integers(0, top + 1))
    ramp = np.add.outer(np.arange(shape[0]) * 3, np.arange(shape[1]))[..., None] + 7 * np.arange(shape[2])
    differs = flat.copy()
    differs[rng.integers(shape[0]), rng.integers(shape[1]), rng.integers(shape[2])] ^= 1
    made = {
        "noise": rng.integers(0, top + 1, shape),
        "constant": flat,
        "ramp": ramp * max(1, top // 200) % (top + 1),
        "few levels": rng.choice(rng.integers(0, top + 1, 3), shape),
        "stretched": rng.integers(0, min(16, top + 1), shape) * (top // min(16, top + 1)),
        "high bits": rng.integers(0, top + 1, shape) >> depth // 2 << depth // 2,
        "dark": rng.integers(0, max(1, top // 9) + 1, shape),
        "one pixel differs": differs,
    }[kind]
    return np.ascontiguousarray(made.astype(sample_dtype(depth)))


def picture(mode: tuple[Layout, int], height: int, width: int, kind: str, seed: int, extras: bool) -> Picture:
    layout, depth = mode
    samples = content(kind, (height, width, layout.channels), depth, seed)
    palette = np.random.default_rng(seed).bytes(3 << depth) if layout is Layout.PALETTE else b""
    keys = {Layout.PALETTE: b"\x00\x80", Layout.GREY: b"\x00\x01", Layout.RGB: b"\x00\x01\x00\x00\x00\x01"}
    chunks = (Chunk(b"gAMA", b"\x00\x00\xb1\x8f"), Chunk(b"tEXt", b"Title\0mode"))
    if not extras:
        return Picture(samples, layout, depth, palette)
    return Picture(samples, layout, depth, palette, keys.get(layout, b""), chunks)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(
    st.sampled_from(MODES), st.sampled_from([(1, 1), (1, 17), (23, 1), (2, 3), (9, 8), (21, 34)]),
    st.sampled_from(CONTENTS), st.integers(0, 2**31), st.booleans(), st.booleans(),
)  # fmt: skip
def test_a_picture_comes_back(
    mode: tuple[Layout, int], sides: tuple[int, int], kind: str, seed: int, extras: bool, models_only: bool
) -> None:
    made = picture(mode, *sides, kind, seed, extras)
    graphics = None if seed % 3 else golden.weights
    (file,) = codec.compress([made], codec.Options(golden.weights, drawings_for=graphics, models_only=models_only))
    (back,) = codec.decompress([file], codec.Options.decoding(extra=MODELS))
    assert back == made
    again = image.load(image.write(back)).picture
    assert np.array_equal(again.samples, made.samples)
    assert (again.layout, again.palette, again.transparency, again.metadata) == (
        made.layout, made.palette, made.transparency, made.metadata,
    )  # fmt: skip


@pytest.mark.parametrize("sides", [(1, 65535), (65535, 1)])
def test_the_longest_sides_come_back(sides: tuple[int, int]) -> None:
    made = picture((Layout.GREY, 8), *sides, "dark", 1, False)
    (file,) = codec.compress([made], codec.Options(golden.weights))
    assert len(file) < 65535
    assert codec.decompress([file], codec.Options.decoding(extra=MODELS)) == [made]


def test_a_header_is_refused_when_its_picture_is_too_large() -> None:
    made = picture((Layout.RGB, 16), 9, 8, "noise", 1, False)
    (file,) = codec.compress([made], codec.Options(golden.weights))
    with pytest.raises(BitstreamError, match="more than the limit of 71"):
        container.read_header(file, 71)
