"""Measure codecs on pictures: every file is decoded and compared, and totals count exact results only."""

import gc
import time
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any

import numpy as np
from pixcodecs.errors import ModelMismatchError, PixzipError, UnsupportedImageError

from pixzip import codec as pxz
from pixzip.image.picture import Picture, Samples
from pixzip.image.sources import Source
from pixzip.report import images as report_images
from pixzip.report.codecs import REFERENCE, MeasuredCodec

LOSSLESS, LOSSY, UNSUPPORTED, FAILED = "lossless", "not lossless", "unsupported", "failed"
#: Result of a codec on an image: {"status": ...}, with "reason" for the last two statuses, figures for the others.
Outcome = dict[str, Any]
#: Exceptions of libraries.
_ERRORS = (PixzipError, ValueError, TypeError, RuntimeError, OSError, MemoryError)


def timed(function: Callable[..., Any], *args: Any) -> tuple[Any, float]:
    """(result, seconds) of a call with the garbage collector off."""
    gc.disable()
    try:
        start = time.perf_counter()
        result = function(*args)
        return result, time.perf_counter() - start
    finally:
        gc.enable()


def same(found: Samples, picture: Picture) -> bool:
    """Whether decoded samples equal the picture's.

    Grey may be decoded as equal R, G and B, and fully opaque alpha may be omitted.

    Args:
        found: (H, W) or (H, W, C).
    """
    expected = picture.samples
    if found.dtype != expected.dtype or found.shape[:2] != expected.shape[:2]:
        return False
    found = found.reshape(*expected.shape[:2], -1)
    if found.shape == expected.shape:
        return np.array_equal(found, expected)
    opaque = np.full_like(expected[..., :1], 2**picture.depth - 1)
    if found.shape[2] < 3:
        found = np.concatenate([found[..., :1]] * 3 + [found[..., 1:]], 2)
    if expected.shape[2] < 3:
        expected = np.concatenate([expected[..., :1]] * 3 + [expected[..., 1:]], 2)
    found, expected = (np.concatenate([x, opaque], 2) if x.shape[2] == 3 else x for x in (found, expected))
    return np.array_equal(found, expected)


def round_trip(codec: MeasuredCodec, picture: Picture, repeats: int = 1) -> Outcome:
    """Encode and decode a picture: seconds are medians, "bpsp" is bits per sub-pixel, headers included."""
    if lacks := codec.lacks(picture):
        return {"status": UNSUPPORTED, "reason": f"{codec.name} {lacks}"}
    encode_s, decode_s = [], []
    try:
        for _ in range(repeats):
            data, seconds = timed(codec.encode, picture)
            encode_s.append(seconds)
            found, seconds = timed(codec.decode, data)
            decode_s.append(seconds)
            whole = same(found, picture)
            if not whole:
                break
    except (ModelMismatchError, UnsupportedImageError) as e:
        return {"status": UNSUPPORTED, "reason": str(e)}
    except _ERRORS as e:
        return {"status": FAILED, "reason": " ".join(str(e).split()) or type(e).__name__}
    return {
        "status": LOSSLESS if whole else LOSSY,
        "lossless": whole,
        "bytes": len(data),
        "bpsp": 8 * len(data) / picture.samples.size,
        "encode_s": median(encode_s),
        "decode_s": median(decode_s),
    }


def warm_up(codecs: Sequence[MeasuredCodec], channels: int = 3) -> None:
    """Load models, compile kernels and start threads, to encode and to decode."""
    ramp = np.add.outer(np.arange(48), np.arange(64))[..., None] * np.arange(1, channels + 1)
    picture = pxz.as_picture(ramp.astype(np.uint8))
    for codec in codecs:
        codec.prepare(picture)
        round_trip(codec, picture)


def measure(
    sources: Iterable[Source],
    codecs: Sequence[MeasuredCodec],
    *,
    limit: int | None = None,
    repeats: int = 1,
    max_pixels: int | None = None,
    seen: Callable[[str, Picture], None] = lambda name, picture: None,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Run every codec on every image; one image is in memory at a time.

    Args:
        limit: largest number of images; None for all.
        max_pixels: skip larger images; None lifts the limit.
        seen: called with each image's name and picture.
        progress: called with the number of round trips so far, including those of skipped files.
    Returns:
        {"image", "width", "height", "channels", "depth", "source_bytes", "results": {codec id: outcome}} for each
        image, and {"image", "reason"} for each skipped file.
    """
    rows: list[dict[str, Any]] = []
    skipped: list[dict[str, str]] = []
    for source in sources:
        if len(rows) == limit:
            break
        before = (len(rows) + len(skipped)) * len(codecs)
        try:
            data = source.read()
            picture = report_images.load(data, max_pixels)
        except (PixzipError, OSError, MemoryError) as e:
            skipped.append({"image": source.name, "reason": " ".join(str(e).split()) or type(e).__name__})
            progress(before + len(codecs))
            continue
        seen(source.name, picture)
        results = {}
        for i, codec in enumerate(codecs):
            results[codec.codec_id] = round_trip(codec, picture, repeats)
            progress(before + i + 1)
        rows.append(
            {
                "image": source.name,
                "width": picture.width,
                "height": picture.height,
                "channels": picture.layout.channels,
                "depth": picture.depth,
                "source_bytes": len(data),
                "results": results,
            }
        )
    return rows, skipped


def totals(images: Sequence[dict[str, Any]], codecs: Sequence[MeasuredCodec]) -> tuple[str, list[dict[str, Any]]]:
    """The reference codec for ratios, and sums over the images that each codec restored exactly.

    Args:
        images: dicts with "width", "height", "channels" and "results": {codec id: outcome}.
    Returns:
        The reference's id, and a row for each codec; codecs without an image have only names and "images" = 0.
        "ratio" is that of the bytes on the "ratio_images" images that both codecs hold.
    """
    reference = _reference(images, codecs)
    return reference, [{**_total(images, c.codec_id, reference), "codec": c.codec_id, "name": c.name} for c in codecs]


def _held(images: Sequence[dict[str, Any]], *codec_ids: str) -> list[dict[str, Any]]:
    """The images that all of these codecs restored exactly."""
    return [i for i in images if all(i["results"][c]["status"] == LOSSLESS for c in codec_ids)]


def _reference(images: Sequence[dict[str, Any]], codecs: Sequence[MeasuredCodec]) -> str:
    """JPEG XL's slowest effort; else, among the peers that hold the most images, the one with the smallest files."""
    found = {c.codec_id: _held(images, c.codec_id) for c in codecs}
    if found.get(REFERENCE):
        return REFERENCE
    peers = [c.codec_id for c in codecs if not c.ours] or list(found)
    most = max(len(found[c]) for c in peers)
    return min((c for c in peers if len(found[c]) == most), key=lambda c: _bytes(found[c], c))


def _bytes(images: Sequence[dict[str, Any]], codec_id: str) -> int:
    return sum(i["results"][codec_id]["bytes"] for i in images)


def _total(images: Sequence[dict[str, Any]], codec_id: str, reference: str) -> dict[str, Any]:
    held = _held(images, codec_id)
    total: dict[str, Any] = {"images": len(held)}
    for status in (LOSSY, UNSUPPORTED, FAILED):
        if count := sum(i["results"][codec_id]["status"] == status for i in images):
            total[status.replace(" ", "_")] = count
    if not held:
        return total
    pixels = sum(i["width"] * i["height"] for i in held)
    encode_s, decode_s = (sum(i["results"][codec_id][key] for i in held) for key in ("encode_s", "decode_s"))
    total |= {
        "megapixels": pixels / 1e6,
        "bytes": _bytes(held, codec_id),
        "bpsp": 8 * _bytes(held, codec_id) / sum(i["width"] * i["height"] * i["channels"] for i in held),
        "encode_s": encode_s,
        "decode_s": decode_s,
        "encode_mps": pixels / encode_s / 1e6,
        "decode_mps": pixels / decode_s / 1e6,
    }
    if both := _held(images, codec_id, reference):
        total |= {"ratio": _bytes(both, codec_id) / _bytes(both, reference), "ratio_images": len(both)}
    return total
