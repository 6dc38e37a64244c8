"""Golden stacks: good ones must be read and written identically for ever, damaged ones refused."""

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from pixcodecs.container import stack as stacks

from pixzip.cli import main
from pixzip.codec.options import Options
from pixzip.codec.stack import decompress_stack
from tests.codec.test_golden import EXTRA, weights_for
from tests.helpers import golden
from tests.helpers.golden_stacks import BAD_STACKS, STACKS


@pytest.mark.parametrize("name", STACKS)
def test_a_golden_stack_decodes_to_its_images(name: str) -> None:
    found = decompress_stack((golden.FOLDER / f"{name}.pxz").read_bytes(), Options(model_by_id=weights_for))
    assert found.names == STACKS[name].names
    assert len(found.images) == len(STACKS[name].images)
    assert all(map(np.array_equal, found.images, STACKS[name].images))


@pytest.mark.parametrize("name", STACKS)
def test_encoding_gives_the_golden_payload(name: str) -> None:
    made, kept = STACKS[name].file(), (golden.FOLDER / f"{name}.pxz").read_bytes()
    assert stacks.payload(made, stacks.read_header(made)) == stacks.payload(kept, stacks.read_header(kept))
    if not STACKS[name].names:  # the bytes of names depend on zlib and liblzma
        assert made == kept


@pytest.mark.parametrize("name", BAD_STACKS)
def test_a_bad_stack_is_refused_with_its_message(name: str, tmp_path: Path) -> None:
    bad, file, out = BAD_STACKS[name], golden.FOLDER / f"{name}.pxz", tmp_path / "out"
    with pytest.raises(bad.error, match=re.escape(bad.message)) as found:
        decompress_stack(file.read_bytes(), Options(model_by_id=weights_for))
    assert found.type is bad.error
    models = [argument for path in EXTRA for argument in ("--model", str(path))]
    result = CliRunner().invoke(main, ["decompress", str(file), "-o", str(out), *models])
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"pixzip: {file}: ")
    assert bad.message in line
    assert not [*tmp_path.iterdir()]
