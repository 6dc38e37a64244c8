"""Frequencies of the PixelRNN family equal those of a slow integer reference for any parameters."""

from fractions import Fraction
from itertools import pairwise
from math import floor
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from pixzip.engine.family import FamilyEngine
from pixzip.models.family import arithmetic
from pixzip.models.family.heads import LogisticMixture, Softmax
from pixzip.models.family.weights import fixed
from tests.helpers.family import tiny

TABLES = {name: [int(v) for v in table] for name, table in arithmetic.tables(arithmetic.SHAPES).items()}
TENSORS = arithmetic.as_tensors(arithmetic.tables(arithmetic.SHAPES))
TOTAL = 1 << 20
#: Ends of the range and of the clamps (raw scales -4 to 4, factors within 4, means -63.5 to 318.5), and single steps.
EXTREMES = [-1024, 1024, 0, -4, 4, 2.0**-12, -(2.0**-12), 191 / 128, -191 / 128, 3, -0.5, 16]
mixtures = pytest.mark.parametrize("coupled", [False, True])


def bounded(value: Fraction, low: int, high: int) -> Fraction:
    return min(max(value, Fraction(low)), Fraction(high))


def exponentials(logits: list[Fraction]) -> list[int]:
    """exp(logit - largest), looked up at the nearest of 512 entries per unit; halves round up."""
    top = max(logits)
    return [TABLES["exp"][min(floor((top - x) * 512 + Fraction(1, 2)), 16 * 512)] for x in logits]


def softmax(logits: list[Fraction]) -> list[int]:
    """Frequencies: one for each level, plus a share of the rest."""
    e = exponentials(logits)
    below = [sum(e[:k]) * (TOTAL - len(e)) // sum(e) + k for k in range(len(e) + 1)]
    return [b - a for a, b in pairwise(below)]


def normalised(weights: list[int]) -> list[int]:
    """Normalise to a sum of 2^16: IEEE 754 quotients of doubles, with the remainder added to the first largest."""
    out = [floor(w * (1 << 16) / sum(weights)) for w in weights]
    out[weights.index(max(weights))] += (1 << 16) - sum(out)
    return out


def distribution(level: int, mean: Fraction, log_scale: Fraction) -> int:
    """The logistic distribution function half a level below, in units of 2^-24, with linear interpolation."""
    scale = Fraction(TABLES["scale"][floor((6 - log_scale) * 512 + Fraction(1, 2))], 1 << 24)
    z = bounded((level - Fraction(1, 2) - mean) * scale, -16, 16)
    entry, part = divmod(floor((z + 16) * 64 * 1024), 1024)
    table = [*TABLES["logistic"], TABLES["logistic"][-1]]
    return table[entry] + (table[entry + 1] - table[entry]) * part // 1024


def mixture(params: list[list[Fraction]], known: list[int], n_mix: int, coupled: bool) -> list[int]:
    """Frequencies of channel `len(known)` under a pixel's parameters."""

    def component(c: int, j: int) -> tuple[Fraction, Fraction]:
        own = params[c]
        mean = own[n_mix + j] * 128 + Fraction(255, 2)
        for i in range(c if coupled else 0):
            mean += bounded(own[(3 + i) * n_mix + j], -4, 4) * (known[i] - Fraction(255, 2))
        return bounded(mean, -64, 255 + 64), bounded(own[2 * n_mix + j] + 2, -2, 6)

    weights = exponentials((params[0] if coupled else params[len(known)])[:n_mix])
    for c, value in enumerate(known if coupled else []):
        weights = normalised(weights)
        for j in range(n_mix):
            low = 0 if value == 0 else distribution(value, *component(c, j))
            high = 1 << 24 if value == 255 else distribution(value + 1, *component(c, j))
            weights[j] *= high - low + 1
    weights = normalised(weights)
    below = [0]
    for level in range(1, 256):
        parts = [w * distribution(level, *component(len(known), j)) for j, w in enumerate(weights)]
        below.append((sum(parts) >> 20) * (TOTAL - 256) // TOTAL + level)
    below.append(TOTAL)
    return [b - a for a, b in pairwise(below)]


def drawn(rng: np.random.Generator, shape: tuple[int, ...], spread: float) -> Tensor:
    """Draw fixed-point parameters: some from a normal distribution, some from the extremes."""
    normal = np.floor(rng.normal(0, spread, shape) * 4096) / 4096
    extreme = np.array(EXTREMES)[rng.integers(len(EXTREMES), size=shape)]
    return torch.from_numpy(np.where(rng.random(shape) < 0.3, extreme, normal))


def as_fractions(values: Tensor) -> list[Fraction]:
    return [Fraction(v) for v in values.tolist()]


def frequencies(head: Any, params: Tensor, known: Tensor) -> NDArray[np.int64]:
    below = head.below(params, known, TENSORS)(torch.arange(head.levels + 1, dtype=torch.float64)[None])
    assert (below == below.round()).all()
    return below.diff(dim=1).numpy().astype(np.int64)


def check_sums(freqs: NDArray[np.int64]) -> None:
    assert freqs.min() >= 1
    assert (freqs.sum(1) == TOTAL).all()


@pytest.mark.parametrize("levels", [2, 256])
@settings(max_examples=15)
@given(st.integers(0, 2**32), st.sampled_from([0.01, 1.0, 30.0]))
def test_softmax_frequencies_are_those_of_the_reference(levels: int, seed: int, spread: float) -> None:
    params = drawn(np.random.default_rng(seed), (3, 1, levels), spread)
    found = frequencies(Softmax(levels, 1), params, torch.zeros(3, 0))
    check_sums(found)
    for row, freqs in zip(params, found, strict=True):
        assert freqs.tolist() == softmax(as_fractions(row[0]))


def test_coupled_softmax_adds_a_row_for_each_channel_before() -> None:
    rng = np.random.default_rng(1)
    head = Softmax(256, 3, coupled=True).double()
    for shift in head.shifts:
        shift.data = drawn(rng, (256, 256), 1.0)
    params = drawn(rng, (4, 3, 256), 1.0)
    known = torch.from_numpy(rng.integers(0, 256, (4, 2)).astype(np.float64))
    found = frequencies(head.requires_grad_(False), params, known)
    check_sums(found)
    for row, (r, g), freqs in zip(params, known.long().tolist(), found, strict=True):
        rows = [as_fractions(values) for values in (row[2], head.shifts[1][r], head.shifts[2][g])]
        assert freqs.tolist() == softmax([sum(x, Fraction(0)) for x in zip(*rows, strict=True)])


@mixtures
@pytest.mark.parametrize("n_mix", [1, 3])
@settings(max_examples=6)
@given(st.integers(0, 2**32), st.sampled_from([0.3, 2.0, 30.0]), st.integers(0, 2))
def test_mixture_frequencies_are_those_of_the_reference(
    coupled: bool, n_mix: int, seed: int, spread: float, channel: int
) -> None:
    rng = np.random.default_rng(seed)
    head = LogisticMixture(256, 3, n_mix, coupled)
    params = drawn(rng, (2, channel + 1, head.n_params), spread)
    known = rng.choice([0, 1, 127, 128, 254, 255, *rng.integers(0, 256, 6)], (2, channel))
    found = frequencies(head, params, torch.from_numpy(known.astype(np.float64)))
    check_sums(found)
    for row, values, freqs in zip(params, known.tolist(), found, strict=True):
        expected = mixture([as_fractions(p) for p in row], values, n_mix, coupled)
        assert freqs.tolist() == expected


@mixtures
def test_no_parameters_give_a_level_nothing_or_a_row_another_sum(coupled: bool) -> None:
    rng = np.random.default_rng(2)
    n = 2000
    for head in (LogisticMixture(256, 3, 4, coupled), Softmax(256, 3, coupled).double().requires_grad_(False)):
        for channel in range(3):
            extreme = np.array(EXTREMES)[rng.integers(len(EXTREMES), size=(n, 3, head.n_params))]
            known = rng.choice([0.0, 255.0, 128.0], (n, channel))
            check_sums(frequencies(head, torch.from_numpy(extreme)[:, : channel + 1], torch.from_numpy(known)))
        same = torch.full((1, 3, head.n_params), -1024.0, dtype=torch.float64)
        check_sums(frequencies(head, same, torch.zeros(1, 2, dtype=torch.float64)))


@mixtures
@pytest.mark.parametrize("kind", ["softmax", "mixture"])
def test_frequencies_are_the_probabilities_of_training(kind: str, coupled: bool) -> None:
    rng = np.random.default_rng(3)
    head: Any
    head = Softmax(256, 3, coupled).double() if kind == "softmax" else LogisticMixture(256, 3, 4, coupled)
    params = torch.from_numpy(np.round(rng.normal(0, 0.7, (200, 3, head.n_params)) * 4096) / 4096)
    known = torch.zeros(200, 0, dtype=torch.float64)
    with torch.no_grad():
        for c in range(2):  # plausible values: far out, the component is undetermined
            cdf = head.pmf(params[:, : c + 1], known).cumsum(1)
            drawn_at = torch.from_numpy(rng.random((200, 1))) * cdf[:, -1:]
            known = torch.cat([known, torch.searchsorted(cdf, drawn_at).clamp(max=255).double()], 1)
        pmf = head.pmf(params, known)
        found = torch.from_numpy(frequencies(head, params, known)) / TOTAL
    # 2^-20 for every level is one error; the rest is that of table look-ups
    assert float((found - pmf).abs().sum(1).max()) < 0.02
    assert float((pmf * (pmf / found).clamp(min=1e-300).log2()).sum(1).mean()) < 1e-3


@pytest.mark.parametrize("levels", [2, 256])
def test_an_engine_codes_bins_and_places_whose_frequencies_add_up(levels: int) -> None:
    changes = {"levels": 2} if levels == 2 else {"head": "mixture", "n_mix": 2}
    network = FamilyEngine(fixed(tiny("pixelcnn-1", channels=1, **changes))).network
    rng, head = np.random.default_rng(4), network.model.head
    params = drawn(rng, (50, 1, head.n_params), 2.0)
    values = torch.from_numpy(rng.integers(0, levels, 50).astype(np.float64))
    no = torch.zeros(50, 0, dtype=torch.float64)
    whole = frequencies(head, params, no)
    below = head.below(params, no, network.tables)
    first = network.rows(below, None)
    assert first.dtype == np.float32
    if levels == 2:
        assert np.array_equal(first, whole)
        return
    bins = torch.floor(values / 16)
    assert np.array_equal(first, whole.reshape(50, 16, 16).sum(2))
    second = network.rows(below, bins * 16)
    assert second.dtype == np.float32
    assert np.array_equal(second, whole.reshape(50, 16, 16)[np.arange(50), bins.long().numpy()])
