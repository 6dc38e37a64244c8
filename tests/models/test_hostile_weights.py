"""Whatever is in a weights file, it is refused in one line, or it is a model that codes images."""

import json
import time
import tracemalloc
from dataclasses import fields
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pixcodecs.errors import ModelMismatchError

from pixzip.models import files
from pixzip.models.family.architectures import FAMILY
from pixzip.models.family.weights import fixed
from pixzip.models.registry import load
from pixzip.models.sizes import Sizes
from pixzip.models.wavefront.config import Config
from pixzip.models.wavefront.weights import IntegerWeights, check, expected_tensors
from tests.helpers import weights_mutations as mutations
from tests.helpers.family import tiny
from tests.helpers.fuzzing import forget_peak, peak_bytes
from tests.helpers.support import tiny_weights
from tests.helpers.weights_mutations import ARCHITECTURES, attempt, joined, parts, seed_of, with_config

KINDS: dict[str, type[Sizes]] = {name: model.config_class for name, model in FAMILY.items()} | {"wavefront": Config}


# Sizes.


@pytest.mark.parametrize("name", KINDS)
def test_every_field_of_every_config_declares_its_values(name: str) -> None:
    for field in fields(KINDS[name]):
        allowed = field.metadata["allowed"]
        assert field.default in allowed
        assert 1 << 40 not in allowed
        assert -1 not in allowed
        assert "" not in allowed if isinstance(field.default, str) else float("nan") not in allowed
    KINDS[name]().check()


def least(name: str) -> dict[str, Any]:
    """The least value of each size of a network that has a range, and the largest of those that stay small."""
    found = {f.name: f.metadata["allowed"][0] for f in fields(KINDS[name]) if isinstance(f.metadata["allowed"], range)}
    found |= {f: KINDS[name].__dataclass_fields__[f].metadata["allowed"][-1] for f in {"stride"} & found.keys()}
    return {"channels": 3, "head": "softmax", "levels": 2} | found


@pytest.mark.parametrize("name", FAMILY)
def test_a_model_of_the_least_sizes_codes_images(name: str, tmp_path: Path) -> None:
    assert attempt(fixed(tiny(name, **least(name))).to_bytes(), tmp_path / "m") == "works"


@pytest.mark.parametrize("name", [name for name in FAMILY if "first" in {f.name for f in fields(KINDS[name])}])
def test_a_first_convolution_that_sees_no_pixel_is_refused(name: str, tmp_path: Path) -> None:
    """In the gated network its weights divided by zero; the others decoded other images than they coded."""
    data = with_config(seed_of(name), lambda config: config.update(first=1))
    (tmp_path / "m").write_bytes(data)
    with pytest.raises(ModelMismatchError, match="first is 1, expected 3 to 15 in steps of 2"):
        load(tmp_path / "m")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(ARCHITECTURES)), value=JSON, data=st.data())
def test_a_config_of_other_values_is_refused_or_works(
    name: str, value: Any, data: st.DataObject, tmp_path: Path
) -> None:
    config = json.loads(parts(seed_of(name))[0]["__metadata__"]["config"])
    field = data.draw(st.sampled_from(sorted(config)))
    outcome = attempt(with_config(seed_of(name), lambda c: c.update({field: value})), tmp_path / "m")
    if type(value) is not type(config[field]):
        assert outcome == "refused"


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("wavefront-pixelcnn-2", {"blocks": 1024, "mixing": 64, "width": 4096, "n_mix": 4096, "head_width": 4096}),
        ("wavefront-pixelcnn-2", {"blocks": 4096, "mixing": 4096}),
        ("pixelcnn-pp-1", {"hidden": 1024, "blocks": 64, "scales": 1}),
        ("pixelcnn-pp-1", {"hidden": 1024, "blocks": 64, "scales": 6}),
        ("gated-pixelcnn-1", {"hidden": 1024, "layers": 64, "kernel": 15, "first": 15, "features": 4096}),
        ("multi-scale-1", {"hidden": 1024, "layers": 64, "condition": 1024, "features": 4096, "stride": 8}),
    ],
)
def test_sizes_that_a_file_only_declares_cost_little(name: str, sizes: dict[str, int], tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(with_config(seed_of(name), lambda config: config.update(sizes)))
    forget_peak()
    before, began = peak_bytes(), time.process_time()
    with pytest.raises(ModelMismatchError):
        load(tmp_path / "m")
    assert peak_bytes() - before < 500 << 20
    assert time.process_time() - began < 20


# Files.


def test_mutations_are_refused_in_one_line_or_work(tmp_path: Path) -> None:
    found = [mutations.mutate(Random(n)) for n in range(50)]
    outcomes = {(m.how, attempt(m.data, tmp_path / "m")) for m in found}
    assert {how for how, _ in outcomes} == {kind.__name__.strip("_") for kind in mutations.KINDS}
    assert {outcome for _, outcome in outcomes} == {"refused", "works"}  # otherwise the test proves little


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2", "BF16", "F16", "F32", "F64", "I64", "U8", "BOOL"])
def test_tensors_that_are_not_of_integers_are_refused(dtype: str, tmp_path: Path) -> None:
    width = {"BF16": 2, "F16": 2, "F32": 4, "F64": 8, "I64": 8}.get(dtype, 1)
    header = {"a\x1b": {"dtype": dtype, "shape": [3], "data_offsets": [0, 3 * width]}}
    (tmp_path / "m").write_bytes(joined(header, bytes(3 * width)))
    with pytest.raises(ModelMismatchError, match=rf"m is not a weights file: tensor 'a\\x1b' is {dtype} \[3\]"):
        load(tmp_path / "m")


HEADERS: dict[str, str | bytes] = {
    "empty tensor": '{"a":{"dtype":"I8","shape":[0],"data_offsets":[0,0]}}',
    "a side of zero": '{"a":{"dtype":"I8","shape":[5,0],"data_offsets":[0,0]}}',
    "negative side": '{"a":{"dtype":"I8","shape":[-1],"data_offsets":[0,0]}}',
    "huge side": '{"a":{"dtype":"I8","shape":[9223372036854775807,4],"data_offsets":[0,0]}}',
    "many axes": '{"a":{"dtype":"I8","shape":[' + ",".join("1" * 1000) + '],"data_offsets":[0,1]}}',
    "text for a shape": '{"a":{"dtype":"I8","shape":"3","data_offsets":[0,0]}}',
    "metadata of numbers": '{"__metadata__":{"architecture":1}}',
    "metadata is a list": '{"__metadata__":[]}',
    "metadata twice": '{"__metadata__":{"architecture":"a"},"__metadata__":{"architecture":"b"}}',
    "metadata is null": '{"__metadata__":null}',
    "no text": b'{"\xff\xfe":{}}',
    "utf-16": '{"a":{}}'.encode("utf-16"),
    "a lone surrogate": '{"__metadata__":{"architecture":"\\ud800"}}',
    "deep": '{"a":' + "[" * 500_000,
    "deep and ignored": '{"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1],"b":' + "[" * 99_999 + "]" * 99_999 + "}}",
    "digits": '{"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1],"b":' + "9" * 99_999 + "}}",
    "nan": '{"a":{"dtype":"I8","shape":[NaN],"data_offsets":[0,1]}}',
    "20,000 tensors": "{"
    + ",".join(f'"{i}":{{"dtype":"I8","shape":[1],"data_offsets":[0,1]}}' for i in range(20_000))
    + "}",
    "a number": "7",
    "nothing": "",
}


@pytest.mark.parametrize("case", HEADERS)
def test_hostile_headers_are_refused_at_once(case: str, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(joined(HEADERS[case], b"\0"))
    began = time.process_time()
    with pytest.raises(ModelMismatchError) as found:
        load(tmp_path / "m")
    assert len(str(found.value).removeprefix(str(tmp_path))) < 500
    assert time.process_time() - began < 10


def test_a_long_header_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    spaces = " " * (files.MAX_HEADER_BYTES + 1)
    (tmp_path / "m").write_bytes(joined("{}" + spaces, b""))
    with pytest.raises(ModelMismatchError, match=f"more than {files.MAX_HEADER_BYTES}"):
        load(tmp_path / "m")


def test_the_check_of_a_large_model_takes_little_more_memory_than_the_model() -> None:
    """64-bit copies of the weights took sixteen times as much."""
    tables = {name: a for name, a in tiny_weights(1).tensors.items() if name.startswith("table.")}
    sizes = Config(channels=1, width=1500, blocks=1)
    expected = expected_tensors(sizes).items()
    tensors = {name: np.zeros(shape, dtype) for name, (dtype, shape) in expected} | tables
    tracemalloc.start()
    try:
        check(IntegerWeights(sizes, (0,), tensors))
        assert tracemalloc.get_traced_memory()[1] < 3 * sum(a.nbytes for a in tensors.values())
    finally:
        tracemalloc.stop()
