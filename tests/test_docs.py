"""The commands in the documentation work as they are typed, one after another in one folder."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixzip.models import library
from pixzip.report import codecs
from tests.conftest import ROOT
from tests.helpers.shell import run
from tests.helpers.support import scene

PAGES = ["README.md", "docs/shell.md", "docs/recipes.md"]


def commands(page: Path) -> list[list[str]]:
    """The arguments of every `pixzip` line in the page's shell blocks, without the program's name."""
    blocks = re.findall(r"^```\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("pixzip ")]
    found = [shlex.split(line, comments=True) for line in lines]
    return [words[1 : words.index("|") if "|" in words else None] for words in found]


@pytest.fixture
def inputs(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the pages name; `fast` is shipped too, and `bench` measures two codecs."""
    shutil.copy(library.WEIGHTS / "base.safetensors", library.WEIGHTS / "fast.safetensors")
    monkeypatch.setattr(codecs, "_KNOWN", {name: codecs._KNOWN[name] for name in ("png", "pixzip-e5")})
    photo = Image.new("RGB", (520, 520), "teal")  # of one colour, which is quick
    small = scene(3, 12, 14, 2)
    for folder in ("FOLDER/below", "photos/2019"):
        (shipped / folder).mkdir(parents=True)
    for name in ("FOLDER/a.png", "FOLDER/below/b.png", "photos/a.png"):
        Image.fromarray(small).save(shipped / name)
    photo.save(shipped / "photo.png")
    photo.save(shipped / "photos" / "2019" / "scan.tif")
    photo.save(shipped / "pages.tif", save_all=True, append_images=[Image.fromarray(small)])
    photo.save(shipped / "dance.gif", save_all=True, append_images=[Image.new("RGB", (520, 520), "red")])
    np.save(shipped / "FOLDER_OR.npy", small[None])
    assert run("compress", "photo.png", "-o", "broken.pxz").exit_code == 0
    return shipped


@pytest.mark.usefixtures("inputs")
@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_work_in_its_order(page: str) -> None:
    found = commands(ROOT / page)
    assert len(found) > 6
    for words in found:
        result = run(*words)
        assert result.exit_code == 0, f"pixzip {shlex.join(words)}: {result.output}"
        assert result.exception is None or isinstance(result.exception, SystemExit)


def test_no_page_or_message_installs_from_an_index_that_lacks_pixzip() -> None:
    files = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").iterdir()]
    files += [*(ROOT / "pixzip").rglob("*.py"), *(ROOT / "pixzip").rglob("*.md")]
    texts = {file: file.read_text() for file in files if file.suffix in (".md", ".py", ".sh")}
    assert not [file for file, text in texts.items() if re.search(r"pip (install|download) ['\"]?pixzip", text)]
