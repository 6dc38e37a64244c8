"""Stages of stacks: the compiled loop writes the payload of section 10.2 of the format, and learns from all batches."""

import dataclasses
import hashlib

import numpy as np
import pytest
from pixcodecs import threads
from pixcodecs.errors import BitstreamError, ModelMismatchError

from pixzip.engine.backends.numba import loop
from pixzip.engine.backends.numba.lanes import LANES
from pixzip.engine.backends.numba.series import Series
from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.engine.base import Engine, Job
from pixzip.engine.batch import Samples
from pixzip.engine.family import FamilyEngine
from pixzip.engine.stages.base import IDENTITY, Identity
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.engine.wavefront import WavefrontEngine
from pixzip.models.family.weights import fixed
from pixzip.models.wavefront import colours
from tests.engine.conftest import FEW
from tests.engine.test_full import check_mixed, damaged, drawing, random_engine
from tests.engine.test_light import check_state, engine, few_colours
from tests.helpers.family import tiny
from tests.helpers.support import noise, scene
from tests.oracles.full import Full
from tests.oracles.stacks import Stack

Batches = list[list[Samples]]
#: (images, height, width) of batches: of one image, of rows that share a group, of more rows than a group has.
SIZES = [(3, 5, 7), (1, 5, 7), (2, 1, 1), (LANES + 3, 2, 3), (2, 1, 9), (2, 9, 2), (2, 6, 8)]


def made(channels: int) -> Batches:
    """Batches of `SIZES` of several kinds of images."""
    makers = (scene, drawing_of, noise)
    return [
        [makers[(i + j) % 3](channels, h, w, 10 * i + j) for j in range(count)]
        for i, (count, h, w) in enumerate(SIZES)
    ]  # fmt: skip


def drawing_of(channels: int, height: int, width: int, seed: int) -> Samples:
    return np.roll(drawing(channels, 20, 24), seed, 1)[:height, :width].copy()


def encode(own: Engine, batches: Batches, stage: Identity) -> bytes:
    encoder = own.stack_encoder(stage)
    for batch in batches:
        encoder.encode([Job.encoding(samples, stage=stage) for samples in batch])
    return encoder.finish()


def decode(own: Engine, payload: bytes, sizes: list[tuple[int, int, int]], stage: Identity) -> Batches:
    decoder = own.stack_decoder(payload, 0, stage)
    found = [decoder.decode([Job(h, w, stage=stage)] * count) for count, h, w in sizes]
    decoder.check_exhausted()
    return found


def same(found: Batches, expected: Batches) -> bool:
    pairs = [pair for a, b in zip(found, expected, strict=True) for pair in zip(a, b, strict=True)]
    return all(np.array_equal(x, y) for x, y in pairs)


def check(own: WavefrontEngine, batches: Batches, stage: Identity, least: int = 4096) -> Stack:
    """Compare the payload, and the state after every batch, with the oracle's; return the oracle."""
    oracle = Stack(own.model, full=stage == FULL, least_pixels=least)
    series = Series(own.model.config, own.operands, loop.ENCODE, np.zeros(0, np.uint32))
    for batch in batches:
        oracle.code(batch)
        part = series.code([Job.encoding(samples, stage=stage) for samples in batch], None)
        for i, image in enumerate(oracle.images):
            check_state(part.wavefront, image, i)
        if stage == FULL:
            first = oracle.images[0]
            assert isinstance(first, Full)
            check_mixed(part, first)
        assert oracle.prior is not None
        lower = [p[np.tril_indices(len(p))[0][:-1], np.tril_indices(len(p))[1][:-1]] for p in oracle.prior]
        assert np.array_equal(series.learned.prior, np.concatenate(lower))
    assert encode(own, batches, stage) == oracle.encoder.finish()
    return oracle


@pytest.mark.parametrize("stage", [LIGHT, FULL], ids=["light", "full"])
@pytest.mark.parametrize("channels", [1, 3])
def test_payloads_and_state_are_those_of_the_format(channels: int, stage: Identity) -> None:
    check(engine(channels), made(channels), stage)


def test_a_models_own_tables_and_weights_are_where_a_stack_begins() -> None:
    check(random_engine(3), made(3)[:3], FULL)


@pytest.mark.parametrize("stage", [LIGHT, FULL], ids=["light", "full"])
def test_large_images_share_the_colours_that_they_have_seen_and_small_ones_do_not(stage: Identity, few: None) -> None:
    large = [few_colours(6, 8, seed) for seed in (1, 2)]
    oracle = check(engine(3), [large, [few_colours(4, 3)], large[::-1]], stage, FEW)
    assert oracle.images[0].uses.sum() > 2 * 24
    for a, b in zip(oracle.images[0].seen.items(), oracle.images[1].seen.items(), strict=True):
        assert a == b


@pytest.mark.parametrize("stage", [IDENTITY, LIGHT, FULL], ids=["none", "light", "full"])
@pytest.mark.parametrize("channels", [1, 3])
def test_stacks_come_back_and_are_the_same_in_any_number_of_threads(
    channels: int, stage: Identity, any_threads: None, few: None
) -> None:
    own, batches = engine(channels), made(channels)
    payloads = set()
    for count in (1, 2, 4):
        threads.set_threads(count)
        payload = encode(own, batches, stage)
        payloads.add(payload)
        assert same(decode(own, payload, SIZES, stage), batches)
    assert len(payloads) == 1


def test_without_a_stage_the_loop_and_the_steps_write_the_same_stream() -> None:
    own, batches = engine(3), made(3)
    steps = TensorEngine(own.model, backend="float32")
    payload = encode(own, batches, IDENTITY)
    assert encode(steps, batches, IDENTITY) == payload
    assert same(decode(steps, payload, SIZES, IDENTITY), batches)
    for stage in (LIGHT, FULL):
        assert encode(steps, batches[:2], stage) == encode(own, batches[:2], stage)


@pytest.mark.parametrize("stage", [LIGHT, FULL], ids=["light", "full"])
def test_a_stage_goes_on_from_image_to_image(stage: Identity) -> None:
    """The second of two equal batches takes fewer bytes than the first."""
    own, batch = engine(3), [scene(3, 16, 16, seed) for seed in range(4)]
    one, two = (len(encode(own, [batch] * count, stage)) for count in (1, 2))
    assert two - one < 0.98 * one


def test_models_that_no_stage_adapts_are_refused() -> None:
    own = FamilyEngine(fixed(tiny("gated-pixelcnn-1", channels=1)), "cpu")
    for call in (own.stack_encoder, lambda stage: own.stack_decoder(b"", 1, stage)):
        with pytest.raises(ModelMismatchError, match=r"stage full does not adapt models of gated-pixelcnn-1"):
            call(FULL)


def test_an_engine_that_gives_another_answer_under_a_stage_refuses_it() -> None:
    model = dataclasses.replace(engine(1).model, adapted_answer="0" * 64, full_answer="1" * 64)
    own = WavefrontEngine(model)
    for stage in (LIGHT, FULL):
        with pytest.raises(ModelMismatchError, match=f"compiled kernels, {stage.name} stage"):
            own.stack_encoder(stage)
        with pytest.raises(ModelMismatchError, match=f"compiled kernels, {stage.name} stage"):
            own.stack_decoder(b"", 1, stage)


def outcome(own: Engine, payload: bytes, sizes: list[tuple[int, int, int]], stage: Identity) -> str:
    """A digest of the samples that a payload decodes to, or the error's text."""
    try:
        found = decode(own, payload, sizes, stage)
    except BitstreamError as e:
        return str(e).replace(" ", "-")
    return hashlib.sha256(b"".join(samples.tobytes() for batch in found for samples in batch)).hexdigest()


@pytest.mark.parametrize("stage", [LIGHT, FULL], ids=["light", "full"])
def test_damaged_payloads_end_in_errors_or_other_samples(stage: Identity, few: None) -> None:
    own, batches = engine(3), made(3)[:4]
    payload = encode(own, batches, stage)
    right, errors = outcome(own, payload, SIZES[:4], stage), 0
    for wrong in damaged(payload, 1, 40):
        found = outcome(own, wrong, SIZES[:4], stage)
        assert found != right or wrong == payload
        errors += "payload" in found
    assert errors > 12


def digests() -> str:
    """Digests of tiny stacks, and of what damaged ones decode to; the interpreter finds places out of range."""
    colours.LEAST_PIXELS, before = FEW, colours.LEAST_PIXELS
    batches, found = [[drawing_of(3, 5, 6, 2)], [few_colours(5, 6, seed) for seed in (1, 3)]], []
    try:
        for stage in (IDENTITY, LIGHT, FULL):
            payload = encode(engine(3), batches, stage)
            sizes = [(len(batch), *batch[0].shape[:2]) for batch in batches]
            assert same(decode(engine(3), payload, sizes, stage), batches)
            found.append(hashlib.sha256(payload).hexdigest())
            found += [outcome(engine(3), wrong, sizes, stage) for wrong in damaged(payload, 1, 1)[3:]]
    finally:
        colours.LEAST_PIXELS = before
    return " ".join(found)
