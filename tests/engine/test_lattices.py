"""Both stages with lattices of colours: the compiled loop and tensors compute what the format says."""

from dataclasses import replace

import numpy as np
import pytest
from pixcodecs.coders.registry import RANGE, RANS
from pixcodecs.container.blocks import Precision

from pixzip.engine.backends.numba import coding, loop
from pixzip.engine.backends.torch.engine import TensorEngine
from pixzip.engine.base import Job
from pixzip.engine.batch import Samples
from pixzip.engine.order import to_coding_order
from pixzip.engine.stages.base import Identity
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.engine.wavefront import SteppedEngine
from pixzip.models.wavefront.lattices import JFIF, NONE, PHOTO_YCC
from tests.engine import test_full, test_light
from tests.engine.conftest import FEW
from tests.engine.test_light import engine, inverse
from tests.helpers.lattices import on_lattice
from tests.helpers.support import noise
from tests.oracles.light import Light


def image(number: int, height: int = 9, width: int = 14, changed: float = 0.3) -> Samples:
    """(H, W, 3) in coding order, partly on the lattice."""
    return np.ascontiguousarray(to_coding_order(on_lattice(number, height, width, 1, changed), engine(3).model.order))


def jobs_of(stage: Identity, coder: object = RANGE) -> list[Job]:
    """Images on either lattice, on the other one, and on none."""
    found = [(image(JFIF), JFIF), (image(PHOTO_YCC), PHOTO_YCC), (image(JFIF, 5, 8), NONE), (noise(3, 7, 9, 1), JFIF)]
    return [
        Job.encoding(x, stage=stage, coder=coder, precision=Precision(lattice=lattice)) for x, lattice in found
    ]  # fmt: skip


@pytest.mark.parametrize("number", [JFIF, PHOTO_YCC])
def test_frequencies_payloads_and_state_are_those_of_the_format(number: int, few: None) -> None:
    for samples in (image(number), image(3 - number, 5, 9), noise(3, 6, 7, 2)):
        light = test_light.check(engine(3), samples, Precision(lattice=number), FEW)
        full = test_full.check(engine(3), samples, FEW, number)
        assert light.uses[0].any()
        assert np.array_equal(light.uses, full.uses)
    assert light.uses[1].sum() == 0  # noise hardly repeats two channels
    assert test_light.check(engine(3), image(number), Precision(lattice=number), FEW).uses[1].any()


def test_classes_of_both_kinds_are_halved(few: None) -> None:
    samples = np.ascontiguousarray(np.tile(image(JFIF, 3, 4), (2, 3, 1)))
    own, (job,) = engine(3), [Job.encoding(samples, stage=LIGHT, precision=Precision(lattice=JFIF))]
    oracle = Light(own.model, samples, job.precision, FEW)
    part = coding.Part(own.model.config, own.operands, [job], loop.MEASURE, 1)
    for state in (oracle.hits, oracle.uses, part.wavefront.mixtures.colours.hits, part.wavefront.mixtures.colours.uses):
        state += 1023
    for _ in oracle.steps():
        part.advance(1, 1)
        test_light.check_state(part.wavefront, oracle)
    assert (oracle.uses < 1023).any(1).all()


@pytest.mark.parametrize("stage", [LIGHT, FULL], ids=["light", "full"])
def test_payloads_are_the_same_alone_together_by_steps_and_in_tensors(stage: Identity, few: None) -> None:
    own, tensors = engine(3), TensorEngine(engine(3).model, backend="float32")
    for coder in (RANGE, RANS) if stage == LIGHT else (RANGE,):
        jobs = jobs_of(stage, coder)
        payloads = own.encode(jobs)
        assert [own.encode([job])[0] for job in jobs] == payloads
        assert tensors.encode(jobs) == payloads
        if stage == LIGHT:
            assert SteppedEngine.encode(own, jobs) == payloads
        without = own.encode([replace(job, precision=Precision()) for job in jobs])
        assert [a == b for a, b in zip(payloads, without, strict=True)] == [False, False, True, False]
        for by in (own, tensors):
            back = by.decode(inverse(jobs, payloads))
            assert all(np.array_equal(x, job.known) for x, job in zip(back, jobs, strict=True))
    maps = own.nll_maps(jobs)
    assert all(np.allclose(a, b) for a, b in zip(maps, tensors.nll_maps(jobs), strict=True))


def test_a_lattice_saves_bits_where_colours_are_on_it() -> None:
    samples = image(PHOTO_YCC, 64, 64, 0)
    jobs = [Job.encoding(samples, stage=LIGHT, precision=Precision(lattice=n)) for n in (NONE, PHOTO_YCC)]
    none, own = (bits.sum() for bits in engine(3).nll_maps(jobs))
    assert own < 0.97 * none
