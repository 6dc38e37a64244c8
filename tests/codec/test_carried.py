"""Models that come with files: embedded, in model files beside them, and hostile ones."""

import dataclasses
import re
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pixcodecs.container import image as container
from pixcodecs.container import models, references, signature, stack
from pixcodecs.container.image import Extra
from pixcodecs.container.references import Reference
from pixcodecs.errors import BitstreamError, ModelMismatchError, UnsupportedImageError

from pixzip import codec
from pixzip.codec import affordable, by_rows, carried, costs, describe
from pixzip.codec.carried import Carrying
from pixzip.codec.options import Options
from pixzip.codec.pages import PagesOpening, compress_pages, decompress_pages
from pixzip.codec.stack import compress_stack, decompress_stack
from pixzip.codec.stack_search import smallest_stack
from pixzip.image.pages import Page
from pixzip.models import library, registry
from tests.helpers import fuzzing, golden, weights_mutations
from tests.helpers.golden_models import BAD_MODELS, GOOD, PAGES, STACK, embedding, lzma2, of_picture, weights

EMBEDDING = Options(golden.weights, models_only=True, reference=Reference.EMBEDDED)
ID = golden.weights(1).model_id


def nothing_here(model_id: bytes) -> Any:
    raise ModelMismatchError(f"file needs model {model_id.hex()}, which is not here")


ALONE = Options(model_by_id=nothing_here)


def read(name: str) -> bytes:
    return (golden.FOLDER / f"{name}.pxz").read_bytes()


def check_decodes(data: bytes) -> None:
    """Decode a golden file of `golden_models` with no other model."""
    if signature.is_stack(data):
        assert all(map(np.array_equal, decompress_stack(data, ALONE).images, STACK))
    elif signature.is_pages(data):
        assert decompress_pages(data, ALONE) == PAGES
    elif signature.is_model(data):
        codec.verify(data, ALONE)
    else:
        name = "v2-rgba-of-models" if container.read_header(data).layout is container.Layout.RGBA else "v2-grey"
        assert codec.decompress([data], ALONE)[0] == golden.picture(name)


@pytest.mark.parametrize("name", GOOD)
def test_a_file_that_brings_its_model_needs_no_other(name: str) -> None:
    check_decodes(read(name))
    assert describe.facts(read(name))["models"]


@pytest.mark.parametrize("name", BAD_MODELS)
def test_a_bad_model_is_refused_with_its_message(name: str) -> None:
    with pytest.raises(BAD_MODELS[name].error, match=re.escape(BAD_MODELS[name].message)):
        check_decodes(read(name))


def test_a_reader_that_does_not_know_the_section_names_the_missing_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """It skips the extra, as every ancillary one, and decodes the file if it has the model."""
    monkeypatch.setattr(container, "_SKIPPED", range(5, 128))
    monkeypatch.setattr(container, "Extra", container.IntEnum("Extra", {e.name: e.value for e in Extra if e < 5}))
    with pytest.raises(ModelMismatchError, match=f"file needs model {ID.hex()}, which is not here"):
        codec.decompress([read("v2-model-embedded")], ALONE)
    known = Options(model_by_id=fuzzing.weights_for)
    assert codec.decompress([read("v2-model-embedded")], known)[0] == golden.picture("v2-grey")


def test_an_encoder_embeds_what_the_file_uses_and_nothing_else() -> None:
    picture = golden.picture("v2-rgba-of-models")
    (data,) = codec.compress([picture], dataclasses.replace(EMBEDDING, verify=True))
    assert codec.decompress([data], ALONE) == [picture]
    header = container.read_header(data)
    assert len([kind for kind, _ in header.extras if kind is Extra.MODEL]) == len(header.models) == 2
    (constant,) = codec.compress([golden.picture("v2-constant")], dataclasses.replace(EMBEDDING, models_only=False))
    assert constant == codec.compress([golden.picture("v2-constant")], Options(golden.weights))[0]


def test_the_same_model_is_always_the_same_bytes() -> None:
    """The library of weights files orders their header anew in each process."""
    one = golden.weights(1)
    again = registry.parse(one.to_bytes(), "again")
    assert (again.to_bytes(), again.digest) == (one.to_bytes(), one.digest)
    head = weights_mutations.parts(one.to_bytes())[0]
    assert [*head, *head["__metadata__"]] == [*sorted(head), *sorted(head["__metadata__"])]


def test_pages_embed_a_model_once(monkeypatch: pytest.MonkeyPatch) -> None:
    opening = PagesOpening(read("v5-model-embedded"))
    sizes = [len(member.header.extras) for member in opening.openings]
    assert sizes == [1, 0]
    assert opening.carrying.given.keys() == {ID}
    most = Carrying.shared([Carrying({bytes([i]): b"x"}, 9) for i in range(4)], 9, None)
    assert len(most.given) == models.MAX_MODELS
    with pytest.raises(BitstreamError, match="file brings 5 models, expected at most 4"):
        Carrying.shared([Carrying({bytes([i]): b"x"}, 9) for i in range(5)], 9, None)
    monkeypatch.setattr(models, "MAX_MODELS", 1)
    two = dataclasses.replace(PAGES, pages=(PAGES.pages[0], Page(golden.picture("v2-rgb"))))
    with pytest.raises(UnsupportedImageError, match="pages use 2 models, a file brings at most 1"):
        compress_pages(two, EMBEDDING)


def test_one_file_of_a_batch_does_not_lend_its_model_to_another() -> None:
    plain = (golden.FOLDER / "v2-grey-model.pxz").read_bytes()
    with pytest.raises(ModelMismatchError, match="which is not here"):
        codec.decompress([read("v2-model-embedded"), plain], ALONE)


def test_the_original_and_regions_come_with_an_embedded_model() -> None:
    data = read("v2-model-embedded")
    window = codec.Opening(data).window._replace(width=5)
    part = codec.recover(data, ALONE, region=window).picture
    assert np.array_equal(part.samples, golden.picture("v2-grey").samples[:, :5])
    rows = np.concatenate(list(by_rows.decompress_rows(codec.Opening(data), ALONE)))
    assert np.array_equal(rows, golden.picture("v2-grey").samples)


@pytest.mark.parametrize("levels", [0, 2])
def test_a_model_file_is_found_in_the_folder_of_the_file_and_above(levels: int, tmp_path: Path) -> None:
    place = tmp_path / "a" / "b"
    place.mkdir(parents=True)
    target = [place, place.parent, tmp_path][levels] / references.file_name(ID)
    opening = codec.Opening(read("v2-model-beside"), folder=place)
    with pytest.raises(
        ModelMismatchError, match=r"its file pixzip-model-\w+\.pxz is neither beside this file nor in a folder"
    ):
        codec.decompress([opening], ALONE)
    known = Options(model_by_id=fuzzing.weights_for)
    assert codec.decompress([opening], known) == [golden.picture("v2-grey")]  # one that is here serves
    target.write_bytes(carried.file_of(golden.weights(1)))
    assert codec.decompress([codec.Opening(opening.file, folder=place)], ALONE) == [golden.picture("v2-grey")]
    assert registry.load(target).digest == golden.weights(1).digest  # for --model


@pytest.mark.parametrize("damage", ["other", "cut", "weights"])
def test_a_bad_model_file_is_refused_by_its_path(damage: str, tmp_path: Path) -> None:
    path = tmp_path / references.file_name(ID)
    good = carried.file_of(golden.weights(1))
    made = {"other": carried.file_of(golden.weights(3)), "cut": good[:-5], "weights": b"\0\0"}
    path.write_bytes(made[damage])
    with pytest.raises(ModelMismatchError, match=re.escape(str(path))):
        codec.decompress([codec.Opening(read("v2-model-beside"), folder=tmp_path)], Options())


def test_a_model_that_is_here_does_not_excuse_an_embedded_one() -> None:
    damaged = of_picture(embedding(lzma2(weights(3))))
    with pytest.raises(ModelMismatchError, match="the embedded model should be model"):
        codec.decompress([damaged], Options(model_by_id=fuzzing.weights_for))


def test_a_wrong_answer_is_refused_before_anything_is_decoded() -> None:
    lying = dataclasses.replace(golden.weights(1), known_answer="0" * 64)
    with pytest.raises(ModelMismatchError, match="other frequencies than model"):
        codec.decompress([of_picture(embedding(lzma2(lying.to_bytes())))], ALONE)


# Bounds.


def test_a_model_file_that_is_too_large_is_not_read() -> None:
    with pytest.raises(BitstreamError, match=f"model file has {models.MAX_BYTES + 1} bytes, more than"):
        models.read_file(carried.file_of(golden.weights(1)).ljust(models.MAX_BYTES + 1, b"\0"))


def test_a_bomb_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "parse", lambda *args: pytest.fail("weights are looked at"))
    bomb = of_picture(embedding(lzma2(bytes(70 << 20))))
    assert len(bomb) < 64 << 10
    tracemalloc.start()
    try:
        began = time.process_time()
        with pytest.raises(BitstreamError, match=r"more than the limit of \d+ bytes of weights: --no-pixel-limit"):
            codec.decompress([bomb], ALONE)
        assert time.process_time() - began < 2
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
        with pytest.raises(BitstreamError, match=f"more than the limit of {models.MAX_BYTES} bytes of weights$"):
            codec.decompress([bomb], dataclasses.replace(ALONE, max_pixels=None))
    finally:
        tracemalloc.stop()


def test_a_model_unpacked_for_a_larger_file_keeps_to_the_limit_of_a_smaller_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packed = lzma2(weights(1))
    large, small = Carrying({ID: packed}, 1 << 20), Carrying({ID: packed}, 9)
    large.load(1, nothing_here)
    monkeypatch.setattr(models, "SMALL_BYTES", 10)
    with pytest.raises(BitstreamError, match=f"more than the limit of {10 + 4 * 9} bytes"):
        small.load(1, nothing_here)


def test_a_writer_does_not_embed_what_readers_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "SMALL_BYTES", 0)
    monkeypatch.setattr(models, "BYTES_A_BYTE", 1)
    ways: list[Any] = [lambda options: codec.compress([golden.picture("v2-grey")], options)]
    for compress in (*ways, lambda options: smallest_stack(STACK, options)):
        with pytest.raises(BitstreamError, match=r"file would bring models of \d+ bytes of weights in"):
            compress(EMBEDDING)
        assert compress(dataclasses.replace(EMBEDDING, max_pixels=None))


def test_the_time_of_an_embedded_model_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "_WEIGHT_NS", costs.SMALL_NS // 1000)
    for data in (read("v2-model-embedded"), read("v3-model-embedded"), read("v5-model-embedded")):
        with pytest.raises(BitstreamError, match="decoding would take more than"):
            check_decodes(data)
    data = (golden.FOLDER / "v2-grey-model.pxz").read_bytes()
    light = affordable.lightened(data, [golden.weights(1)], EMBEDDING)  # a writer keeps to the limit
    assert container.block(light, container.read_header(light), 0) != container.block(
        data, container.read_header(data), 0
    )


def test_layers_and_components_beyond_the_usual_cost_time() -> None:
    base = golden.weights(1)
    config = dataclasses.replace(base.config, blocks=1000)
    deep = dataclasses.replace(base, config=config)
    wide = dataclasses.replace(base, config=dataclasses.replace(base.config, n_mix=1000))
    pixels = 1000 * 1000
    plain = costs.payload_ns(base, 1000, 1000)
    assert costs.payload_ns(deep, 1000, 1000) - plain == 45 * (1000 - 16) * pixels
    assert costs.payload_ns(wide, 1000, 1000) - plain == 40 * (1000 - 16) * pixels
    for name, path in library.shipped_paths().items():
        model = library.load(path)
        assert max(model.layers, model.n_mix) <= 16, name  # their time is as before


def test_a_model_whose_time_has_no_bound_needs_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the reader has it: then it is trusted already."""
    monkeypatch.setattr(costs, "_TIMED", "another-")
    data = read("v2-model-embedded")
    with pytest.raises(BitstreamError, match="whose time has no bound: --no-pixel-limit"):
        codec.decompress([data], ALONE)
    picture = golden.picture("v2-grey")
    assert codec.decompress([data], dataclasses.replace(ALONE, max_pixels=None)) == [picture]
    assert codec.decompress([data], Options(model_by_id=fuzzing.weights_for)) == [picture]
    with pytest.raises(BitstreamError, match="whose time has no bound"):
        codec.compress([picture], EMBEDDING)
    with pytest.raises(BitstreamError, match="whose time has no bound"):
        smallest_stack(STACK, EMBEDDING)


def test_a_stack_counts_its_model_once_and_says_so() -> None:
    plain, whole = (compress_stack(STACK, golden.weights(1), embed=embed) for embed in (False, True))
    header = stack.read_header(whole)
    assert len(whole) - len(plain) - len(header.weights) in (2, 3)  # the length of the weights
    (fact,) = describe.facts(whole)["models"]
    assert fact["embedded_bytes"] == len(header.weights)
    assert dict(describe.lines(describe.facts(whole)))["models"].endswith(f"embedded, {len(header.weights)} bytes)")
