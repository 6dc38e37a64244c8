"""Fixtures of the engines' tests."""

from collections.abc import Iterator

import pytest
from pixcodecs import threads

from pixzip.models.wavefront import colours

#: Pixels from which tests of small images remember colours.
FEW = 30


@pytest.fixture
def any_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Threads meet in every step, even of small images."""
    monkeypatch.setattr("pixzip.engine.backends.numba.coding.SEGMENT_PIXELS", 20)
    monkeypatch.setattr("pixzip.engine.backends.numba.coding._ROUND_PIXELS", 30)
    monkeypatch.setattr("pixzip.engine.backends.numba.pace.PIXELS_PER_THREAD", 1)
    before = threads.get_threads()
    yield
    threads.set_threads(before)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small images remember their colours."""
    monkeypatch.setattr(colours, "LEAST_PIXELS", FEW)
