"""A terminal shows a message when kernels are compiled."""

from collections.abc import Iterator
from pathlib import Path

import numba
import numpy as np
import pytest

from pixzip.cli import progress
from pixzip.cli.work import compiling

LINE = "pixzip: compiling kernels for this machine, once: some tens of seconds\n"


@pytest.fixture(autouse=True)
def not_yet_said() -> Iterator[None]:
    compiling._say.cache_clear()
    yield
    compiling._say.cache_clear()


def kernel(x: np.ndarray) -> int:
    return x[0] + 1


@pytest.mark.parametrize("terminal", [True, False])
def test_compiling_is_said_once_and_only_on_a_terminal(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pixzip.io.streams.is_terminal", lambda: terminal)
    compiled = numba.njit(kernel)
    with progress.Bar("working"):
        assert compiled(np.ones(1, np.uint8)) == 2
        assert compiled(np.ones(1, np.int64)) == 2
    with progress.Bar("working"):
        assert compiled(np.ones(1, np.int32)) == 2
    assert capsys.readouterr().err == LINE * terminal


def test_kernels_from_the_cache_are_loaded_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pixzip.io.streams.is_terminal", lambda: True)
    monkeypatch.setattr(numba.core.config, "CACHE_DIR", str(tmp_path))
    for expected in (LINE, ""):
        compiling._say.cache_clear()
        with progress.Bar("working"):
            numba.njit(kernel, cache=True)(np.ones(1, np.uint8))
        assert capsys.readouterr().err == expected
