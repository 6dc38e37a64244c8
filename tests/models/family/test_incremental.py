"""Computation by fronts equals that of whole images: up to rounding in floats, exactly in fixed point."""

import pytest
import torch
from torch import Tensor

from pixzip.models.family.architectures import FAMILY
from tests.helpers.family import VARIANTS, at_once, each_scale, mixture_of, pair, step_by_step, tiny, values_of

SIZES = [(7, 6), (1, 1), (1, 9), (9, 1), (2, 8)]


def equal(found: list[Tensor], expected: list[Tensor]) -> bool:
    return len(found) == len(expected) and all(map(torch.equal, found, expected))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_front_at_a_time_is_as_all_at_once(variant: str) -> None:
    model, _, exact = pair(variant)
    x = values_of(model, 1, 2, 5, seed=1)
    for found, expected in zip(step_by_step(model, x), at_once(model, x), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    x = values_of(model, 3, 4, 5, seed=2)
    assert equal(step_by_step(exact, x), at_once(exact, x))


@pytest.mark.parametrize("name", FAMILY)
def test_narrow_flat_and_odd_images_are_no_exception(name: str) -> None:
    model, _, exact = pair(mixture_of(name))
    for h, w in SIZES:
        x = values_of(model, 1, h, w)
        assert equal(step_by_step(exact, x), at_once(exact, x)), (h, w)


@pytest.mark.parametrize("name", ["pixelcnn-1", "row-lstm-1", "multi-scale-1"])
def test_every_slope_from_the_front_to_raster_order_gives_the_same(name: str) -> None:
    model, _, exact = pair(mixture_of(name))
    h, w = 4, 7
    x = values_of(model, 2, h, w)
    own = exact.scales()[-1].model.slope(w)
    assert own == 4
    expected = at_once(exact, x)
    for slope in range(own, w + 1):
        assert equal(step_by_step(exact, x, slope), expected), slope


@pytest.mark.parametrize("name", FAMILY)
def test_parameters_do_not_depend_on_the_other_images_of_a_batch(name: str) -> None:
    model, _, exact = pair(mixture_of(name))
    x = values_of(model, 3, 3, 5)
    together, steps = at_once(exact, x), step_by_step(exact, x)
    for i in range(3):
        assert equal(at_once(exact, x[i : i + 1]), [t[i : i + 1] for t in together])
    assert equal(step_by_step(exact, x[1:2]), [s[1:2] for s in steps])
    for whole, part in zip(at_once(model, x), at_once(model, x[1:2]), strict=True):
        torch.testing.assert_close(part, whole[1:2], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("variant", VARIANTS)
def test_fixed_point_is_close_to_floats(variant: str) -> None:
    model, _, exact = pair(variant)
    x = values_of(model, 2, 7, 8)
    for found, expected in zip(at_once(exact, x), at_once(model, x), strict=True):
        assert float((found - expected).abs().mean()) < 3e-3 * float(expected.std())
        assert torch.equal(found * 4096, (found * 4096).round())


def test_stages_code_every_pixel_once() -> None:
    for name in ("pixelcnn-1", "multi-scale-1"):
        for stride in (2, 3):
            model = tiny(name, **({"stride": stride} if name == "multi-scale-1" else {}))
            for h, w in SIZES:
                count = torch.zeros(h, w)
                for scale, part, _ in each_scale(model, values_of(model, 1, h, w)):
                    mask = torch.from_numpy(scale.coded(*part.shape[2:]))
                    count[:: scale.stride, :: scale.stride] += mask
                assert (count == 1).all()
