"""Stacks: images are restored, sizes match the model's bits, and threads or other images of a batch have no effect."""

import dataclasses
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pixcodecs import threads
from pixcodecs.coders import range as range_coder
from pixcodecs.coders.base import TOTAL
from pixcodecs.container import stack as stacks
from pixcodecs.errors import BitstreamError, ModelMismatchError, PixzipError, UnsupportedImageError

from pixzip.codec import stack
from pixzip.codec.options import Options
from pixzip.codec.stack import Stack, compress_stack, decompress_stack
from pixzip.engine import executor
from pixzip.engine.base import Job
from pixzip.engine.order import to_coding_order
from pixzip.engine.stacks import SteppedStacks
from pixzip.models.family.weights import fixed
from pixzip.models.wavefront import reference
from tests.helpers.family import images_for, tiny
from tests.helpers.support import encoding, noise, scene, tiny_weights
from tests.oracles.range_coder import PlainEncoder

Image = NDArray[np.uint8]
WEIGHTS = {channels: tiny_weights(channels) for channels in (1, 3)}
BY_ID = {weights.model_id: weights for weights in WEIGHTS.values()}


def images_of(channels: int, sizes: Sequence[tuple[int, int]], seed: int = 0) -> list[Image]:
    """Scenes; every third image is noise."""
    makers = [scene, scene, noise]
    return [makers[i % 3](channels, h, w, seed + i) for i, (h, w) in enumerate(sizes)]


def equal(found: Stack, images: Sequence[Image], names: Sequence[str] = ()) -> bool:
    same = len(found.images) == len(images) and all(map(np.array_equal, found.images, images))
    return same and found.names == tuple(names)


SIDE = st.one_of(st.just(1), st.integers(1, 12))
#: Sizes of images, in runs of equal sizes as in data sets.
RUNS = st.lists(st.tuples(st.integers(1, 9), SIDE, SIDE), min_size=1, max_size=4)


@settings(max_examples=30)
@given(runs=RUNS, channels=st.sampled_from([1, 3]), batch=st.sampled_from([1, 7, 64]), seed=st.integers(0, 2**31))
def test_images_of_any_sizes_come_back(runs: list[tuple[int, int, int]], channels: int, batch: int, seed: int) -> None:
    images = images_of(channels, [(h, w) for count, h, w in runs for _ in range(count)], seed)
    names = [f"{i // 3}/{i} é.png" for i in range(len(images))] if seed % 2 else []
    file = compress_stack(images, WEIGHTS[channels], names=names, batch=batch)
    assert equal(decompress_stack(file, Options(model_by_id=BY_ID.__getitem__)), images, names)


@pytest.mark.parametrize("channels", [1, 3])
def test_one_image_of_one_pixel_costs_a_header_and_some_bytes(channels: int) -> None:
    (image,) = images_of(channels, [(1, 1)])
    file = compress_stack([image], WEIGHTS[channels], verify=True)
    assert len(file) <= 44
    assert equal(decompress_stack(file, Options(model_by_id=BY_ID.__getitem__)), [image])


def test_grey_images_may_have_no_third_dimension() -> None:
    images = images_of(1, [(5, 4), (5, 4)])
    assert compress_stack([x[..., 0] for x in images], WEIGHTS[1]) == compress_stack(images, WEIGHTS[1])


def test_a_stack_costs_what_the_model_says() -> None:
    images = images_of(3, [(16, 16)] * 300)
    file = compress_stack(images, WEIGHTS[3])
    ordered = [to_coding_order(image, WEIGHTS[3].order) for image in images]
    bits = sum(executor.engine(WEIGHTS[3], "cpu").nll_bits(encoding(ordered)))
    assert bits < 8 * len(file) <= 1.005 * bits


def test_bytes_are_independent_of_threads() -> None:
    images, before, found = images_of(3, [(32, 24)] * 16), threads.get_threads(), set()
    try:
        for count in (1, 2):
            threads.set_threads(count)
            found.add(compress_stack(images, WEIGHTS[3], verify=True))
    finally:
        threads.set_threads(before)
    assert len(found) == 1


def test_the_order_is_the_documented_one() -> None:
    """The reference model and the plain range coder give the same payload of two batches."""
    weights, images = WEIGHTS[3], images_of(3, [(3, 4)] * 3)
    ordered, coder = [to_coding_order(image, weights.order) for image in images], PlainEncoder()
    tables = [{(y, x, c): f for y, x, c, f in reference.frequencies(weights, x)} for x in ordered]
    for batch in ((0, 1), (2,)):
        for t in range(4 + 2 * 2):
            places = [(i, y, t - 2 * y) for i in batch for y in range(3) if 0 <= t - 2 * y < 4]
            for c in range(3):
                for stage in (0, 1):
                    for i, y, x in places:
                        b, place = divmod(int(ordered[i][y, x, c]), 16)
                        rows = reference.bin_freqs(tables[i][y, x, c]), reference.place_freqs(tables[i][y, x, c], b)
                        coder.encode((b, place)[stage], rows[stage].tolist())
    file = compress_stack(images, weights, batch=2)
    assert stacks.payload(file, stacks.read_header(file)) == coder.finish()


class TwoLevels:
    """An engine for samples of 0 and 1, with one row of frequencies per sample."""

    def __init__(self, zeros: int) -> None:
        self.row = np.array([[zeros, TOTAL - zeros]], np.float32)
        self.model: Any = SimpleNamespace(
            levels=2, largest_tile=None, model_id=b"two-leve", channels=1, order=(0,), adapts=False
        )

    stack_encoder, stack_decoder = SteppedStacks.stack_encoder, SteppedStacks.stack_decoder
    _refuse = SteppedStacks._refuse

    def encode_into(self, jobs: Sequence[Job], encoder: range_coder.Encoder, progress: Any = None) -> None:
        for job in jobs:
            encoder.encode(job.known.reshape(-1).astype(np.int32), self.row.repeat(job.known.size, 0))

    def decode_from(
        self, sizes: Sequence[tuple[int, int]], decoder: range_coder.Decoder, progress: Any = None
    ) -> list[Image]:
        return [decoder.decode(self.row.repeat(h * w, 0)).astype(np.uint8).reshape(h, w, 1) for h, w in sizes]


@pytest.fixture
def two_levels(monkeypatch: pytest.MonkeyPatch) -> TwoLevels:
    engine = TwoLevels(TOTAL - 1)
    monkeypatch.setattr(executor, "engine", lambda weights, device: engine)
    return engine


def test_one_bit_images_of_a_sure_model_cost_next_to_nothing(two_levels: TwoLevels) -> None:
    images = [np.zeros((256, 512, 1), np.uint8)] * 9
    file = compress_stack(images, two_levels.model, depth=1, verify=True)
    assert stacks.read_header(file).payload_bytes <= 8
    found = decompress_stack(file, Options.only(two_levels.model))
    assert equal(found, images)
    assert found.depth == 1


def test_one_bit_images_that_surprise_come_back_too(two_levels: TwoLevels) -> None:
    images = [np.random.default_rng(i).integers(0, 2, (9, 7, 1), np.uint8) for i in range(5)]
    file = compress_stack(images, two_levels.model, depth=1)
    assert equal(decompress_stack(file, Options.only(two_levels.model)), images)


def test_a_payload_of_bits_ends_before_its_pixels_do(two_levels: TwoLevels) -> None:
    two_levels.row[:] = TOTAL // 2
    image = np.random.default_rng(0).integers(0, 2, (64, 64, 1), np.uint8)
    file = compress_stack([image], two_levels.model, depth=1)
    header, payload = stacks.read_header(file), stacks.payload(file, stacks.read_header(file))[:100]
    cut = dataclasses.replace(header, payload_bytes=len(payload), payload_crc=stacks.crc32(payload))
    with pytest.raises(BitstreamError, match="payload ends before its last pixel"):
        decompress_stack(stacks.pack_header(cut) + payload, Options.only(two_levels.model))


def test_levels_of_model_and_stack_agree(two_levels: TwoLevels) -> None:
    bits, grey = [np.zeros((2, 2), np.uint8)], WEIGHTS[1]
    with pytest.raises(ModelMismatchError, match="of 256 grey levels, a stack of 1 bits a sample needs one of 2"):
        compress_stack(bits, grey, depth=1)
    with pytest.raises(ModelMismatchError, match="of 2 grey levels, a stack of 8 bits a sample needs one of 256"):
        compress_stack(bits, two_levels.model)


@pytest.mark.parametrize("sizes", [{"channels": 1, "levels": 2}, {"channels": 3}])
def test_models_of_the_pixelrnn_family_code_stacks(sizes: dict[str, int]) -> None:
    model = tiny("gated-pixelcnn-1", **sizes)
    weights, depth = fixed(model), 1 if "levels" in sizes else 8
    images = images_for(model, [(3, 4)] * 3 + [(1, 1)], 0)
    file = compress_stack(images, weights, depth=depth, batch=2)
    assert equal(decompress_stack(file, Options.only(weights)), images)


def test_images_larger_than_a_model_takes_are_refused(two_levels: TwoLevels) -> None:
    two_levels.model.largest_tile = 4
    compress_stack([np.zeros((2, 8), np.uint8)], two_levels.model, depth=1)
    with pytest.raises(ModelMismatchError, match="takes at most 4x4 pixels at once, an image has 9x2"):
        compress_stack([np.zeros((2, 9), np.uint8)], two_levels.model, depth=1)


def test_what_a_stack_cannot_hold_is_refused() -> None:
    rgb, grey = images_of(3, [(2, 2)])[0], images_of(1, [(2, 2)])[0]
    with pytest.raises(ModelMismatchError, match="is for images of 3 channels, these have 1"):
        compress_stack([grey], WEIGHTS[3])
    for images, options in (
        ([], {}), ([rgb, grey], {}), ([rgb.astype(np.uint16)], {}), ([rgb], {"batch": 0}), ([rgb], {"batch": 1025}),
        ([rgb], {"names": ["a", "b"]}), ([rgb], {"depth": 4}),
    ):  # fmt: skip
        with pytest.raises((ValueError, ModelMismatchError)):
            compress_stack(images, WEIGHTS[3], **options)
    with pytest.raises(UnsupportedImageError, match="sides must be 1 to 65535"):
        compress_stack([np.zeros((1, 65536, 3), np.uint8)], WEIGHTS[3])
    with pytest.raises(UnsupportedImageError, match=r"name '\.\./a' has a part"):
        compress_stack([rgb], WEIGHTS[3], names=["../a"])


def test_verification_finds_a_wrong_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    images = images_of(3, [(3, 3)] * 2)
    monkeypatch.setattr(stack, "_decode", lambda *args: images[::-1])
    with pytest.raises(PixzipError, match="verification failed"):
        compress_stack(images, WEIGHTS[3], verify=True)


def test_another_model_than_the_file_names_is_refused() -> None:
    file = compress_stack(images_of(3, [(3, 3)]), WEIGHTS[3])
    with pytest.raises(ModelMismatchError, match="this is"):
        decompress_stack(file, Options.only(WEIGHTS[1]))


def test_the_limit_of_pixels_is_of_all_images() -> None:
    file = compress_stack(images_of(1, [(3, 3)] * 5), WEIGHTS[1])
    with pytest.raises(BitstreamError, match="more pixels than the limit of 44"):
        decompress_stack(file, Options(model_by_id=BY_ID.__getitem__, max_pixels=44))
    assert len(decompress_stack(file, Options(model_by_id=BY_ID.__getitem__, max_pixels=None)).images) == 5


def test_progress_counts_every_pixel() -> None:
    seen: list[tuple[int, int]] = []
    compress_stack(images_of(1, [(4, 5)] * 6), WEIGHTS[1], batch=4, verify=True, progress=lambda *p: seen.append(p))
    assert seen[-1] == (240, 240)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
