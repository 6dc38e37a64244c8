"""Coding with the PixelRNN family: images are restored, sizes match the model's bits, and machines agree."""

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pixcodecs.coders import range as range_coder
from pixcodecs.container import image as container
from pixcodecs.container.blocks import Precision
from pixcodecs.container.image import Header, Layout, Tile
from pixcodecs.errors import BitstreamError, UnsupportedImageError

from pixzip import codec
from pixzip.engine import family_batches
from pixzip.engine.base import Job
from pixzip.engine.family import FamilyEngine
from pixzip.engine.stages.base import Identity
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.models.family.architectures import FAMILY
from pixzip.models.family.weights import fixed
from tests.helpers.family import VARIANTS, equal, images_for, known, mixture_of, pair, smooth, tiny
from tests.helpers.support import decoding, encoding, noise

HEADS = [v for v in VARIANTS if v.endswith(("n_mix=2", "head=softmax", "channels=1"))]
every_model = pytest.mark.parametrize("name", FAMILY)


@cache
def engine_of(variant: str) -> FamilyEngine:
    return FamilyEngine(pair(variant)[1])


@pytest.mark.parametrize("variant", HEADS)
def test_code_length_is_that_of_the_floats_and_of_the_payload(variant: str) -> None:
    name, changes = VARIANTS[variant]
    model = tiny(name, **changes)
    with torch.no_grad():
        for scale in model.scales():  # events that floats consider nearly impossible cost at most 20 bits
            scale.model.last.weight.mul_(0.05)
    engine = FamilyEngine(fixed(model))
    images = images_for(model, [(6, 8)] * 2, seed=5)
    found = engine.nll_bits(encoding(images))
    with torch.no_grad():
        nats = model.nll(torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).astype(np.float64)))
    assert found == pytest.approx((nats / math.log(2)).tolist(), rel=0.005)
    for bits, payload in zip(found, engine.encode(encoding(images)), strict=True):
        assert bits - 1 <= 8 * len(payload) <= 1.0001 * bits + 64


@pytest.mark.parametrize("variant", HEADS)
@settings(max_examples=2)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 4)), min_size=1, max_size=3), st.integers(0, 2**31))
def test_payloads_round_trip(variant: str, sizes: list[tuple[int, int]], seed: int) -> None:
    engine = engine_of(variant)
    config = engine.model.config
    images = [noise(config.channels, h, w, seed + i) // (256 // config.levels) for i, (h, w) in enumerate(sizes)]
    payloads = engine.encode(encoding(images))
    assert equal(engine.decode(decoding(payloads, sizes)), images)


@every_model
def test_a_batch_of_several_sizes_round_trips_and_equals_each_alone(name: str) -> None:
    engine = engine_of(mixture_of(name))
    sizes = [(3, 4), (1, 1), (3, 4), (1, 6), (5, 1), (3, 4)]
    images = [*images_for(engine.network.model, sizes[:3], seed=3), *(noise(3, h, w, h) for h, w in sizes[3:])]
    images[2] = np.full_like(images[2], 255)
    payloads = engine.encode(encoding(images))
    assert payloads == [engine.encode(encoding([samples]))[0] for samples in images]
    assert equal(engine.decode(decoding(payloads, sizes)), images)


@every_model
def test_images_side_by_side_in_one_stream_round_trip(name: str) -> None:
    engine = engine_of(mixture_of(name))
    images = images_for(engine.network.model, [(4, 5)] * 3, seed=6)
    encoder = range_coder.Encoder()
    engine.encode_into(encoding(images), encoder)
    stream = encoder.finish()
    decoder = range_coder.Decoder(stream)
    assert equal(engine.decode_from([(4, 5)] * 3, decoder), images)
    decoder.check_exhausted()


@every_model
def test_how_an_encoder_cuts_its_work_is_not_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(mixture_of(name))
    images = images_for(engine.network.model, [(6, 7)] * 4, seed=7)

    def stream() -> bytes:
        encoder = range_coder.Encoder()
        engine.encode_into(encoding(images), encoder)
        return encoder.finish()

    expected = stream()
    monkeypatch.setattr(family_batches, "_CHUNK_PIXELS", 50)
    monkeypatch.setattr(family_batches, "_CHUNK_ROWS", 11)
    assert stream() == expected


def test_values_and_precisions_that_no_model_has_are_refused() -> None:
    engine = engine_of("pixelcnn-1 head=softmax levels=2 channels=1")
    with pytest.raises(UnsupportedImageError, match="2 levels"):
        engine.encode(encoding([np.full((2, 2, 1), 2, np.uint8)]))
    high_depth = [Precision(12)]
    for refused in (
        lambda: engine.encode(encoding([np.zeros((2, 2, 1), np.uint8)], high_depth)),
        lambda: engine.decode(decoding([b""], [(2, 2)], high_depth)),
        lambda: engine.nll_bits(encoding([np.zeros((2, 2, 1), np.uint8)], high_depth)),
    ):
        with pytest.raises(UnsupportedImageError, match="8 bits"):
            refused()


@pytest.mark.parametrize("stage", [LIGHT, FULL])
def test_a_stage_for_other_models_is_refused_rather_than_left_out(stage: Identity) -> None:
    engine, samples = engine_of("pixelcnn-1 head=softmax levels=2 channels=1"), np.zeros((2, 2, 1), np.uint8)
    known, asked = Job.encoding(samples, stage=stage), Job.decoding(b"", 2, 2, stage=stage)
    for refused in (engine.encode, engine.nll_bits):
        with pytest.raises(UnsupportedImageError, match=f"no stage {stage.name}"):
            refused([known])
    with pytest.raises(UnsupportedImageError, match=f"no stage {stage.name}"):
        engine.decode([asked])


# Files.


@every_model
def test_every_flipped_byte_and_truncation_of_a_file_is_rejected(name: str) -> None:
    model = engine_of(mixture_of(name)).model
    options = codec.Options.only(model, models_only=True)
    image = smooth(3, 3, 4, 8)
    (file,) = codec.compress([image], options)
    (back,) = codec.decompress([file], options)
    assert np.array_equal(codec.as_array(back), image)
    damaged = [file[:i] + bytes([file[i] ^ 1 << i % 8]) + file[i + 1 :] for i in range(len(file))]
    for data in [*damaged, *(file[:i] for i in range(len(file))), file + b"\0"]:
        with pytest.raises(BitstreamError):
            codec.decompress([data], options)


@every_model
def test_a_wrong_payload_with_right_checksums_is_rejected(name: str) -> None:
    model = engine_of(mixture_of(name)).model
    options = codec.Options.only(model, models_only=True)
    image = smooth(3, 2, 2, 8)
    (file,) = codec.compress([image], options)
    block = codec.Opening(file).block(0)
    payload = block[2:]
    wrong = [payload[:-4], payload[:-1], payload + bytes(4), payload + bytes(400), b"", bytes(len(payload))]
    wrong += [payload[:i] + bytes([payload[i] ^ 16]) + payload[i + 1 :] for i in range(0, len(payload), 5)]
    for bad in wrong:
        tile = Tile(len(bad) + 2, container.crc32(block[:2] + bad), 0)
        header = Header(2, 2, Layout.RGB, 8, (model.model_id,), (), 2, 2, (tile,))
        with pytest.raises(BitstreamError):
            codec.decompress([container.pack_header(header) + block[:2] + bad], options)


# Machines.

CASES = {
    "SSE4": {"ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"},
    "plain torch kernels": {"ATEN_CPU_CAPABILITY": "default", "OPENBLAS_CORETYPE": "Prescott"},
}
CHILD = """
import json, sys, warnings
from pathlib import Path
warnings.simplefilter("error")
from pixzip.engine.family import FamilyEngine
from pixzip.models.registry import load_family
from tests.helpers.family import known
print(json.dumps([known(FamilyEngine(load_family(path))) for path in sorted(Path(sys.argv[1]).iterdir())]))
"""


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder of every model's weights, and the result of `known` for them here with one thread."""
    folder: Path = tmp_path_factory.mktemp("family")
    for name in FAMILY:
        (folder / name).write_bytes(pair(mixture_of(name))[1].to_bytes())
    return folder, [known(engine_of(mixture_of(name))) for name in sorted(FAMILY)]


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2 if before == 1 else 1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_bytes_are_the_same_with_another_number_of_threads(family: tuple[Path, list[str]]) -> None:
    assert [known(engine_of(mixture_of(name))) for name in sorted(FAMILY)] == family[1]


@pytest.mark.parametrize("case", CASES)
def test_bytes_are_the_same_with_other_instructions(
    case: str, family: tuple[Path, list[str]], child_env: dict[str, str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(family[0])],
        env=child_env | {"OMP_WAIT_POLICY": "PASSIVE"} | CASES[case],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == family[1]
