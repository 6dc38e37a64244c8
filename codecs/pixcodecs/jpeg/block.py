"""The body of a block of kind 14, "JPEG inside": a head, the number of decisions, and a payload."""

import numpy as np
from numpy.typing import NDArray

from pixcodecs.coders.range_numba import finish, is_exhausted
from pixcodecs.coders.range_numba import parse as words_of
from pixcodecs.errors import BitstreamError
from pixcodecs.jpeg import decisions
from pixcodecs.jpeg.coefficients import code_plane
from pixcodecs.jpeg.corrections import code_corrections
from pixcodecs.jpeg.decisions import Decisions
from pixcodecs.jpeg.head import read_head
from pixcodecs.jpeg.inverse import inverse_plane
from pixcodecs.jpeg.layout import Layout
from pixcodecs.jpeg.numbers import DIGITS
from pixcodecs.jpeg.picture import limited, pixels, upsampled
from pixcodecs.jpeg.tables import INNER, RATIOS
from pixcodecs.primitives import varint

Planes = list[NDArray[np.int16]]
Pixels = NDArray[np.uint8]


def _code_planes(d: Decisions, layout: Layout, planes: Planes) -> list[Pixels]:
    """Code the coefficients of all channels; return the samples that they stand for."""
    counts = [np.zeros((*plane.shape[:2], 3), np.int16) for plane in planes]
    nothing, none = np.zeros((0, 0, 64), np.int16), np.zeros((0, 0, 3), np.int16)
    found = []
    for kind, plane in enumerate(planes):
        samples = np.zeros((8 * plane.shape[0], 8 * plane.shape[1]), np.int16)
        code_plane(
            d, kind, plane, planes[1] if kind == 2 else nothing, counts[0] if kind else none, counts[kind], samples,
            layout.tables[min(kind, 1)], INNER, RATIOS, np.zeros(64, np.int64),
        )  # fmt: skip
        found.append(np.empty(samples.shape, np.uint8))
        limited(samples, found[-1])
    return found


def decoded(layout: Layout, planes: Planes, shape: tuple[int, int, int]) -> Pixels:
    """The (H, W, C) pixels that a JPEG decoder makes of coefficients.

    Args:
        planes: (rows, columns, 64) coefficients of each channel, see `Layout.blocks`.
    """
    found = np.empty(shape, np.uint8)
    pixels([samples_of(layout, planes, i) for i in range(len(planes))], layout.geometry(*shape[:2]), found)
    return found


def samples_of(layout: Layout, planes: Planes, kind: int) -> Pixels:
    """(8 rows, 8 columns) samples of a channel, 0 for luma, 1 for Cb, 2 for Cr."""
    plane = planes[kind]
    out = np.zeros((8 * plane.shape[0], 8 * plane.shape[1]), np.uint8)
    inverse_plane(plane, layout.tables[min(kind, 1)], out, np.zeros(64, np.int64))
    return out


def chroma_of(layout: Layout, planes: Planes, kind: int, shape: tuple[int, int]) -> Pixels:
    """(H, W) samples of Cb (1) or Cr (2) at each pixel."""
    out = np.empty(shape, np.uint8)
    upsampled(samples_of(layout, planes, kind), layout.geometry(*shape), out)
    return out


def encode(layout: Layout, planes: Planes, samples: Pixels) -> tuple[bytes, int]:
    """The body for coefficients and the (H, W, C) samples that shall come out.

    Args:
        planes: (rows, columns, 64) int16 of each channel, of magnitude below 2^11.
    Returns:
        The body, and the number of pixels that do not come out of the coefficients.
    Raises:
        ValueError: a coefficient is out of its range.
    """
    shape = samples.shape[0], samples.shape[1], samples.shape[2]
    found, differences = decoded(layout, planes, shape), np.zeros((*samples.shape[:2], 3), np.int16)
    np.subtract(samples, found, out=differences[..., : shape[2]], dtype=np.int16, casting="unsafe")
    corrected = int(differences.any(2).sum())
    most = _room(planes, corrected)
    words = np.empty(most // 2 + 4, np.uint32)
    d = decisions.new(words, encoding=True, most=most)
    _code_planes(d, layout, planes)
    if corrected:
        _code_corrections(d, layout, found, differences)
    if d.control[2]:
        raise ValueError("coefficients of a JPEG are out of their range")
    payload = words[: finish(d.state, words, 0)].astype("<u4").tobytes()
    return layout.pack() + varint(corrected) + varint(most - int(d.control[1])) + payload, corrected


def _room(planes: Planes, corrected: int) -> int:
    """More decisions than there will be."""
    blocks: int = sum(plane.shape[0] * plane.shape[1] for plane in planes)
    nonzero = sum(int(np.count_nonzero(plane)) for plane in planes)
    size = 2 * DIGITS + 2
    return int((80 + size) * blocks + size * nonzero + (66 * blocks + 3 * size * corrected if corrected else 0))


def _code_corrections(d: Decisions, layout: Layout, found: Pixels, differences: NDArray[np.int16]) -> int:
    rows, columns = layout.blocks(*found.shape[:2])[0]
    flags = np.zeros((rows, columns), np.uint8)
    found_count: int = code_corrections(d, found, differences, flags, layout.top, layout.left)
    return found_count


def decode(body: bytes, shape: tuple[int, int, int], depth: int) -> Pixels:
    """The (H, W, C) samples of a body.

    Raises:
        BitstreamError: it is damaged.
    """
    head = read_head(body, shape, depth)
    d = decisions.new(words_of(head.payload), encoding=False, most=head.decisions)
    planes = [np.zeros((rows, columns, 64), np.int16) for rows, columns in head.layout.blocks(*shape[:2])]
    samples = _code_planes(d, head.layout, planes)
    found = np.empty(shape, np.uint8)
    pixels(samples, head.layout.geometry(*shape[:2]), found)
    differences = np.zeros((*shape[:2], 3), np.int16)
    if head.corrected and _code_corrections(d, head.layout, found, differences) != head.corrected:
        raise BitstreamError(f"JPEG block damaged: it does not correct {head.corrected} pixels, as it says")
    if d.control[2] or d.control[1] or not is_exhausted(d.state, len(d.words)):
        raise BitstreamError("JPEG block damaged: its payload does not end where it should")
    if head.corrected:
        found += differences[..., : shape[2]].astype(np.uint8)
    return found
