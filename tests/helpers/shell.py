"""Run the command line in this process, and check the result."""

from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from pixzip import codec, image
from pixzip.cli import main


def pixels(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 50, shape, dtype=np.uint8)


def read(source: bytes | Path) -> NDArray[Any]:
    """The samples of an image file."""
    return codec.as_array(image.load(source, None).picture)


RGB, GREY = pixels(9, 12, 3), pixels(7, 10)


def run(*args: object, data: bytes | None = None) -> Result:
    return CliRunner().invoke(main, [str(a) for a in args], input=data)


def good(*args: object, data: bytes | None = None) -> Result:
    result = run(*args, data=data)
    assert result.exit_code == 0, result.output
    return result


def bad(*args: object, words: str, data: bytes | None = None) -> Result:
    """Run a command that must exit with code 2 and print one line per problem, with the program's name."""
    result = run(*args, data=data)
    assert result.exit_code == 2, (result.output, result.exception)
    assert words in result.stderr
    assert all(line.startswith("pixzip: ") for line in result.stderr.splitlines())
    return result


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())
