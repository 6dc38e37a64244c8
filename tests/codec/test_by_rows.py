"""Pictures coded one band of tiles at a time: equal files, equal pixels, and no partial output."""

import dataclasses
import io
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from pixcodecs.container import image as container
from pixcodecs.errors import BitstreamError, PixzipError, UnsupportedImageError

from pixzip import codec, image
from pixzip.cli import main
from pixzip.codec import by_rows, encoder, tiles
from pixzip.codec.options import Options
from pixzip.engine import batching
from pixzip.image.picture import Chunk, Frame, Layout, Picture, frame_of
from pixzip.models import library
from tests.helpers import golden
from tests.helpers.support import scene

MODELS = [golden.FOLDER / f"model-{channels}.safetensors" for channels in (1, 3)]
MODEL_OF = partial(library.by_id, extra=MODELS)
PICTURES = {
    "rgb": (Layout.RGB, 8),
    "grey": (Layout.GREY, 8),
    "rgba": (Layout.RGBA, 8),
    "rgb16": (Layout.RGB, 16),
    "grey12": (Layout.GREY, 12),
    "palette": (Layout.PALETTE, 4),
}


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small tiles and batches: a small picture has many bands, and a band several batches."""
    monkeypatch.setattr(tiles, "TILE_SIDE", 24)
    monkeypatch.setattr(tiles, "WHOLE_PIXELS", 400)
    monkeypatch.setattr(batching.batches, "__defaults__", (600,))
    monkeypatch.setattr(by_rows, "LARGE_PIXELS", 1000)
    monkeypatch.setattr(encoder, "BATCH_PIXELS", 0)  # a whole picture never becomes one WebP block


def picture(name: str, height: int = 61, width: int = 50) -> Picture:
    layout, depth = PICTURES[name]
    flat = scene(max(3, layout.channels), height, width, 5)[..., : layout.channels].astype(np.uint16)
    samples = flat << depth - 8 | flat >> 3 & (1 << depth - 8) - 1 if depth > 8 else flat >> 8 - depth
    palette = bytes(range(48)) if layout is Layout.PALETTE else b""
    kind = np.uint8 if depth <= 8 else np.uint16
    metadata = (Chunk(b"tEXt", b"Title\0bands"),)
    return Picture(np.ascontiguousarray(samples.astype(kind)), layout, depth, palette, metadata=metadata)


class Rows:
    """A source of a picture's rows, band by band."""

    def __init__(self, whole: Picture) -> None:
        self.frame, self._samples, self._at = whole.frame, whole.samples, 0

    def read(self, n: int) -> Any:
        self._at += n
        return self._samples[self._at - n : self._at]


def packed(whole: Picture) -> bytes:
    out = io.BytesIO()
    by_rows.compress_rows(Rows(whole), out, Options(golden.weights))
    return out.getvalue()


@pytest.mark.parametrize("name", PICTURES)
def test_the_file_is_the_one_made_in_memory(name: str) -> None:
    whole = picture(name)
    data = packed(whole)
    assert data == codec.compress([whole], codec.Options(golden.weights))[0]
    assert len(container.read_header(data).tiles) > 4
    assert codec.decompress([data], codec.Options(model_by_id=MODEL_OF))[0] == whole


@pytest.mark.parametrize("name", PICTURES)
def test_rows_come_back_band_by_band(name: str) -> None:
    whole = picture(name)
    data = packed(whole)
    header = container.read_header(data)
    seen: list[tuple[int, int]] = []
    found = list(
        by_rows.decompress_rows(
            codec.Opening(data), Options(model_by_id=MODEL_OF), lambda done, total: seen.append((done, total))
        )
    )
    assert [len(rows) for rows in found] == [header.tile_height] * 2 + [61 - 2 * header.tile_height]
    assert np.array_equal(np.concatenate(found), whole.samples)
    assert seen[-1] == (whole.pixels, whole.pixels)
    assert frame_of(header) == whole.frame


def test_damage_is_found_in_its_band() -> None:
    data = bytearray(packed(picture("rgb")))
    data[-3] ^= 1
    found = by_rows.decompress_rows(codec.Opening(bytes(data)), Options(model_by_id=MODEL_OF))
    assert len(next(found)) > 1
    with pytest.raises(BitstreamError, match=r"block of tile \d+ damaged"):
        list(found)
    with pytest.raises(BitstreamError, match="truncated"):
        codec.Opening(bytes(data[:-1]))


def test_another_picture_fails_the_check() -> None:
    whole = picture("rgb")
    data = packed(whole)
    by_rows.check_rows(codec.Opening(data), Rows(whole), Options(model_by_id=MODEL_OF))
    samples = whole.samples.copy()
    samples[40, 3, 1] ^= 1
    with pytest.raises(PixzipError, match="the file decodes to another picture"):
        by_rows.check_rows(
            codec.Opening(data), Rows(dataclasses.replace(whole, samples=samples)), Options(model_by_id=MODEL_OF)
        )
    with pytest.raises(PixzipError, match="the file decodes to another picture"):
        by_rows.check_rows(
            codec.Opening(data), Rows(dataclasses.replace(whole, metadata=())), Options(model_by_id=MODEL_OF)
        )


def test_a_picture_too_wide_for_the_format_is_refused() -> None:
    wide = Rows(picture("rgb"))
    wide.frame = Frame(70000, 2, Layout.RGB, 8)
    with pytest.raises(UnsupportedImageError, match="70000"):
        by_rows.compress_rows(wide, io.BytesIO(), Options(golden.weights))


def run(*arguments: object) -> Any:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("name", ["rgb", "grey", "rgb16"])
def test_the_command_line_codes_large_files_in_bands(
    name: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = picture(name)
    source, file, back = (tmp_path / n for n in ("in" + suffix, "in.pxz", "back" + suffix))
    source.write_bytes(image.write(whole, suffix))
    loaded = image.load(source).picture
    model = MODELS[0] if name == "grey" else MODELS[1]
    monkeypatch.setattr(image, "load", None)  # fail if the whole image is read
    monkeypatch.setattr(codec, "compress", None)
    monkeypatch.setattr(codec, "decompress", None)
    done = run("compress", source, "-o", file, "--model", model, "--verify", "-q")
    assert (done.exit_code, done.stderr) == (0, "" if suffix == ".png" else done.stderr)
    done = run("decompress", file, "-o", back, "--model", model)
    assert done.exit_code == 0, done.stderr
    monkeypatch.undo()
    assert image.load(back).picture == loaded
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([source.name, file.name, back.name])


def test_stripped_large_files_have_no_metadata(tmp_path: Path) -> None:
    source, file = tmp_path / "in.png", tmp_path / "in.pxz"
    source.write_bytes(image.write(picture("rgb")))
    assert run("compress", source, "-o", file, "--model", MODELS[1], "--strip", "--verify").exit_code == 0
    assert not container.read_header(file.read_bytes()).extras


def test_nothing_is_written_of_a_large_file_that_fails(tmp_path: Path) -> None:
    source, file, back = tmp_path / "in.png", tmp_path / "in.pxz", tmp_path / "out.png"
    good = image.write(picture("rgb"))
    source.write_bytes(good[:-40])
    done = run("compress", source, "-o", file, "--model", MODELS[1])
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    source.write_bytes(good)
    assert run("compress", source, "-o", file, "--model", MODELS[1]).exit_code == 0
    data = bytearray(file.read_bytes())
    data[-3] ^= 1
    file.write_bytes(data)
    done = run("decompress", file, "-o", back, "--model", MODELS[1])
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.png", "in.pxz"]


def test_standard_output_gets_a_large_file_whole(tmp_path: Path) -> None:
    source, file = tmp_path / "in.png", tmp_path / "in.pxz"
    source.write_bytes(image.write(picture("rgb")))
    done = run("compress", source, "-o", "-", "--model", MODELS[1])
    file.write_bytes(done.stdout_bytes)
    back = run("decompress", file, "-o", "-", "--model", MODELS[1])
    assert image.load(back.stdout_bytes).picture == picture("rgb")
