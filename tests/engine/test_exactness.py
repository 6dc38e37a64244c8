"""Integer arithmetic: every form of the model gives the same frequencies, and hostile weights are refused."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from pixcodecs.errors import ModelMismatchError
from safetensors.numpy import save
from torch import Tensor

from pixzip.engine.backends.torch import gemm
from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.engine.batch import Samples
from pixzip.engine.wavefront import SteppedEngine, WavefrontEngine
from pixzip.models.registry import load_wavefront
from pixzip.models.wavefront import reference, weights
from pixzip.models.wavefront.tables import CDF_TOTAL
from pixzip.models.wavefront.weights import STREAM_FRACTION
from tests.helpers.support import captured, decoding, encoding, engine_in, noise, scene, tiny_weights, two_stages
from tests.oracles import parallel

IMAGES = {
    "1x1": lambda c: noise(c, 1, 1, 1),
    "1xN": lambda c: noise(c, 1, 13, 2),
    "Nx1": lambda c: noise(c, 9, 1, 3),
    "odd": lambda c: scene(c, 5, 9, 4),
    "noise": lambda c: noise(c, 4, 7, 5),
    "black": lambda c: np.zeros((3, 4, c), np.uint8),
    "white": lambda c: np.full((3, 4, c), 255, np.uint8),
    "extremes": lambda c: (noise(c, 4, 5, 6) // 128 * 255).astype(np.uint8),
}


def oracle(model: weights.IntegerWeights, samples: Samples) -> np.ndarray:
    """(H, W, C, 256) frequencies of the reference."""
    tables = np.zeros((*samples.shape, 256), np.int64)
    for y, x, channel, freqs in reference.frequencies(model, samples):
        tables[y, x, channel] = freqs
    return tables


@pytest.mark.parametrize("spread", [0.0, 1.5])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_form_gives_the_frequencies_of_the_reference(channels: int, spread: float) -> None:
    model = tiny_weights(channels, seed=7, spread=spread)
    images = [make(channels) for make in IMAGES.values()]
    engines: list[SteppedEngine] = [WavefrontEngine(model), plain := TensorEngine(model, backend="float32")]
    int8 = gemm.Int8(torch.device("cpu"))
    if gemm.self_test(int8, plain.layers.shapes(model)) is not None:
        engines.append(TensorEngine(model, backend="int8"))
    batches = [captured(e, images) for e in engines]
    for i, (name, samples) in enumerate(zip(IMAGES, images, strict=True)):
        tables = oracle(model, samples)
        assert tables.min() >= 1, name
        assert (tables.sum(-1) == reference.TOTAL).all(), name
        assert np.array_equal(parallel.frequencies(model, samples), tables), name
        expected = two_stages(tables, samples)
        for batch in batches:
            assert np.array_equal(batch[i], expected), name


def test_reference_rows_of_both_stages_are_sums_and_parts() -> None:
    samples = noise(1, 2, 3, 8)
    for _, _, _, freqs in reference.frequencies(tiny_weights(1), samples):
        bins = reference.bin_freqs(freqs)
        assert bins.sum() == reference.TOTAL
        for b in range(16):
            assert reference.place_freqs(freqs, b).sum() == bins[b]


def test_frequencies_depend_on_the_pixels() -> None:
    model = tiny_weights(3, seed=7)
    a, b = oracle(model, scene(3, 4, 5, 1)), oracle(model, scene(3, 4, 5, 2))
    assert np.array_equal(a[0, 0, 0], b[0, 0, 0])  # the first sub-pixel has no past
    assert (a[1:] != b[1:]).any(-1).mean() > 0.9


@pytest.mark.parametrize("form", ["compiled", "float32", "int8"])
def test_tables_are_the_same_alone_and_between_noise_images(form: str) -> None:
    own = engine_in(form, tiny_weights(3, seed=3, spread=1.0))
    samples = scene(3, 7, 9, 3)
    (alone,) = captured(own, [samples])
    for before, after in [((5, 14), (11, 3)), ((12, 2), (3, 20))]:
        batch = [noise(3, *before, 1), samples, noise(3, *after, 2)]
        assert np.array_equal(captured(own, batch)[1], alone)


@pytest.mark.parametrize("form", ["compiled", "float32"])
def test_payloads_round_trip_in_a_batch_and_equal_those_coded_alone(form: str) -> None:
    own = engine_in(form, tiny_weights(3, seed=4, spread=1.0))
    images = [make(3) for make in IMAGES.values()]
    payloads = own.encode(encoding(images))
    assert payloads == [own.encode(encoding([samples]))[0] for samples in images]
    decoded = own.decode(decoding(payloads, [samples.shape[:2] for samples in images]))
    assert all(np.array_equal(a, b) for a, b in zip(decoded, images, strict=True))


class Counting(gemm.Float32):
    """Records the number of threads of its products."""

    threads: ClassVar[set[int]] = set()

    def linear(self, stream: Tensor, a: Tensor, matrix: gemm.Matrix) -> Tensor:
        self.threads.add(torch.get_num_threads())
        return super().linear(stream, a, matrix)


def test_backends_are_timed_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    monkeypatch.setattr(gemm, "BACKENDS", {"counting": Counting})
    try:
        torch.set_num_threads(2)
        gemm.choose(torch.device("cpu"), [(16, 8)])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert Counting.threads == {1}


class Saturating(gemm.Float32):
    """Simulates `_int_mm` without VNNI: pairs of unsigned x signed products saturate in int16."""

    name = "saturating"

    def linear(self, stream: Tensor, a: Tensor, matrix: gemm.Matrix) -> Tensor:
        w = matrix.values * (1 << STREAM_FRACTION)
        terms = (a[:, :, None].double() + 128) * w[None].double()
        if terms.shape[1] % 2:
            terms = torch.nn.functional.pad(terms, (0, 0, 0, 1))
        pairs = (terms[:, 0::2] + terms[:, 1::2]).clamp(-(1 << 15), (1 << 15) - 1)
        return stream + ((pairs.sum(1) - 128 * w.double().sum(0)) / (1 << STREAM_FRACTION)).float()


def test_self_test_rejects_a_saturating_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = [(9, 10), (60, 12)]
    cpu = torch.device("cpu")
    assert gemm.self_test(gemm.Float32(cpu), shapes) is not None
    assert gemm.self_test(Saturating(cpu), shapes) is None
    monkeypatch.setattr(gemm, "BACKENDS", {"saturating": Saturating, "float32": gemm.Float32})
    assert gemm.choose(cpu, shapes).name == "float32"
    with pytest.raises(ModelMismatchError, match="saturating is not exact"):
        TensorEngine(tiny_weights(1), backend="saturating")
    monkeypatch.setattr(gemm, "BACKENDS", {"saturating": Saturating})
    with pytest.raises(RuntimeError, match="no GEMM backend"):
        gemm.choose(cpu, shapes)


def test_known_answer_is_the_same_in_every_form_and_a_wrong_one_is_refused() -> None:
    model = tiny_weights(3, seed=5)
    answers = {engine_in(form, model).known_answer() for form in ("compiled", "float32")}
    assert len(answers) == 1
    right = dataclasses.replace(model, known_answer=answers.pop())
    assert right.model_id == model.model_id
    WavefrontEngine(right)
    with pytest.raises(ModelMismatchError, match="other frequencies"):
        WavefrontEngine(dataclasses.replace(model, known_answer="0" * 64))


def tampered(name: str, change: Callable[[Any], Any]) -> weights.IntegerWeights:
    model = tiny_weights(3, seed=6)
    tensors = {n: a.copy() for n, a in model.tensors.items()}
    changed = change(tensors[name])
    tensors[name] = tensors[name] if changed is None else changed
    return dataclasses.replace(model, tensors=tensors)


TAMPERINGS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "weight of -128": ("hidden.weight", lambda a: a.__setitem__((0, 0), -128)),
    "negative exponent": ("input.exponent", lambda a: a.__setitem__(0, -1)),
    "exponent above the fraction": ("out.2.exponent", lambda a: a.__setitem__(0, 11)),
    "weights beyond the bound": ("block.1.exponent", lambda a: a.fill(0)),
    "bias at the end of int32": ("input.bias", lambda a: a.__setitem__(0, -(1 << 31))),
    "bias that means cannot hold": ("out.0.bias", lambda a: a.__setitem__(4, 1 << 22)),
    "hidden bias": ("hidden.bias", lambda a: a.__setitem__(11, 1 << 24)),
    "wrong shape": ("hidden.weight", lambda a: a[:-1].copy()),
    "transposed": ("hidden.weight", lambda a: np.ascontiguousarray(a.T)),
    "wrong dtype": ("input.weight", lambda a: a.astype(np.int32)),
    "float weights": ("block.0.weight", lambda a: a.astype(np.float32)),
    "exp2 starts elsewhere": ("table.exp2", lambda a: a.__setitem__(0, 1023)),
    "exp2 rises": ("table.exp2", lambda a: a.__setitem__(9, a[8] + 1)),
    "exp2 below zero": ("table.exp2", lambda a: a.__setitem__(255, -1)),
    "logistic falls": ("table.logistic", lambda a: a.__setitem__(5000, a[4999] - 1)),
    "logistic ends too high": ("table.logistic", lambda a: a.__setitem__(-1, CDF_TOTAL + 1)),
    "reciprocal of zero": ("table.reciprocal", lambda a: a.__setitem__(3, 0)),
    "reciprocal too large": ("table.reciprocal", lambda a: a.__setitem__(3, 1 << 18)),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampered_weights_are_refused(name: str, tmp_path: Path) -> None:
    model = tampered(*TAMPERINGS[name])
    with pytest.raises(ModelMismatchError):
        weights.check(model)
    (tmp_path / "m").write_bytes(model.to_bytes())
    with pytest.raises(ModelMismatchError):
        load_wavefront(tmp_path / "m")


@pytest.mark.parametrize("change", ["tensor missing", "tensor unknown", "order", "order too short"])
def test_other_tensors_and_orders_are_refused(change: str) -> None:
    model = tiny_weights(3, seed=6)
    tensors = dict(model.tensors)
    if change == "tensor missing":
        del tensors["known.1.weight"]
    elif change == "tensor unknown":
        tensors["extra"] = tensors["input.bias"]
    order = {"order": (0, 1, 1), "order too short": (0, 1)}.get(change, model.order)
    with pytest.raises(ModelMismatchError):
        weights.check(dataclasses.replace(model, tensors=tensors, order=order))


def test_weights_file_round_trips_and_its_id_covers_every_tensor(tmp_path: Path) -> None:
    model = dataclasses.replace(tiny_weights(3, seed=6), notes="some notes", known_answer="")
    (tmp_path / "m").write_bytes(model.to_bytes())
    loaded = load_wavefront(tmp_path / "m")
    assert loaded.digest == model.digest
    assert loaded.notes == model.notes
    assert loaded.order == model.order
    ids = {model.model_id}
    for name in model.tensors:
        ids.add(tampered(name, lambda a: a.__setitem__((0,) * a.ndim, a[(0,) * a.ndim] ^ 1)).model_id)
    ids.add(dataclasses.replace(model, order=(0, 1, 2)).model_id)
    assert len(ids) == len(model.tensors) + 2


def hostile_files() -> dict[str, bytes]:
    model = tiny_weights(1, seed=6)
    good, tensors = model.to_bytes(), model.tensors
    meta = {"architecture": model.architecture, "config": json.dumps(model.config.sizes), "order": "[0]"}

    def with_meta(**change: str) -> bytes:
        return bytes(save(dict(tensors), meta | change))

    header = int.from_bytes(good[:8], "little")
    bf16 = b'{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
    return {
        "empty": b"",
        "noise": noise(1, 10, 100, 1).tobytes(),
        "pickle": b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00\x8c\x01x\x94.",
        "truncated": good[:-1],
        "cut in its header": good[: header // 2],
        "appended": good + b"\0",
        "header length": (1 << 62).to_bytes(8, "little") + good[8:],
        "no metadata": bytes(save(dict(tensors))),
        "bfloat16": len(bf16).to_bytes(8, "little") + bf16 + bytes(4),
        "architecture": with_meta(architecture="something-else"),
        "config not json": with_meta(config="{"),
        "config is a list": with_meta(config="[1, 2]"),
        "config is a number": with_meta(config="7"),
        "config unknown key": with_meta(config='{"channels": 1, "depth": 3}'),
        "config huge": with_meta(config='{"channels": 1, "width": 4097}'),
        "config zero": with_meta(config='{"channels": 1, "blocks": 0}'),
        "config of other shapes": with_meta(config='{"channels": 1, "width": 4096, "blocks": 4096}'),
        "config two channels": with_meta(config='{"channels": 2}'),
        "config deep": with_meta(config="[" * 100_000),
        "order number": with_meta(order="0"),
        "order infinite": with_meta(order="[Infinity]"),
        "order text": with_meta(order='["a"]'),
        "order wrong": with_meta(order="[1]"),
    }


@pytest.mark.parametrize("name", hostile_files())
def test_hostile_weights_files_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(hostile_files()[name])
    with pytest.raises(ModelMismatchError):
        load_wavefront(tmp_path / "m")


def test_missing_file_folder_and_oversized_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelMismatchError, match="no model file"):
        load_wavefront(tmp_path / "nothing")
    with pytest.raises(ModelMismatchError):
        load_wavefront(tmp_path)
    (tmp_path / "m").write_bytes(tiny_weights(1).to_bytes())
    monkeypatch.setattr("pixzip.models.files.MAX_FILE_BYTES", 1000)
    with pytest.raises(ModelMismatchError, match="more than 1000"):
        load_wavefront(tmp_path / "m")
