"""Every record that an encoder keeps is one by which a reader rebuilds the original with its default limits."""

import io
from collections.abc import Iterator

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pixcodecs.container.limits import LIFT
from pixcodecs.errors import BitstreamError

from pixzip import codec, image, originals
from pixzip.codec import costs, decoder, original
from pixzip.codec.options import Options
from pixzip.originals import Reason
from tests.helpers import golden, image_files
from tests.helpers.image_files import pillow
from tests.helpers.support import scene

OPTIONS = Options(golden.weights, {m.model_id: m for m in map(golden.weights, (1, 3))}.__getitem__)
_WEBP = io.BytesIO()
Image.fromarray(scene(3, 60, 80, 1)).save(_WEBP, "WEBP", lossless=True, quality=100, method=6)
#: Name -> file whose rebuilding is bounded in another way: by work that is announced, and by time.
FILES = {
    "zopfli": image_files.recoded(pillow(image_files.RGB, "PNG"), image_files.zopfli),
    "patch of a stream of zopfli": image_files.recoded(
        pillow(image_files.RGB, "PNG"), lambda data: image_files.zopfli(data) + b"more"
    ),
    "libdeflate": image_files.recoded(
        pillow(image_files.RGB, "PNG"), lambda data: bytes(imagecodecs.deflate_encode(data, 12))
    ),
    "zlib": pillow(image_files.RGB, "PNG"),
    "a library": _WEBP.getvalue(),
    "a GIF": pillow(image_files.GREY, "GIF"),
    "strips": pillow(image_files.RGB, "TIFF", compression="tiff_lzw"),
}
RECORDS = {
    name: originals.make(io.BytesIO(file), originals.of_picture(image.load(file).picture), 400)
    for name, file in FILES.items()
}


def limited(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(costs, "SMALL_NS", int(seconds * 1e9))


def limits(seconds: float) -> Iterator[float]:
    """Limits around what a record takes."""
    for factor in (0.01, 0.5, 0.99, 1.01, 2, 100):
        yield factor * seconds


@pytest.mark.parametrize("name", FILES)
def test_what_is_kept_is_accepted_whatever_the_limit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file, record, reasons = FILES[name], RECORDS[name], set()
    assert record.is_kept, record.why_not
    (plain,) = codec.compress([image.load(file).picture], OPTIONS)
    opening = codec.Opening(plain)
    models = codec.finding.find_models([opening], OPTIONS)
    spent = sum(decoder.tile_ns(opening, i, models) for i in range(len(opening.header.tiles))) / 1e9
    for seconds in limits(record.rebuild_s):
        limited(monkeypatch, min(5 * seconds, seconds + spent))  # which allows so many seconds to rebuild
        packed, found = original.with_record(plain, record, len(file), OPTIONS)
        reasons.add(found.reason)
        if found.is_kept:
            again, out = codec.Opening(packed), io.BytesIO()
            original.rebuild(again, image.load(file).picture, OPTIONS, out)
            assert out.getvalue() == file
        else:
            assert found.reason is Reason.TIME
            assert "byte for byte" not in found.why_not
    assert reasons == {None, Reason.TIME}


def test_readers_refuse_what_the_encoder_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bounds of both are the same: a record that is just too long is refused."""
    record, file = RECORDS["zopfli"], FILES["zopfli"]
    picture = image.load(file).picture
    (plain,) = codec.compress([picture], OPTIONS)
    packed, _ = original.with_record(plain, record, len(file), OPTIONS)
    limited(monkeypatch, record.rebuild_s / 2)
    with pytest.raises(BitstreamError, match="rebuilding the original takes more than") as refused:
        original.check(codec.Opening(packed), picture, OPTIONS)
    assert LIFT in str(refused.value)


def test_images_for_which_readers_lift_the_limits_keep_every_record(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = image.load(FILES["zopfli"]).picture
    (plain,) = codec.compress([picture], OPTIONS)
    limited(monkeypatch, 0)
    assert original.with_record(plain, RECORDS["zopfli"], 1000, OPTIONS)[1].reason is Reason.TIME
    monkeypatch.setattr(original, "MAX_PIXELS", picture.pixels - 1)
    assert original.with_record(plain, RECORDS["zopfli"], 1000, OPTIONS)[1].is_kept


def test_a_reader_may_be_some_times_as_slow() -> None:
    """What no estimate bounds counts as several times of what it took here."""
    for name in ("zlib", "strips"):
        assert 0 < RECORDS[name].rebuild_s < 5
    noise = np.random.default_rng(0).integers(0, 256, (300, 300), np.uint8)
    file = pillow(noise, "PNG")
    record = originals.make(io.BytesIO(file), originals.of_picture(image.load(file).picture))
    assert record.rebuild_s > RECORDS["zlib"].rebuild_s
