"""Golden files that keep a JPEG: good ones must give it for ever, damaged ones are refused."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from pixcodecs.container import kept as container
from pixcodecs.errors import BitstreamError

from pixzip.cli import main
from pixzip.codec import kept
from tests.helpers import golden
from tests.helpers.golden_kept import BAD_KEPT, KEPT


@pytest.mark.parametrize("name", KEPT)
def test_a_golden_file_gives_its_jpeg(name: str) -> None:
    file = (golden.FOLDER / f"{name}.pxz").read_bytes()
    assert kept.restore(file) == (golden.FOLDER / f"{name}.jpg").read_bytes()
    assert container.read_header(file).method is KEPT[name].method


@pytest.mark.parametrize("name", BAD_KEPT)
def test_a_bad_file_is_refused_with_its_message(name: str, tmp_path: Path) -> None:
    bad, file, out = BAD_KEPT[name], golden.FOLDER / f"{name}.pxz", tmp_path / "out.jpg"
    with pytest.raises(BitstreamError, match=re.escape(bad.message)):
        kept.restore(file.read_bytes())
    result = CliRunner().invoke(main, ["decompress", str(file), "-o", str(out)])
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"pixzip: {file}: ")
    assert bad.message in line
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("name", BAD_KEPT)
def test_what_is_left_of_a_bad_file_is_salvaged_and_said_to_be_damaged(name: str, tmp_path: Path) -> None:
    bad, file, out = BAD_KEPT[name], golden.FOLDER / f"{name}.pxz", tmp_path / "out.jpg"
    result = CliRunner().invoke(main, ["decompress", str(file), "-o", str(out), "--salvage"])
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    if isinstance(bad.salvaged, str):
        assert bad.salvaged in line
        assert not [*tmp_path.iterdir()]
    else:
        assert line.endswith(f"; {len(bad.salvaged)} bytes that may be right are written")
        assert out.read_bytes() == bad.salvaged
