"""The codecs of `pixzip bench`: each restores its pictures, a lossy one is detected, and totals add up."""

import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pixcodecs.errors import ModelMismatchError, PixzipError

import pixzip
from pixzip import codec, image
from pixzip.image import colours
from pixzip.image.picture import Layout, Picture, Samples
from pixzip.image.sources import Source
from pixzip.models import library
from pixzip.report import codecs, images, measure
from pixzip.report.codecs import MeasuredCodec
from tests.helpers.pictures import picture
from tests.helpers.reports import LAYOUTS, RGB, lossy, of_layout
from tests.helpers.support import scene


@pytest.fixture(scope="module")
def everything() -> dict[str, MeasuredCodec]:
    return {codec.codec_id: codec for codec in codecs.select(["all"], 1)}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("codec_id", codecs.known())
def test_a_codec_gives_back_what_it_says_it_holds(
    everything: dict[str, MeasuredCodec], codec_id: str, layout: Layout
) -> None:
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


def test_codecs_say_what_they_lack(everything: dict[str, MeasuredCodec]) -> None:
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


@pytest.mark.parametrize(
    ("given", "codec_id", "name", "model"),
    [
        ("pixzip-e1", "pixzip-e1", "pixzip e1", "fast"),
        ("pixzip-e9", "pixzip-e9", "pixzip e9", "large"),
        ("pixzip-base-e7", "pixzip-base-e7", "pixzip base e7", "base"),
        ("pixzip-base-e5", "pixzip-base-e5", "pixzip base e5", "base"),
        ("pixzip-base", "pixzip-base", "pixzip base", "base"),
        ("pixzip-fast-grey-e1", "pixzip-fast-grey-e1", "pixzip fast-grey e1", "fast-grey"),
    ],
)
def test_an_id_says_model_and_effort(given: str, codec_id: str, name: str, model: str) -> None:
    (found,) = codecs.select([given], 1)
    assert (found.codec_id, found.name) == (codec_id, name)
    assert library.find(model).model_id.hex() in found.settings
    assert codecs.model_of(given) == codecs.model_of(codec_id) == model


@pytest.mark.parametrize("effort", [1, 7])
def test_an_effort_is_that_of_the_command(effort: int) -> None:
    picture = codec.as_picture(scene(3, 70, 80, 2))
    for codec_id, options in ((f"pixzip-e{effort}", {}), (f"pixzip-fast-e{effort}", {"model": "fast"})):
        (own,) = codecs.select([codec_id], 1)
        assert own.encode(picture) == pixzip.encode(scene(3, 70, 80, 2), effort=effort, device="cpu", **options)


def failing() -> MeasuredCodec:
    def encode(given: Picture) -> bytes:
        raise RuntimeError("no\nmemory")

    return MeasuredCodec("failing", "Failing", "", encode, lambda data: RGB.samples)


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


def measured(*chosen: MeasuredCodec) -> list[dict[str, Any]]:
    """The rows of an RGB, a grey and a 16-bit image."""
    sources = [
        Source(name, lambda given=given: image.write(given))  # type: ignore[misc]
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
    def codec(codec_id: str) -> MeasuredCodec:
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
    assert np.array_equal(found.samples, colours.colours(given))
    assert images.load(image.write(of_layout(Layout.RGB, 16)), None) == of_layout(Layout.RGB, 16)
