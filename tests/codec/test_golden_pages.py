"""Golden files of pages: good ones come back for ever, damaged ones are refused, by every command."""

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pixcodecs.container import pages as container
from pixcodecs.errors import BitstreamError, UnsupportedImageError

from pixzip import codec
from pixzip.cli import main
from pixzip.codec import costs, describe
from pixzip.codec.pages import PagesOpening, compress_pages, decompress_page, decompress_pages
from pixzip.image.pages import Kind, Page, Pages
from tests.helpers import golden
from tests.helpers.fuzzing import weights_for
from tests.helpers.golden_pages import BAD_PAGES, PAGES, encoded, file_v5

OPTIONS = codec.Options(model_by_id=weights_for)
MODELS = [a for c in (1, 3) for a in ("--model", str(golden.FOLDER / f"model-{c}.safetensors"))]


def read(name: str) -> bytes:
    return (golden.FOLDER / f"{name}.pxz").read_bytes()


@pytest.mark.parametrize("name", PAGES)
def test_a_file_decodes_to_its_pages_and_is_written_the_same(name: str) -> None:
    data = read(name)
    assert decompress_pages(data, OPTIONS) == PAGES[name]
    opening = PagesOpening(data)
    assert decompress_page(opening, 2, OPTIONS) == PAGES[name].pages[2]
    again = encoded(name)
    assert again[: opening.header.size_bytes] == data[: opening.header.size_bytes] or "webp" not in name
    codec.verify(data, OPTIONS)
    facts = describe.facts(data)
    assert len(facts["pages"]) == len(PAGES[name].pages)
    assert dict(describe.lines(facts))["kind"] == PAGES[name].kind.name


@pytest.mark.parametrize("name", BAD_PAGES)
def test_a_bad_file_is_refused_with_its_message(name: str) -> None:
    with pytest.raises(BitstreamError, match=re.escape(BAD_PAGES[name].message)):
        decompress_pages(read(name), OPTIONS)


@pytest.mark.parametrize("name", BAD_PAGES)
def test_the_command_line_refuses_a_bad_file_in_one_line(name: str, tmp_path: Path) -> None:
    file, out = golden.FOLDER / f"{name}.pxz", tmp_path / "out.tif"
    found = CliRunner().invoke(main, ["decompress", str(file), "-o", str(out), *MODELS])
    assert found.exit_code == 2
    (line,) = found.stderr.splitlines()
    assert BAD_PAGES[name].message in line
    assert not [*tmp_path.iterdir()]


def test_every_truncation_and_every_flipped_byte_of_a_small_file_is_refused() -> None:
    data = file_v5()
    for end in range(0, len(data), 3):
        with pytest.raises(BitstreamError):
            decompress_pages(data[:end], OPTIONS)
    for at in range(4, len(data), 3):
        flipped = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises(BitstreamError):
            decompress_pages(flipped, OPTIONS)


def test_many_small_pages_may_not_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = read("v2-constant")
    assert len(decompress_pages(file_v5(members=[tiny] * 3), OPTIONS).pages) == 3
    monkeypatch.setattr("pixzip.codec.pages._PAGE_NS", 1_000_000_000)  # for fewer pages
    assert costs.limit_ns(1) == 50_000 * 10**6
    with pytest.raises(BitstreamError, match="would take more than 50 s"):
        decompress_pages(file_v5(members=[tiny] * 51), OPTIONS)


def test_the_places_of_members_are_added_up_once() -> None:
    header = container.read_header(file_v5())
    assert header.starts is header.starts  # otherwise reading takes time in proportion to the square of the pages


def test_fields_that_do_not_fit_are_refused_by_the_writer() -> None:
    page = Page(golden.picture("v2-grey"))
    options = codec.Options(golden.weights)
    for pages in (
        Pages(Kind.TIFF, (Page(page.picture, thumbnail=True),)),
        Pages(Kind.TIFF, (Page(page.picture, duration=(1, 2)),)),
        Pages(Kind.GIF, (Page(page.picture, duration=(1, 0)),), 9, 9, 0, bytes(4)),
        Pages(Kind.GIF, (page,), 0, 9, 0, bytes(4)),
        Pages(Kind.GIF, (page,), 9, 9, 0, b""),
    ):
        with pytest.raises(ValueError, match=r"member 0|canvas"):
            compress_pages(pages, options)
    with pytest.raises(UnsupportedImageError, match="0 pages"):
        container.pack_header(container.PagesHeader(Kind.TIFF, 0, 0, 0, b"", (), ()))


def test_a_file_that_was_verified_is_the_same() -> None:
    pages = PAGES["v5-gif"]
    options: Any = codec.Options(golden.weights, verify=True)
    data = compress_pages(pages, options)
    assert decompress_pages(data, OPTIONS) == pages
