"""Stacks by effort: a sample chooses the stage, and the highest effort makes the smallest file."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pixcodecs.container import stack as container
from pixcodecs.errors import BitstreamError

from pixzip.codec import costs, stack_search
from pixzip.codec.efforts import EFFORTS, SLOWER
from pixzip.codec.options import Options
from pixzip.codec.stack import compress_stack, decompress_stack
from pixzip.codec.stack_search import sample, smallest_stack
from pixzip.engine.stages.base import IDENTITY
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.engine.stages.registry import STAGES
from pixzip.models.family.weights import fixed
from tests.helpers.family import images_for, tiny
from tests.helpers.support import scene, tiny_weights

Image = NDArray[np.uint8]
MODEL, OTHER = tiny_weights(3), tiny_weights(3, seed=5)


def at(effort: int, **choices: Any) -> Options:
    return Options.only(MODEL, effort=EFFORTS[effort], **choices)


def drawings(count: int = 12) -> list[Image]:
    """Tiles of few colours, in other places each."""
    rng = np.random.default_rng(0)
    palette, tile = rng.integers(0, 256, (4, 3), np.uint8), rng.integers(0, 4, (12, 10))
    return [palette[np.roll(tile, i, (0, 1))] for i in range(count)]


def stage_of(file: bytes) -> int:
    return container.read_header(file).stage


@pytest.mark.parametrize("effort", [1, 2, 3, 5, 7])
def test_the_stage_is_the_one_that_the_effort_says_and_that_pays(effort: int) -> None:
    images = drawings()
    sizes = {stage: len(compress_stack(images, MODEL, stage=stage)) for stage in STAGES.values()}
    expected = {
        1: IDENTITY, 2: min((IDENTITY, LIGHT), key=sizes.__getitem__), 3: FULL, 5: FULL, 7: FULL
    }[effort]  # fmt: skip
    assert sizes[FULL] * SLOWER < min(sizes[IDENTITY], sizes[LIGHT])
    file = smallest_stack(images, at(effort), verify=True)
    assert file == compress_stack(images, MODEL, stage=expected)
    assert all(map(np.array_equal, decompress_stack(file, at(effort)).images, images))


def test_a_stage_that_costs_bytes_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    larger = {0: 100, 1: 101, 2: 99}

    def made(images: list[Image], *_: Any, stage: Any, **__: Any) -> bytes:
        return bytes(larger[stage.number])

    monkeypatch.setattr(stack_search, "compress_stack", made)
    chosen = {e: stack_search._chosen([scene(3, 4, 4, 1)], at(e), MODEL, 8) for e in (1, 2, 3, 5, 7)}
    assert chosen == {1: IDENTITY, 2: IDENTITY, 3: FULL, 5: IDENTITY, 7: FULL}


def test_the_highest_effort_is_never_larger_than_another() -> None:
    others = tuple(Options.only(OTHER, effort=EFFORTS[e]) for e in (1, 3, 5))
    images = [scene(3, 8, 8, seed) for seed in range(6)]
    most = smallest_stack(images, at(7, alternatives=others))
    assert len(most) == min(len(smallest_stack(images, one)) for one in (at(7), *others))


@pytest.mark.parametrize("levels", [2, 256])
def test_models_that_no_stage_adapts_code_stacks_at_any_effort(levels: int) -> None:
    model = fixed(tiny("gated-pixelcnn-1", channels=1, levels=levels))
    images = images_for(tiny("gated-pixelcnn-1", channels=1, levels=levels), [(3, 4)] * 2, 0)
    file = smallest_stack(images, Options.only(model, effort=EFFORTS[7]))
    assert not stage_of(file)
    assert container.read_header(file).depth == (1 if levels == 2 else 8)


def test_a_sample_has_few_images_and_pixels_from_everywhere() -> None:
    images = [np.full((4, 4, 3), i % 256, np.uint8) for i in range(1000)]
    found = sample(images)
    assert 100 < len(found) <= stack_search.SAMPLE_IMAGES
    assert found[0] is images[0]
    assert found[-1] is images[8 * (len(found) - 1)]
    large = [np.zeros((512, 300, 3), np.uint8)] * 3
    assert len(sample(large)) == 1
    assert len(sample(images[:5])) == 5


def test_a_stage_that_readers_would_refuse_as_too_costly_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    check = costs.check_stack

    def strict(header: container.StackHeader, *args: Any, **more: Any) -> None:
        if header.stage:
            raise BitstreamError("too costly")
        check(header, *args, **more)

    monkeypatch.setattr(costs, "check_stack", strict)
    images = drawings()
    assert not stage_of(smallest_stack(images, at(7)))
    assert stage_of(smallest_stack(images, at(7, max_pixels=None)))


def test_progress_counts_every_pixel_of_every_attempt() -> None:
    seen: list[tuple[int, int]] = []
    options = at(3, alternatives=(at(1), at(3)))
    smallest_stack(drawings(), options, progress=lambda *p: seen.append(p))
    assert seen[-1] == (3 * 12 * 120, 3 * 12 * 120)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
