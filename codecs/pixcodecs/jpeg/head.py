"""The head of the body of a block of kind 14: read without kernels, by those who only ask what is in a file."""

from math import prod
from typing import NamedTuple

from pixcodecs.errors import BitstreamError
from pixcodecs.jpeg.layout import Layout, parse
from pixcodecs.primitives import Reader

#: Decisions of a block of coefficients without any, and of corrections of a block without any.
_LEAST, _LEAST_CORRECTIONS = 13, 1
#: Decisions for each bit of a payload, at most: no decision is more probable than 65535 of 65536.
_PER_BIT = 45426
#: Processor time of a decision and of a sub-pixel, as an estimate.
_DECISION_NS, _SAMPLE_NS = 400, 60


class Head(NamedTuple):
    """What a body says before its payload."""

    layout: Layout
    corrected: int
    decisions: int
    payload: bytes


def read_head(body: bytes, shape: tuple[int, int, int], depth: int) -> Head:
    """The head and the payload of a body, checked before any memory is taken.

    Raises:
        BitstreamError: a field is out of its range, or the sizes contradict each other.
    """
    height, width, channels = shape
    if depth != 8:
        raise BitstreamError(f"JPEG block has samples of {depth} bits, expected 8")
    reader = Reader(body)
    layout = parse(reader, channels)
    corrected = reader.varint("number of corrected pixels")
    count, payload = reader.varint("number of decisions"), reader.rest()
    if corrected > height * width:
        raise BitstreamError(f"JPEG block corrects {corrected} of {width}x{height} pixels")
    blocks = layout.blocks(height, width)
    least = sum(rows * columns for rows, columns in blocks) * _LEAST
    least += (blocks[0][0] * blocks[0][1] + corrected) * _LEAST_CORRECTIONS if corrected else 0
    if not least <= count <= (8 * len(payload) + 64) * _PER_BIT:
        found = f"{count} decisions in {len(payload)} bytes for {width}x{height} pixels"
        raise BitstreamError(f"JPEG block has {found}, which cannot be")
    if len(payload) % 4:
        raise BitstreamError(f"JPEG block has a payload of {len(payload)} bytes, expected a multiple of 4")
    return Head(layout, corrected, count, payload)


def cost_ns(body: bytes, shape: tuple[int, int, int], depth: int) -> int:
    """Nanoseconds of processor time to decode a body, as an estimate.

    Raises:
        BitstreamError: see `read_head`.
    """
    head = read_head(body, shape, depth)
    return head.decisions * _DECISION_NS + prod(shape) * _SAMPLE_NS
