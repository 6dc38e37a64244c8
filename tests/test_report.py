"""`pixzip bench`: every codec gives its pictures back, one that does not is found out, totals add up."""

import base64
import dataclasses
import io
import json
import re
import tarfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from pixcodecs.errors import ModelMismatchError, PixzipError

from pixzip import cli, cli_bench, image, library
from pixzip.picture import Layout, Picture, Samples
from pixzip.report import codecs, heat, images, measure, page, plot
from pixzip.report.codecs import Codec
from tests.pictures import picture
from tests.support import scene

LAYOUTS = [Layout.GREY, Layout.GREY_ALPHA, Layout.RGB, Layout.RGBA]
RGB = Picture(scene(3, 32, 40, 1).transpose(1, 2, 0).copy(), Layout.RGB, 8)


def of_layout(layout: Layout, depth: int) -> Picture:
    """A smooth picture whose alpha, if it has one, hides colours that must come back all the same."""
    samples = scene(layout.channels, 32, 40, 7).transpose(1, 2, 0).astype(np.uint16) << depth - 8
    if layout in (Layout.GREY_ALPHA, Layout.RGBA):
        samples[:9, :, -1] = 0
    return Picture(np.ascontiguousarray(samples, np.uint8 if depth == 8 else np.uint16), layout, depth)


@pytest.fixture(scope="module")
def everything() -> dict[str, Codec]:
    return {codec.codec_id: codec for codec in codecs.select(["all"], 1)}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("codec_id", codecs.known())
def test_a_codec_gives_back_what_it_says_it_holds(everything: dict[str, Codec], codec_id: str, layout: Layout) -> None:
    if codec_id not in everything:
        pytest.skip(f"{codec_id} is not installed")
    for depth in (8, 10, 12, 16):
        given = of_layout(layout, depth)
        found = measure.round_trip(everything[codec_id], given)
        expected = measure.UNSUPPORTED if everything[codec_id].lacks(given) else measure.LOSSLESS
        assert found["status"] == expected, (depth, found)
        if expected == measure.LOSSLESS:
            assert found["lossless"]
            assert found["bpsp"] == 8 * found["bytes"] / given.samples.size
            assert min(found["encode_s"], found["decode_s"]) > 0


def test_codecs_say_what_they_lack(everything: dict[str, Codec]) -> None:
    lacking = {
        (codec_id, layout.name, depth)
        for codec_id, codec in everything.items()
        for layout in LAYOUTS
        for depth in (8, 16)
        if codec.lacks(of_layout(layout, depth))
    }
    deep = {(c, layout.name, 16) for c in ("webp", "avif", "qoi") for layout in LAYOUTS}
    grey = {("qoi", layout, 8) for layout in ("GREY", "GREY_ALPHA")}
    assert lacking == deep | grey | {("jpegls", "GREY_ALPHA", 8), ("jpegls", "GREY_ALPHA", 16)}


def test_pillow_stands_in_for_a_missing_qoi(monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing:
        available = False

    monkeypatch.setattr(codecs.imagecodecs, "QOI", Missing)
    codec = codecs.qoi()
    assert codec.settings == "Pillow"
    assert measure.round_trip(codec, RGB)["status"] == measure.LOSSLESS


def test_what_is_not_installed_is_left_out_and_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing:
        available = False

    monkeypatch.setattr(codecs.imagecodecs, "AVIF", Missing)
    assert "avif" not in {codec.codec_id for codec in codecs.select(["all"], 1)}
    with pytest.raises(PixzipError, match="avif is not in this build"):
        codecs.select(["png", "avif"], 1)


def test_names_of_models_mean_the_same_with_both_separators_and_paths_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    path.write_bytes(library.shipped_paths()["fast"].read_bytes())
    found = codecs.select(["pixzip:fast", "pixzip-fast", f"pixzip:{path}"], 1)
    assert [(c.codec_id, c.name) for c in found] == [("pixzip-fast", "pixzip fast"), (f"pixzip:{path}", "pixzip mine")]
    assert measure.round_trip(found[1], RGB)["status"] == measure.LOSSLESS
    with pytest.raises(ModelMismatchError, match="no model 'other'"):
        codecs.select(["pixzip-other"], 1)
    with pytest.raises(PixzipError, match="no codec 'gif': there are png, webp, jxl-e3"):
        codecs.select(["gif"], 1)


def lossy(codec_id: str = "lossy") -> Codec:
    """Changes one sample of the last row."""

    def decode(data: bytes) -> Samples:
        samples: Samples = np.load(io.BytesIO(data))
        samples[-1, 0, 0] ^= 1
        return samples

    def encode(given: Picture) -> bytes:
        out = io.BytesIO()
        np.save(out, given.samples)
        return out.getvalue()

    return Codec(codec_id, "Lossy", "", encode, decode)


def failing() -> Codec:
    def encode(given: Picture) -> bytes:
        raise RuntimeError("no\nmemory")

    return Codec("failing", "Failing", "", encode, lambda data: RGB.samples)


def test_one_changed_sample_is_not_lossless() -> None:
    found = measure.round_trip(lossy(), RGB)
    assert (found["status"], found["lossless"]) == (measure.LOSSY, False)
    exact = dataclasses.replace(lossy(), decode=lambda data: np.load(io.BytesIO(data)))
    assert measure.round_trip(exact, RGB)["status"] == measure.LOSSLESS


@pytest.mark.parametrize(
    ("found", "layout", "expected"),
    [
        (np.zeros((4, 5), np.uint8), Layout.GREY, True),
        (np.zeros((4, 5, 3), np.uint8), Layout.GREY, True),
        (np.zeros((4, 5, 4), np.uint8), Layout.GREY, False),  # not opaque
        (np.zeros((4, 5, 3), np.uint8), Layout.GREY_ALPHA, False),
        (np.zeros((5, 4), np.uint8), Layout.GREY, False),
        (np.zeros((4, 5), np.uint16), Layout.GREY, False),
        (np.zeros((4, 5, 3), np.uint8), Layout.RGBA, False),
        (np.zeros((4, 5, 4), np.uint8), Layout.RGBA, True),
    ],
)
def test_same_is_the_same_for_a_viewer(found: Samples, layout: Layout, expected: bool) -> None:
    assert measure.same(found, Picture(np.zeros((4, 5, layout.channels), np.uint8), layout, 8)) is expected


def test_opaque_alpha_may_stay_away() -> None:
    samples = np.dstack([RGB.samples, np.full(RGB.samples.shape[:2], 255, np.uint8)])
    assert measure.same(RGB.samples, Picture(samples, Layout.RGBA, 8))
    samples[0, 0, 3] = 254
    assert not measure.same(RGB.samples, Picture(samples, Layout.RGBA, 8))


def measured(*chosen: Codec) -> list[dict[str, Any]]:
    """Rows of an RGB, a grey and a 16-bit image."""
    sources = [
        images.Source(name, lambda given=given: image.write(given))  # type: ignore[misc]
        for name, given in [("rgb", RGB), ("grey", of_layout(Layout.GREY, 8)), ("deep", of_layout(Layout.RGB, 16))]
    ]
    rows, skipped = measure.measure(sources, chosen)
    assert not skipped
    return rows


def test_totals_are_sums_over_what_a_codec_holds_and_ratios_over_what_both_do() -> None:
    chosen = [codecs.png(), codecs.qoi(), codecs.webp(), lossy(), failing()]
    rows = measured(*chosen)
    reference, found = measure.totals(rows, chosen)
    assert reference == "png"  # which holds most images
    png, qoi, webp, bad, broken = found
    sizes = {row["image"]: {key: o.get("bytes") for key, o in row["results"].items()} for row in rows}
    assert (png["images"], qoi["images"], webp["images"], bad["images"], broken["images"]) == (3, 1, 2, 0, 0)
    assert png["bytes"] == sum(of["png"] for of in sizes.values())
    assert png["bpsp"] == 8 * png["bytes"] / (32 * 40 * (3 + 1 + 3))
    assert png["encode_s"] == sum(row["results"]["png"]["encode_s"] for row in rows)
    assert png["decode_mps"] == pytest.approx(3 * 32 * 40 / 1e6 / png["decode_s"])
    assert webp["ratio"] == (sizes["rgb"]["webp"] + sizes["grey"]["webp"]) / (
        sizes["rgb"]["png"] + sizes["grey"]["png"]
    )
    assert (qoi["ratio"], qoi["ratio_images"]) == (sizes["rgb"]["qoi"] / sizes["rgb"]["png"], 1)
    assert (bad["not_lossless"], broken["failed"], webp["unsupported"], qoi["unsupported"]) == (3, 3, 1, 2)
    assert "bytes" not in bad
    assert rows[0]["results"]["failing"] == {"status": "failed", "reason": "no memory"}


def test_ratios_are_to_jpeg_xl_at_effort_9_or_to_the_smallest_peer() -> None:
    def codec(codec_id: str) -> Codec:
        return dataclasses.replace(codecs.png(), codec_id=codec_id)

    sizes = {"png": 9, "qoi": 12, "pixzip-fast": 5, "jxl-e9": 10}
    results = {c: {"status": measure.LOSSLESS, "bytes": n, "encode_s": 1, "decode_s": 1} for c, n in sizes.items()}
    row = {"width": 1, "height": 2, "channels": 3, "results": results}
    for chosen, reference in [
        (["png", "jxl-e9", "pixzip-fast"], "jxl-e9"),
        (["qoi", "png", "pixzip-fast"], "png"),
        (["pixzip-fast"], "pixzip-fast"),
    ]:
        found, rows = measure.totals([row], [codec(c) for c in chosen])
        assert found == reference
        assert [t["ratio"] for t in rows] == [sizes[c] / sizes[reference] for c in chosen]


def test_times_are_medians_of_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([5.0, 1.0, 2.0, 2.0, 3.0, 9.0])
    monkeypatch.setattr(measure, "timed", lambda function, *args: (function(*args), next(seconds)))
    found = measure.round_trip(codecs.qoi(), RGB, repeats=3)
    assert (found["encode_s"], found["decode_s"]) == (3.0, 2.0)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_few_bits_are_stretched_to_eight(depth: int) -> None:
    given = picture(Layout.GREY, depth)
    found = images.load(image.write(given), None)
    assert (found.layout, found.depth) == (Layout.GREY, 8)
    assert np.array_equal(found.samples, given.samples * (255 // (2**depth - 1)))


def test_palettes_become_their_colours_and_depths_stay() -> None:
    given = picture(Layout.PALETTE, 4, transparency=b"\0\7")
    found = images.load(image.write(given), None)
    assert (found.layout, found.depth, found.palette, found.transparency) == (Layout.RGBA, 8, b"", b"")
    assert np.array_equal(found.samples, images.colours(given))
    assert images.load(image.write(of_layout(Layout.RGB, 16)), None) == of_layout(Layout.RGB, 16)


#: Of a tar's member, for no file system takes them all.
HOSTILE = ["a/</script><script>alert('1')</script>.png", 'b/"><img src=x onerror="alert(2)">é.png', "c/{{ 7*7 }}.png"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images, one of them below, a file that is none, and one that pretends to be."""
    (tmp_path / "set" / "below").mkdir(parents=True)
    (tmp_path / "set" / "rgb.png").write_bytes(image.write(RGB))
    (tmp_path / "set" / "below" / "grey.PNG").write_bytes(image.write(of_layout(Layout.GREY, 8)))
    (tmp_path / "set" / "notes.txt").write_text("none")
    return tmp_path / "set"


@pytest.fixture
def tar(tmp_path: Path) -> Path:
    with tarfile.open(tmp_path / "set.tar", "w") as out:
        for name in reversed(HOSTILE):
            body = image.write(RGB)
            member = tarfile.TarInfo(name)
            member.size = len(body)
            out.addfile(member, io.BytesIO(body))
    return tmp_path / "set.tar"


def run(out: Path, *args: object) -> Result:
    return CliRunner().invoke(cli.main, ["bench", "-o", str(out), "--threads", "1", *map(str, args)])


def read(out: Path) -> tuple[dict[str, Any], str]:
    return json.loads((out / "report.json").read_text()), (out / "index.html").read_text()


def test_a_report_of_a_folder(tmp_path: Path, folder: Path) -> None:
    (folder / "false.png").write_bytes(b"no image")
    result = run(tmp_path / "out", folder, "--codecs", "png,jxl-e3,pixzip-fast", "--heatmaps", 1)
    assert result.exit_code == 2
    assert "pixzip: false.png: " in result.stderr
    found, text = read(tmp_path / "out")
    assert [i["image"] for i in found["images"]] == ["below/grey.PNG", "rgb.png"]
    assert [s["image"] for s in found["skipped"]] == ["false.png"]
    assert [t["name"] for t in found["totals"]] == ["PNG", "JPEG XL e3", "pixzip fast"]
    assert found["reference"] == "jxl-e3"
    assert found["command"].startswith("pixzip bench")
    assert found["versions"]["libjxl"]
    assert set(found["models"]) == {"fast"}
    assert [h["image"] for h in found["heatmaps"]["images"]] == ["below/grey.PNG"]
    assert text.count("<svg") == 2
    assert text.count('src="data:image/') == 2
    for t in found["totals"]:
        assert f"{t['bytes']:,}" in text
        assert f"{t['ratio']:.3f}" in result.stdout


def test_a_page_needs_nothing_from_elsewhere(tmp_path: Path, folder: Path) -> None:
    assert run(tmp_path / "out", folder, "--codecs", "png,qoi", "--heatmaps", 0).exit_code == 0
    text = read(tmp_path / "out")[1]
    assert not re.findall(r"https?:|//[a-z]|@import", text.replace("// ", ""))
    attributes = re.findall(r'\b(?:src|href)="([^"]*)"', text)
    assert attributes
    assert all(a.startswith(("data:", "#")) for a in attributes)
    assert "default-src 'none'" in text


class _Reader(HTMLParser):
    """Which elements a page has, and the names of its images."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.names: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if dict(attrs).get("scope") == "row":
            self.names.append(dict(attrs)["data-value"])


def test_hostile_names_are_text_and_nothing_else(tmp_path: Path, tar: Path) -> None:
    assert run(tmp_path / "out", tar, "--codecs", "qoi,png", "--heatmaps", 0).exit_code == 0
    found, text = read(tmp_path / "out")
    assert [i["image"] for i in found["images"]] == HOSTILE
    heats = [heat.heat(name, RGB, np.ones((32, 40), np.float32)) for name in HOSTILE]
    found["skipped"] = [{"image": name, "reason": name} for name in HOSTILE]
    found["images"][0]["results"]["qoi"] = {"status": "failed", "reason": HOSTILE[0]}
    found["codecs"][0]["name"] = found["totals"][0]["name"] = HOSTILE[0]
    for written in (text, page.render(found, heats)):
        reader = _Reader(written)
        assert reader.names[2:] == HOSTILE
        assert reader.tags.count("script") == 2
        assert reader.handlers == []
        assert reader.tags.count("img") in (0, 6)
    assert "{{ 7*7 }}" in text


def test_limit_and_names_of_codecs(tmp_path: Path, tar: Path) -> None:
    assert run(tmp_path / "out", tar, "--codecs", "png", "--heatmaps", 0, "--limit", 2).exit_code == 0
    assert len(read(tmp_path / "out")[0]["images"]) == 2
    result = run(tmp_path / "other", tar, "--codecs", "gif")
    assert result.exit_code == 2
    assert "no codec 'gif': there are png, " in result.stderr
    listed = CliRunner().invoke(cli.main, ["bench", "--list"])
    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(codecs.known())


def test_a_report_that_is_there_is_not_overwritten(tmp_path: Path, folder: Path) -> None:
    args = (folder, "--codecs", "qoi,png", "--heatmaps", 0)
    assert run(tmp_path / "out", *args).exit_code == 0
    before = read(tmp_path / "out")
    again = run(tmp_path / "out", *args)
    assert again.exit_code == 2
    assert "-f overwrites it" in again.stderr
    assert read(tmp_path / "out") == before
    assert run(tmp_path / "out", *args, "-f").exit_code == 0
    assert read(tmp_path / "out") != before


def test_an_interrupt_leaves_no_report(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(page, "render", interrupted)
    assert run(tmp_path / "out", folder, "--codecs", "png", "--heatmaps", 0).exit_code != 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["set"]


def test_without_images_there_is_no_report(tmp_path: Path, folder: Path) -> None:
    for path, expected in [(folder / "nowhere", "does not exist"), (folder / "notes.txt", "can be measured")]:
        result = run(tmp_path / "out", path, "--codecs", "png")
        assert result.exit_code == 2
        assert expected in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_model_of_ours_that_changes_an_image_is_our_fault(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codecs, "pixzip", lambda model, device: lossy(f"pixzip-{model}"))
    result = run(tmp_path / "out", folder, "--codecs", "png,pixzip-fast", "--heatmaps", 0)
    assert result.exit_code == 1
    assert "pixzip: Lossy: not lossless on 2 image(s)" in result.stderr
    assert "2 not lossless" in read(tmp_path / "out")[1]


def test_a_missing_library_is_named_with_the_extra(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_bench, "find_spec", lambda name: None if name == "jinja2" else object())
    result = run(tmp_path / "out", folder)
    assert result.exit_code == 2
    assert result.stderr == "pixzip: bench needs jinja2: pip install 'pixzip[report]'\n"


def test_a_map_is_as_bright_as_the_bits_it_stands_for() -> None:
    bits = np.zeros((1000, 2000), np.float32)
    bits[:, 1000:] = 11
    found = heat.heat("wide", Picture(np.zeros((1000, 2000, 1), np.uint16), Layout.GREY, 16), bits)
    assert found.bits.shape == (320, 640)
    assert (found.mean, float(found.bits.mean())) == (5.5, 5.5)
    top = heat.scale_top([found])
    assert top == 12
    body = heat.map_uri(found.bits, top).removeprefix("data:image/png;base64,")
    with Image.open(io.BytesIO(base64.b64decode(body))) as opened:
        levels = np.asarray(opened)
    assert (levels[:, :320] == 0).all()
    assert (levels[:, 320:] == round(11 / 12 * 255)).all()


def test_names_in_a_plot_do_not_overlap() -> None:
    crowd = [plot.Point(f"codec {i}", 1 + 0.3 * i, 1 + 0.01 * (i % 3), i == 0) for i in range(8)]
    figure = plot.rate_speed([plot.Panel("t", [*crowd, plot.Point("far", 300, 2, False)], "x", "y")])
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 9
    overlaps = [(i, j) for i in range(9) for j in range(i) if boxes[i].overlaps(boxes[j])]
    assert overlaps == []
