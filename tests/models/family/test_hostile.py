"""Hostile weights of the PixelRNN family are refused before computation and before allocation."""

import dataclasses
import json
import math
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pixcodecs.errors import ModelMismatchError
from safetensors.numpy import save

from pixzip.models.family import arithmetic
from pixzip.models.family.architectures import FAMILY
from pixzip.models.family.gated_pixelcnn import GatedPixelCNN, GatedPixelCNNConfig
from pixzip.models.family.weights import FixedWeights, check, parse
from pixzip.models.registry import load
from tests.helpers.family import changed, mixture_of, pair

every_model = pytest.mark.parametrize("name", FAMILY)


def refused(weights: FixedWeights, path: Path) -> None:
    with pytest.raises(ModelMismatchError):
        check(weights)
    path.write_bytes(weights.to_bytes())
    with pytest.raises(ModelMismatchError):
        load(path)


TAMPERINGS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "negative exponent": ("hidden.weight.exponent", lambda a: a.__setitem__(0, -1)),
    "exponent too large": ("layers.0.middle.weight.exponent", lambda a: a.__setitem__(0, 21)),
    "two exponents": ("first.weight.exponent", lambda a: np.concatenate([a, a])),
    "bias at the end of int32": ("first.bias", lambda a: a.__setitem__(0, -(1 << 31))),
    "bias of the limit": ("last.bias", lambda a: a.__setitem__(0, 1 << 22)),
    "wrong shape": ("hidden.weight", lambda a: a[:, :-1].copy()),
    "transposed": ("last.weight", lambda a: np.ascontiguousarray(a.transpose(0, 2, 1))),
    "one dimension less": ("hidden.weight", lambda a: a[0]),
    "wrong dtype": ("first.weight", lambda a: a.astype(np.int32)),
    "unsigned": ("first.weight", lambda a: a.view(np.uint16)),
    "float weights": ("first.weight", lambda a: a.astype(np.float32)),
    "nan in a bias": ("first.bias", lambda a: np.full(a.shape, np.nan, np.float32)),
    "exp starts elsewhere": ("table.exp", lambda a: a.__setitem__(0, (1 << 22) - 1)),
    "exp rises": ("table.exp", lambda a: a.__setitem__(9, a[8] + 1)),
    "exp below zero": ("table.exp", lambda a: a.__setitem__(-1, -1)),
    "exp too short": ("table.exp", lambda a: a[:-1].copy()),
    "logistic falls": ("table.logistic", lambda a: a.__setitem__(1000, a[999] - 1)),
    "logistic starts above zero": ("table.logistic", lambda a: a.__setitem__(0, 1)),
    "logistic ends below one": ("table.logistic", lambda a: a.__setitem__(-1, a[-1] - 1)),
    "logistic ends too high": ("table.logistic", lambda a: a.__setitem__(-1, a[-1] + 1)),
    "scale of zero": ("table.scale", lambda a: a.__setitem__(3, 0)),
    "scale too large": ("table.scale", lambda a: a.__setitem__(3, (8 << 24) + 1)),
    "table of another dtype": ("table.scale", lambda a: a.astype(np.int64)),
}


@pytest.mark.parametrize("case", TAMPERINGS)
def test_weights_that_exact_arithmetic_cannot_take_are_refused(case: str, tmp_path: Path) -> None:
    refused(changed(pair(mixture_of("pixelcnn-1"))[1], *TAMPERINGS[case]), tmp_path / "m")


@pytest.mark.parametrize(
    ("name", "table", "value"),
    [
        ("row-lstm-1", "tanh", 4097),
        ("row-lstm-1", "tanh", -4097),
        ("row-lstm-1", "sigmoid", -1),
        ("gated-pixelcnn-1", "sigmoid", 4097),
        ("pixelcnn-pp-1", "elu", 1),
        ("pixelcnn-pp-1", "elu", -4097),
    ],
)
def test_functions_out_of_their_range_are_refused(name: str, table: str, value: int, tmp_path: Path) -> None:
    weights = pair(mixture_of(name))[1]
    refused(changed(weights, f"table.{table}", lambda a: a.__setitem__(77, value)), tmp_path / "m")


@every_model
def test_tensors_that_are_missing_or_unknown_are_refused(name: str, tmp_path: Path) -> None:
    weights = pair(mixture_of(name))[1]
    names = list(weights.tensors)
    for missing in (names[0], names[len(names) // 2], names[-1]):
        rest = {n: a for n, a in weights.tensors.items() if n != missing}
        with pytest.raises(ModelMismatchError, match="missing or unknown"):
            check(dataclasses.replace(weights, tensors=rest))
    extra = weights.tensors | {"extra": np.zeros(1, np.int32)}
    refused(dataclasses.replace(weights, tensors=extra), tmp_path / "m")


def test_weights_whose_sums_could_be_inexact_are_refused() -> None:
    model = pair(mixture_of("row-lstm-1"))[1]
    for name in ("layers.0.cell.weight", "hidden.weight", "layers.1.enter.weight"):
        tensors = {n: np.zeros_like(a) if n.endswith("weight") else a for n, a in model.tensors.items()}
        largest = dataclasses.replace(model, tensors=tensors | {name: np.full_like(tensors[name], -(1 << 15))})
        inputs = int(np.prod(largest.tensors[name].shape[:-1]))
        bound = (inputs * (1 << 15) + (1 << 20)) * (1 << 22)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(arithmetic, "EXACT_FLOAT64", bound + 1)
            check(largest)
            patch.setattr(arithmetic, "EXACT_FLOAT64", bound)
            with pytest.raises(ModelMismatchError, match=f"{name} can reach"):
                check(largest)


def test_a_layer_wide_enough_to_leave_doubles_is_refused() -> None:
    """120 taps of 274 features at the end of int16 exceed 2^52 in units of the last bit."""
    config = GatedPixelCNNConfig(channels=1, levels=2, hidden=274, layers=2, kernel=15, first=3, features=4)
    with torch.device("meta"):
        shapes = {n: tuple(p.shape) for n, p in GatedPixelCNN(config).named_parameters()}
    tensors: dict[str, NDArray[Any]] = {}
    for name, shape in shapes.items():
        tensors[name] = np.zeros(shape, np.int16 if name.endswith("weight") else np.int32)
        if name.endswith("weight"):
            tensors[f"{name}.exponent"] = np.array([20], np.int8)
    tensors |= {f"table.{n}": t for n, t in arithmetic.tables(["tanh", "sigmoid", "exp"]).items()}
    tensors["layers.1.vertical.weight"][..., 0] = -(1 << 15)
    with pytest.raises(ModelMismatchError, match=r"layers\.1\.vertical\.weight can reach"):
        check(FixedWeights("gated-pixelcnn-1", config, tensors))


def sizes_of(name: str, **changes: Any) -> str:
    return json.dumps(dataclasses.asdict(pair(mixture_of(name))[1].config) | changes)


def hostile_files() -> dict[str, bytes]:
    weights = pair(mixture_of("pixelcnn-1"))[1]
    good, tensors = weights.to_bytes(), weights.tensors
    sizes: dict[str, Any] = dataclasses.asdict(weights.config)

    def with_meta(**meta: str) -> bytes:
        return bytes(save(dict(tensors), {"architecture": "pixelcnn-1", "config": json.dumps(sizes)} | meta))

    def with_sizes(**changes: Any) -> bytes:
        return with_meta(config=json.dumps(sizes | changes))

    header = int.from_bytes(good[:8], "little")
    return {
        "empty": b"",
        "truncated": good[:-1],
        "cut in its header": good[: header // 2],
        "appended": good + b"\0",
        "header length": (1 << 62).to_bytes(8, "little") + good[8:],
        "no metadata": bytes(save(dict(tensors))),
        "no config": bytes(save(dict(tensors), {"architecture": "pixelcnn-1"})),
        "architecture": with_meta(architecture="pixelcnn-2"),
        "architecture of another model": with_meta(architecture="gated-pixelcnn-1"),
        "config not json": with_meta(config="{"),
        "config is a list": with_meta(config="[1, 2]"),
        "config is a number": with_meta(config="7"),
        "config is null": with_meta(config="null"),
        "config deep": with_meta(config="[" * 100_000),
        "config empty": with_meta(config="{}"),
        "size unknown": with_sizes(depth=3),
        "size missing": with_meta(config=json.dumps({k: v for k, v in sizes.items() if k != "first"})),
        "true for an int": with_sizes(layers=True),
        "float for an int": with_sizes(hidden=6.0),
        "text for an int": with_sizes(hidden="6"),
        "null for an int": with_sizes(hidden=None),
        "int for a bool": with_sizes(residual=1),
        "int for text": with_sizes(head=1),
        "nan": with_meta(config=json.dumps(sizes).replace('"hidden": 6', '"hidden": NaN')),
        "infinite": with_meta(config=json.dumps(sizes).replace('"hidden": 6', '"hidden": Infinity')),
        "huge": with_sizes(hidden=1 << 70),
        "negative": with_sizes(layers=-1),
        "zero": with_sizes(features=0),
        "two channels": with_sizes(channels=2),
        "three levels": with_sizes(levels=3),
        "mixture over two levels": with_sizes(levels=2),
        "no component": with_sizes(n_mix=0),
        "too many components": with_sizes(n_mix=33),
        "head unknown": with_sizes(head="gaussian"),
        "even window": with_sizes(first=4),
        "wide window": with_sizes(first=17),
        "other shapes": with_sizes(layers=3),
        "other head": with_sizes(head="softmax"),
    }


@pytest.mark.parametrize("case", hostile_files())
def test_hostile_weights_files_are_refused(case: str, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(hostile_files()[case])
    with pytest.raises(ModelMismatchError):
        load(tmp_path / "m")


@pytest.mark.parametrize(
    ("name", "changes"),
    [("pixelcnn-pp-1", {"dropout": value}) for value in (1.0, -0.1, math.nan, math.inf, 0)]
    + [("pixelcnn-pp-1", {"scales": 7}), ("pixelcnn-pp-1", {"blocks": 65})]
    + [("multi-scale-1", {"core": "gated"}), ("multi-scale-1", {"stride": 1}), ("multi-scale-1", {"stride": 9})]
    + [("multi-scale-1", {"condition": 0}), ("row-lstm-1", {"kernel": 2}), ("gated-pixelcnn-1", {"kernel": 17})],
)
def test_sizes_of_a_model_that_it_cannot_have_are_refused(name: str, changes: dict[str, Any]) -> None:
    tensors = dict(pair(mixture_of(name))[1].tensors)
    parse(name, {"config": sizes_of(name)}, tensors)
    with pytest.raises(ValueError, match=f"{next(iter(changes))} is|holds"):
        parse(name, {"config": sizes_of(name, **changes)}, tensors)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("pixelcnn-1", {"hidden": 1024, "features": 4096}),
        ("row-lstm-1", {"hidden": 1024, "features": 4096}),
        ("diagonal-bilstm-1", {"hidden": 1024, "skip": True}),
        ("multi-scale-1", {"hidden": 1024, "condition": 1024}),
        ("gated-pixelcnn-1", {"hidden": 1024, "kernel": 15}),
        ("pixelcnn-pp-1", {"hidden": 1024}),
    ],
)
def test_sizes_that_a_file_only_claims_take_no_memory(name: str, changes: dict[str, Any]) -> None:
    tensors = dict(pair(mixture_of(name))[1].tensors)
    tracemalloc.start()
    try:
        with pytest.raises(ModelMismatchError):
            parse(name, {"config": sizes_of(name, **changes)}, tensors)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
