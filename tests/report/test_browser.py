"""The report's page in a real browser: headings sort, figures equal those of report.json, nothing is fetched."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from pixzip import cli, image
from pixzip.image.picture import Layout, Picture
from tests.helpers.support import scene

BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not BROWSER, reason="no Chromium on the path: apt-get install chromium"),
]
playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: make browser")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on three images and three codecs, one of which does not hold one image."""
    folder = tmp_path_factory.mktemp("images")
    samples = scene(3, 48, 64, 3)
    noise = np.random.default_rng(5).integers(0, 256, (24, 32, 3), np.uint8)
    for name, x, layout in [
        ("photo", samples, Layout.RGB),
        ("grey <i>", samples[..., :1], Layout.GREY),
        ("noise", noise, Layout.RGB),
    ]:
        (folder / f"{name}.png").write_bytes(image.write(Picture(np.ascontiguousarray(x), layout, 8)))
    out = folder / "out"
    args = [folder, "-o", out, "--codecs", "png,qoi,pixzip-fast", "--heatmaps", 2, "--threads", 1]
    result = CliRunner().invoke(cli.main, ["bench", *map(str, args)])
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture(scope="module")
def found(report: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((report / "report.json").read_text())
    return result


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any, report: Path) -> Iterator[Any]:
    """The page on a phone's screen; the test fails on any error or request of the page."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, offline=True)
    opened = context.new_page()
    problems: list[str] = []
    requests: list[str] = []
    opened.on("console", lambda message: problems.append(message.text))
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("request", lambda request: requests.append(request.url))
    address = (report / "index.html").as_uri()
    opened.goto(address)
    yield opened
    opened.wait_for_timeout(100)
    context.close()
    assert problems == []
    assert [url for url in requests if not url.startswith("data:")] == [address]


def column(page: Any, table: str, position: int) -> list[str]:
    """The first lines of a column's cells, from the top."""
    cells = page.locator(f"#{table} tbody tr > :nth-child({position})").all_inner_texts()
    return [text.splitlines()[0] for text in cells]


def click(page: Any, table: str, position: int) -> str:
    """Click on a heading, and return the sort order that it states."""
    head = page.locator(f"#{table} thead th:nth-child({position})")
    head.locator("button").click()
    assert page.locator(f"#{table} [aria-sort]").count() == 1
    said: str = head.get_attribute("aria-sort")
    return said


def test_a_click_sorts_and_the_next_one_turns_round(page: Any, found: dict[str, Any]) -> None:
    by_ratio = [t["name"] for t in sorted(found["totals"], key=lambda t: t["ratio"])]
    assert column(page, "summary", 1) == by_ratio
    by_bytes = [f"{n:,}" for n in sorted(t["bytes"] for t in found["totals"])]
    assert click(page, "summary", 6) == "ascending"
    assert column(page, "summary", 6) == by_bytes
    assert click(page, "summary", 6) == "descending"
    assert column(page, "summary", 6) == by_bytes[::-1]
    assert click(page, "summary", 3) == "descending"
    fastest = [t["name"] for t in sorted(found["totals"], key=lambda t: -t["decode_mps"])]
    assert column(page, "summary", 1) == fastest
    assert click(page, "summary", 1) == "ascending"
    assert column(page, "summary", 1) == sorted((t["name"] for t in found["totals"]), key=str.lower)


def test_the_keyboard_sorts_too(page: Any, found: dict[str, Any]) -> None:
    button = page.locator("#summary thead th:nth-child(6) button")
    button.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    assert column(page, "summary", 6) == [f"{n:,}" for n in sorted((t["bytes"] for t in found["totals"]), reverse=True)]


def test_figures_are_those_of_the_json(page: Any, found: dict[str, Any]) -> None:
    for t in found["totals"]:
        row = page.locator(f'#summary tr[data-codec="{t["codec"]}"]')
        cells = [text.splitlines()[0] for text in row.locator("td").all_inner_texts()]
        assert (cells[0], cells[3]) == (f"{t['ratio']:.3f}", f"{t['bpsp']:.3f}")
        assert cells[4:] == [f"{t['bytes']:,}", str(t["images"])]


def test_missing_figures_stay_last_whichever_way_round(page: Any) -> None:
    heads = page.locator("#images thead th").all_inner_texts()
    position = heads.index("QOI") + 1
    for _ in range(2):
        click(page, "images", position)
        assert column(page, "images", position)[-1] == "n/a"
        assert column(page, "images", 1)[-1] == "grey <i>.png"


def test_the_table_of_images_shows_bytes_on_demand_and_stays_sorted(page: Any, found: dict[str, Any]) -> None:
    heads = page.locator("#images thead th").all_inner_texts()
    position = heads.index("PNG") + 1
    click(page, "images", position)
    page.select_option("#metric", label="bytes")
    expected = sorted(i["results"]["png"]["bytes"] for i in found["images"])
    assert column(page, "images", position) == [f"{n:,}" for n in expected]


def test_a_part_of_a_name_finds_its_rows(page: Any) -> None:
    page.fill("#filter", "OISE")
    assert page.locator("#images tbody tr:visible th").all_inner_texts() == ["noise.png"]
    assert page.locator("#shown").inner_text() == "1 of 3"


def test_the_page_is_no_wider_than_a_phone_and_its_pictures_are_there(page: Any) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate("[...document.images].map(i => i.complete && i.naturalWidth > 0)") == [True] * 4
    assert page.locator(".plots svg").count() == 2
    assert {"PNG", "QOI", "pixzip fast"} <= set(page.locator(".plots svg").first.locator("text").all_text_contents())
    assert page.locator("figcaption").first.inner_text().startswith("grey <i>.png")


def test_dark_is_dark_and_light_is_light(page: Any) -> None:
    def background() -> str:
        found: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return found

    page.emulate_media(color_scheme="light")
    assert background() == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark")
    assert background() == "rgb(15, 19, 24)"


def test_decoding_speed_is_in_view_on_a_phone(page: Any, report: Path) -> None:
    page.evaluate("document.querySelector('#summary tbody th').textContent = 'pixzip a-model-with-a-very-long-name'")
    head = page.locator("#summary thead th", has_text="Decode").bounding_box()
    assert head["x"] + head["width"] <= 390 - 16


def test_a_click_enlarges_a_pair_of_pictures_and_another_makes_it_smaller(page: Any) -> None:
    picture = page.locator("#map-1 img").nth(1)
    before = picture.bounding_box()["width"]
    page.locator("#map-1 a.pair").focus()
    page.keyboard.press("Enter")
    assert picture.bounding_box()["width"] > 2 * before
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("link", name="Make smaller").click()
    assert picture.bounding_box()["width"] == before
