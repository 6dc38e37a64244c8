"""Lattices of colours are recognised from some pixels, tried where in doubt, and named by the file."""

import io

import numpy as np
import pytest
from PIL import Image
from pixcodecs.container.blocks import Precision, Samples

from pixzip import codec
from pixzip.codec import costs, describe
from pixzip.codec.efforts import Effort
from pixzip.codec.lattice_search import trials
from pixzip.engine.stages.base import IDENTITY
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.models.wavefront.lattices import JFIF, NONE, PHOTO_YCC
from tests.helpers.lattices import on_lattice
from tests.helpers.support import scene, tiny_weights

MODEL = tiny_weights(3, seed=5, spread=1.0)


def decoded(samples: Samples) -> Samples:
    """The samples after JPEG."""
    file = io.BytesIO()
    Image.fromarray(samples).save(file, "JPEG", quality=92)
    return np.asarray(Image.open(file))


PHOTO = scene(3, 64, 96, 2)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (decoded(PHOTO), [JFIF]),
        (on_lattice(JFIF, 64, 96, 2), [JFIF]),
        (on_lattice(PHOTO_YCC, 64, 96, 2), [PHOTO_YCC]),
        (on_lattice(PHOTO_YCC, 64, 96, 2, changed=0.15), [NONE, PHOTO_YCC]),
        (PHOTO, [NONE]),
        (np.repeat(PHOTO[..., :1], 3, 2), [NONE]),  # greys
        (decoded(PHOTO)[:3, :4].repeat(20, 0).repeat(20, 1), [NONE]),  # few colours
        (decoded(PHOTO)[:60, :60], [NONE]),  # too small for colours seen
        (PHOTO[..., :1], [NONE]),
    ],
)
def test_a_lattice_is_recognised_and_without_it_is_tried_if_in_doubt(samples: Samples, expected: list[int]) -> None:
    found = trials(samples, [IDENTITY, LIGHT, FULL], Precision())
    assert found[0] == (IDENTITY, Precision())
    for stage in (LIGHT, FULL):
        assert [precision.lattice for own, precision in found if own == stage] == expected


def test_samples_of_more_bits_and_no_stage_are_left_alone() -> None:
    deep = decoded(PHOTO).astype(np.uint16)
    assert trials(deep, [LIGHT], Precision(12, 4)) == [(LIGHT, Precision(12, 4))]
    assert trials(decoded(PHOTO), [IDENTITY], Precision()) == [(IDENTITY, Precision())]


def test_a_file_names_its_lattice_and_is_smaller_for_it() -> None:
    samples = on_lattice(PHOTO_YCC, 64, 96, 2)
    options = codec.Options.only(MODEL, models_only=True, effort=Effort("", LIGHT, LIGHT))
    file, plain = codec.compress([samples, samples ^ np.uint8([0, 0, 1])], options)
    assert describe.facts(file)["blocks"] == {"MODEL (light, PhotoYCC)": 1}
    assert describe.facts(file)["stages"] == ["light"]
    assert describe.facts(plain)["blocks"] == {"MODEL (light)": 1}
    assert len(file) < len(plain)
    (back,) = codec.decompress([file], codec.Options(model_by_id=lambda _: MODEL))
    assert np.array_equal(back.samples, samples)


def test_a_lattice_takes_time_in_the_estimate() -> None:
    plain, own = (costs.payload_ns(MODEL, 20, 30, stage=LIGHT, lattice=n) for n in (NONE, JFIF))
    assert own - plain == 20 * 30 * 300 * (MODEL.n_mix + 1)
