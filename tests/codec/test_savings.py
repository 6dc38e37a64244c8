"""What stages save is measured on the samples of the payloads that have one."""

import numpy as np
import pytest
from pixcodecs.errors import BitstreamError, ModelMismatchError

from pixzip import codec
from pixzip.codec.efforts import EFFORTS
from pixzip.codec.options import Options
from pixzip.codec.pages import compress_pages
from pixzip.codec.savings import Savings, savings
from pixzip.codec.stack import compress_stack
from pixzip.engine.stages.base import IDENTITY, Identity
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.image.pages import Kind, Page, Pages
from tests.codec.test_golden import weights_for
from tests.helpers import golden
from tests.helpers.support import scene, tiny_weights

MODEL = tiny_weights(3)


def options(effort: int) -> Options:
    return Options.only(MODEL, effort=EFFORTS[effort], models_only=True)


def test_savings_of_a_picture_are_the_difference_to_a_file_without_a_stage() -> None:
    picture = scene(3, 70, 64, 1)
    plain, staged = (codec.compress([picture], options(effort))[0] for effort in (1, 3))
    found = savings(staged, options(1))
    assert abs(found.saved - (len(plain) - len(staged))) < 16
    assert found.share == pytest.approx(found.saved / found.without)
    assert savings(plain, options(1)) == Savings(0, 0)
    assert Savings(0, 0).share == 0


def test_payloads_in_other_blocks_and_of_some_tiles_count() -> None:
    models = {1: tiny_weights(1), 3: MODEL}
    both = {model.model_id: model for model in models.values()}
    alpha = (np.arange(66) % 3 * 100).astype(np.uint8) * np.ones((66, 1), np.uint8)
    picture = np.dstack([scene(3, 66, 66, 2), alpha])
    for effort in (1, 3):
        own = Options(models.__getitem__, both.__getitem__, effort=EFFORTS[effort], models_only=True)
        (file,) = codec.compress([picture], own)
        found = savings(file, own)
        if effort == 1:
            plain = len(file)
    assert found.with_stages > len(file) // 2
    assert abs(found.saved - (plain - len(file))) < 32
    tiles = (golden.FOLDER / "v2-light-and-none.pxz").read_bytes()
    found = savings(tiles, Options(model_by_id=weights_for))
    assert 0 < found.with_stages < len(tiles) // 2 + 100


@pytest.mark.parametrize("stage", [LIGHT, FULL])
def test_savings_of_a_stack_are_the_difference_to_a_stack_without_a_stage(stage: Identity) -> None:
    images = [scene(3, 9, 8, seed) for seed in range(20)] + [scene(3, 5, 4, 1)]
    plain, staged = (compress_stack(images, MODEL, stage=kind) for kind in (IDENTITY, stage))
    found = savings(staged, options(1))
    assert abs(found.saved - (len(plain) - len(staged))) < 16
    assert savings(plain, options(1)) == Savings(0, 0)


def test_a_kept_jpeg_has_no_stage() -> None:
    assert savings((golden.FOLDER / "v4-deflate.pxz").read_bytes()) == Savings(0, 0)


def test_progress_counts_every_pixel_twice() -> None:
    for file in (
        codec.compress([scene(3, 20, 30, 1)], options(3))[0],
        compress_stack([scene(3, 20, 30, 1)], MODEL, stage=LIGHT),
    ):
        seen: list[tuple[int, int]] = []
        savings(file, options(1), lambda *p: seen.append(p))  # noqa: B023
        assert seen[-1] == (1200, 1200)


def test_damaged_files_and_missing_models_are_errors() -> None:
    for file in (
        codec.compress([scene(3, 20, 30, 1)], options(3))[0],
        compress_stack([scene(3, 20, 30, 1)], MODEL, stage=LIGHT),
    ):
        with pytest.raises(BitstreamError):
            savings(file[:-1], options(1))
        with pytest.raises(ModelMismatchError):
            savings(file)


def test_savings_of_pages_are_those_of_all_pages() -> None:
    pages = [Page(codec.as_picture(scene(3, 40, 30, seed))) for seed in range(3)]
    file = compress_pages(Pages(Kind.TIFF, tuple(pages)), options(3))
    found = savings(file, options(1))
    alone = [savings(codec.compress([page.picture], options(3))[0], options(1)) for page in pages]
    assert (found.with_stages, found.without) == tuple(map(sum, zip(*alone, strict=True)))
    assert found.with_stages > 100
