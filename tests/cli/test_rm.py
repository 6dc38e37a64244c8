"""`--rm`: an original is removed only if the output decodes to its full content."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from pixzip import codec, image
from pixzip.cli.work import originals
from pixzip.codec import decoder
from pixzip.io import files, streams
from tests.cli.test_pages import FILES
from tests.helpers import jpegs
from tests.helpers.shell import RGB, bad, good, names, pixels, read, run


def test_originals_go_and_come_back(shipped: Path) -> None:
    before = {name: read(shipped / name) for name in ("rgb.png", "grey.png")}
    good("compress", "rgb.png", "grey.png", "--rm")
    assert {"rgb.png", "grey.png"}.isdisjoint(names(shipped))
    good("decompress", "rgb.png.pxz", "grey.png.pxz", "--rm")
    assert not list(shipped.glob("*.pxz"))
    for name, x in before.items():
        assert np.array_equal(read(shipped / name), x)


@pytest.mark.usefixtures("large")
def test_large_originals_go_and_come_back(shipped: Path) -> None:
    good("compress", "rgb.png", "--rm", "-v")
    assert "rgb.png" not in names(shipped)
    good("decompress", "rgb.png.pxz", "--rm=pixels", "-o", "back.tif")
    assert "rgb.png.pxz" not in names(shipped)
    assert np.array_equal(read(shipped / "back.tif"), RGB)


def test_keep_is_what_happens_without_rm_and_what_it_says(shipped: Path) -> None:
    good("compress", "rgb.png")
    good("compress", "rgb.png", "--rm", "--keep", "-f")
    assert "rgb.png" in names(shipped)


@pytest.mark.parametrize("large_ones", [False, True])
def test_an_output_that_does_not_read_back_is_taken_back_and_the_original_stays(
    shipped: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, large_ones: bool
) -> None:
    """Simulates a disk that returns other bytes than were written."""
    if large_ones:
        request.getfixturevalue("large")
    write = files.write

    def damaged(target: str, data: Any, force: bool, *args: Any, **options: Any) -> None:
        write(target, data, force, *args, **options)
        found = bytearray(Path(target).read_bytes())
        found[-1] ^= 1
        Path(target).write_bytes(found)

    before = names(shipped)
    monkeypatch.setattr(files, "write", damaged)
    bad("compress", "rgb.png", "--rm", words="rgb.png: ")
    assert names(shipped) == before


@pytest.fixture
def kinds(shipped: Path) -> Path:
    """Files that are decompressed in different ways, in `packed`."""
    (shipped / "packed").mkdir()
    (shipped / "pages.tif").write_bytes(FILES["scan.tif"])
    (shipped / "moving.gif").write_bytes(FILES["c.gif"])
    (shipped / "photo.jpg").write_bytes(jpegs.jpeg())
    good("compress", "rgb.png", "pages.tif", "photo.jpg", "-o", "packed")
    for name in ("rgb.png", "pages.tif", "moving.gif"):
        good("compress", name, "--no-original", "-o", f"packed/plain-{name}.pxz")
    return shipped


def lose(monkeypatch: pytest.MonkeyPatch, cut: str) -> None:
    """Simulate a disk that loses what is written, or half of it."""
    write = files.write

    def losing(target: str, *args: Any, **options: Any) -> None:
        write(target, *args, **options)
        found = Path(target).read_bytes()
        Path(target).write_bytes(found[: len(found) // 2])
        if cut == "gone":
            Path(target).unlink()

    monkeypatch.setattr(files, "write", losing)


#: File -> the output that is written.
KINDS = {
    "rgb.png": "x.png", "pages.tif": "x.tif", "photo.jpg": "x.jpg",
    "plain-rgb.png": "x.png", "plain-pages.tif": "x.tif", "plain-moving.gif": "x.gif",
}  # fmt: skip


@pytest.mark.parametrize("cut", ["half", "gone"])
@pytest.mark.parametrize("name", KINDS)
def test_a_file_whose_output_is_cut_off_stays_and_the_output_is_taken_back(
    kinds: Path, monkeypatch: pytest.MonkeyPatch, name: str, cut: str
) -> None:
    lose(monkeypatch, cut)
    bad("decompress", f"packed/{name}.pxz", "-o", KINDS[name], "--rm", words="verification failed: ")
    assert (kinds / "packed" / f"{name}.pxz").exists()
    assert KINDS[name] not in names(kinds)


@pytest.mark.parametrize("cut", ["half", "gone"])
@pytest.mark.parametrize("name", ["rgb.png", "pages.tif", "moving.gif", "photo.jpg", "large"])
def test_an_original_whose_file_is_cut_off_stays_and_the_file_is_taken_back(
    kinds: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, name: str, cut: str
) -> None:
    if name == "large":
        request.getfixturevalue("large")
        name = "rgb.png"
    lose(monkeypatch, cut)
    bad("compress", name, "--rm", words="verification failed: ")
    assert name in names(kinds)
    assert f"{name}.pxz" not in names(kinds)


@pytest.mark.usefixtures("large")
def test_a_large_file_whose_output_is_cut_off_stays(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good("compress", "rgb.png", "--no-original")
    write = files.write

    def losing(target: str, *args: Any, **options: Any) -> None:
        write(target, *args, **options)
        Path(target).write_bytes(Path(target).read_bytes()[:-60])

    monkeypatch.setattr(files, "write", losing)
    bad("decompress", "rgb.png.pxz", "--rm", "-o", "x.tif", words="verification failed: ")
    assert names(shipped).count("x.tif") == 0
    assert "rgb.png.pxz" in names(shipped)


def test_pages_that_are_others_in_the_output_are_an_error(kinds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = files.write

    def other(target: str, data: Any, *args: Any, **options: Any) -> None:
        write(target, FILES["scan.tif"].replace(second, second[::-1], 1), *args, **options)

    second = image.load_pages(FILES["scan.tif"], None).pages.pages[1].picture.samples.tobytes()  # type: ignore[union-attr]
    assert FILES["scan.tif"].count(second) == 1
    monkeypatch.setattr(files, "write", other)
    words = "verification failed: what was written has other pages; the output is taken back"
    bad("decompress", "packed/plain-pages.tif.pxz", "-o", "x.tif", "--rm", words=words)
    assert "x.tif" not in names(kinds)


def test_an_output_that_decodes_to_another_picture_is_taken_back(
    shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good("compress", "grey.png")
    before = names(shipped)
    wrong = decoder.Decoded(codec.as_picture(RGB ^ 1))
    monkeypatch.setattr(decoder, "decode_files", lambda *args, **options: [wrong])
    bad("compress", "rgb.png", "--rm", words="verification failed")
    assert names(shipped) == before
    loaded = image.load(image.write(codec.as_picture(RGB)))
    monkeypatch.setattr(image, "load", lambda *args: loaded)
    bad("decompress", "grey.png.pxz", "--rm=pixels", "-o", "x.tif", words="verification failed")
    assert names(shipped) == before


@pytest.mark.parametrize(
    "options",
    [
        ("compress", "rgb.png", "--strip"),
        ("compress", "rgb.png", "-o", "-"),
        ("compress", "-"),
        ("compress", "rgb.png", "--stack"),
        ("compress", "rgb.png", "--dry-run"),
        ("decompress", "rgb.png.pxz", "--salvage"),
        ("decompress", "rgb.png.pxz", "--region", "0,0,1,1"),
        ("decompress", "rgb.png.pxz", "-o", "-"),
        ("decompress", "-"),
    ],
)
def test_what_contradicts_it_is_wrong_usage_and_nothing_is_done(shipped: Path, options: tuple[str, ...]) -> None:
    good("compress", "rgb.png")
    before = names(shipped)
    result = run(*options, "-f", "--rm", data=b"")
    assert result.exit_code == 2
    assert "Usage: " in result.stderr
    assert "--rm" in result.stderr.splitlines()[-1]
    assert names(shipped) == before


def kept(folder: Path, *args: object, name: str, why: str, rm: str = "--rm=pixels") -> None:
    """Check that the output is written and the original is kept, without an error."""
    result = good(*args, rm)
    assert f"pixzip: {name}: warning: original kept: {why}\n" in result.stderr
    assert (folder / name).exists()


def test_originals_that_hold_more_are_kept(shipped: Path) -> None:
    with_more = (shipped / "rgb.png").read_bytes() + b"more"
    (shipped / "more.png").write_bytes(with_more)
    result = good("compress", "more.png", "--rm=pixels", "--no-original")
    assert "would be lost" in result.stderr
    assert (shipped / "more.png").read_bytes() == with_more
    assert (shipped / "more.png.pxz").exists()


def test_originals_coded_with_loss_are_kept(shipped: Path) -> None:
    flat = Image.fromarray(np.full((16, 16, 3), 90, np.uint8))
    flat.save(shipped / "a.jpg")
    flat.save(shipped / "a.webp", lossless=False)
    flat.save(shipped / "b.webp", lossless=False, exif=Image.Exif(), xmp=b"<x/>")
    flat.save(shipped / "lossless.webp", lossless=True)
    tifffile.imwrite(shipped / "a.tif", np.asarray(flat), compression="jpeg")
    for name, form in {"a.jpg": "a JPEG", "a.webp": "a lossy WebP", "b.webp": "a lossy WebP"}.items():
        kept(shipped, "compress", "--pixels", name, name=name, why=f"it is {form}, whose own bytes do not come back")
    with streams.Input(str(shipped / "a.tif")) as source:
        assert originals.why_kept(source, [], "pixels").startswith("it is a TIFF with JPEG inside")
    good("compress", "lossless.webp", "--rm")
    assert not (shipped / "lossless.webp").exists()


def test_a_link_is_kept(shipped: Path) -> None:
    (shipped / "link.png").symlink_to("rgb.png")
    kept(shipped, "compress", "link.png", name="link.png", why="it is a link")


def test_a_format_that_drops_metadata_keeps_the_original(shipped: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "someone")
    Image.fromarray(RGB).save(shipped / "a.png", pnginfo=text)
    good("compress", "a.png", "--rm")
    kept(shipped, "decompress", "a.png.pxz", "-o", "a.ppm", name="a.png.pxz", why="tEXt would be lost")
    good("decompress", "a.png.pxz", "--rm")
    with Image.open(shipped / "a.png") as back:
        assert back.info["Author"] == "someone"


def test_a_format_that_holds_the_samples_in_another_form_keeps_the_original(shipped: Path) -> None:
    made = Image.fromarray(pixels(5, 6) // 20, "P")
    made.putpalette([0, 0, 0, 9, 9, 9, 200, 0, 0])
    made.save(shipped / "p.png")
    good("compress", "p.png")
    why = ".tif holds the same samples in another form"  # its palette has four entries
    kept(shipped, "decompress", "p.png.pxz", "-o", "p.tif", name="p.png.pxz", why=why)


def test_an_original_that_changes_meanwhile_is_kept(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = files.write

    def late(target: str, *args: Any, **options: Any) -> None:
        write(target, *args, **options)
        os.utime(shipped / "rgb.png", (1e9, 1e9))

    monkeypatch.setattr(files, "write", late)
    kept(shipped, "compress", "rgb.png", name="rgb.png", why="it has changed meanwhile")


def test_what_is_up_to_date_is_not_removed(shipped: Path) -> None:
    good("compress", "rgb.png", "grey.png")
    why = "outputs that were up to date are not compared: -f --rm codes them again"
    result = good("compress", "rgb.png", "grey.png", "--rm", "--json")
    assert result.stderr == f"pixzip: 2 originals kept: {why}\n"
    *entries, last = map(json.loads, result.stdout.splitlines())
    assert [(entry["status"], entry["original_kept"]) for entry in entries] == [("skipped", why)] * 2
    assert last["total"]["originals_kept"] == 2
    assert {"rgb.png", "grey.png"} <= set(names(shipped))
    assert good("compress", "rgb.png", "grey.png", "--rm", "-q").stderr == ""
    assert "originals_kept" not in good("compress", "rgb.png", "grey.png", "--json").stdout
    good("compress", "rgb.png", "grey.png", "--rm", "-f")
    assert {"rgb.png", "grey.png"}.isdisjoint(names(shipped))


def test_an_original_that_cannot_be_removed_is_an_error_and_the_output_stays(
    shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = Path.unlink

    def refused(self: Path, missing_ok: bool = False) -> None:
        if self.name == "rgb.png":
            raise PermissionError(13, "Permission denied")
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", refused)
    bad("compress", "rgb.png", "--rm", words="rgb.png: Permission denied")
    assert (shipped / "rgb.png.pxz").exists()


def test_a_stack_is_not_removed(shipped: Path) -> None:
    good("compress", "--stack", "rgb.png", "-o", "s.pxz")
    bad("decompress", "s.pxz", "-o", "out", "--rm", words="s.pxz: a stack of images stays")
    assert (shipped / "s.pxz").exists()
    assert not (shipped / "out").exists()
