"""The container of a stack: many images, one header and one payload.  `docs/format.md`, section 10, specifies it.

A file of one image takes tens of bytes for its header and the end of its range coder; a stack shares them.  As
in `image`, memory is never allocated from a declared size alone.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pixcodecs.container import models
from pixcodecs.container import names as name_list
from pixcodecs.container.blocks import STAGES
from pixcodecs.container.image import Layout
from pixcodecs.container.limits import LIFT, MAX_PIXELS, MAX_SIDE, MODEL_ID_BYTES, STACK_VERSION
from pixcodecs.container.references import Reference
from pixcodecs.container.signature import SIGNATURE, Buffer
from pixcodecs.container.signature import is_stack as is_stack
from pixcodecs.errors import BitstreamError
from pixcodecs.primitives import Reader, crc32, varint

#: Most images of a stack.
MAX_IMAGES = 1 << 21
#: Most images that are coded together, and most pixels of several such images; they bound a decoder's memory.
MAX_BATCH = 1 << 10
BATCH_PIXELS = 1 << 20
#: Images that are coded together by default: by models that run in rows on any device, and by those of the compiled
#: loop, whose batches stay in the caches, and whose stages learn between them.
DEFAULT_BATCH, LOOP_BATCH = 256, 32
#: Supported bits per sample.
DEPTHS = (8, 1)
LAYOUTS = (Layout.GREY, Layout.RGB)
#: Most rows of a batch with a stage, each image with as many more as the stage's state takes before its first row.
STAGE_ROWS, _ROWS_BEFORE = 1 << 13, 8
_DEPTH_FOLLOWS, _STAGE, _NAMES, _RESERVED = 0x80, 0x40, 0x20, 0x18


class Run(NamedTuple):
    """Consecutive images of one size."""

    images: int
    width: int
    height: int

    @property
    def pixels(self) -> int:
        return self.images * self.width * self.height


@dataclass(frozen=True)
class StackHeader:
    """The content of a header.

    Attributes:
        layout: GREY or RGB.
        depth: bits per sample, 8 or 1.
        batch: most images that are coded together.
        runs: runs of all images, in order; neighbours differ in size.
        names: one per image, or none at all.
        size_bytes: size of the header, at which the payload starts.
        stage: number of the stage between model and coder; 0 for none.
        weights: packed weights of the model; empty if the file has none.
    """

    layout: Layout
    depth: int
    batch: int
    runs: tuple[Run, ...]
    model: bytes
    names: tuple[str, ...]
    payload_bytes: int
    payload_crc: int
    samples_crc: int
    size_bytes: int = 0
    stage: int = 0
    weights: bytes = b""

    @property
    def images(self) -> int:
        """The number of images."""
        return sum(run.images for run in self.runs)

    @property
    def pixels(self) -> int:
        return sum(run.pixels for run in self.runs)

    @property
    def subpixels(self) -> int:
        return self.pixels * self.layout.channels

    @property
    def file_bytes(self) -> int:
        """The length of the whole file."""
        return self.size_bytes + self.payload_bytes

    def batches(self) -> Iterator[Run]:
        """Yield the batches that are coded together: parts of runs, in order."""
        for run in self.runs:
            most = min(self.batch, max(1, BATCH_PIXELS // (run.width * run.height)))
            if self.stage:
                most = min(most, max(1, STAGE_ROWS // (run.height + _ROWS_BEFORE)))
            for start in range(0, run.images, most):
                yield run._replace(images=min(most, run.images - start))


def runs(sizes: Iterable[tuple[int, int]]) -> tuple[Run, ...]:
    """The runs of images with these (width, height)."""
    found: list[Run] = []
    for width, height in sizes:
        if found and found[-1][1:] == (width, height):
            found[-1] = found[-1]._replace(images=found[-1].images + 1)
        else:
            found.append(Run(1, width, height))
    return tuple(found)


def pack_header(header: StackHeader) -> bytes:
    """The bytes of a header, including the checksum.

    Raises:
        UnsupportedImageError: a stack cannot hold these names.
        ValueError: a field does not fit the format.
    """
    _check_fields(header)
    flags = header.layout | (_DEPTH_FOLLOWS if header.depth != 8 else 0) | (_NAMES if header.names else 0)
    flags |= _STAGE if header.stage else 0
    out = bytearray(SIGNATURE + bytes([STACK_VERSION, flags]))
    if header.depth != 8:
        out.append(header.depth)
    if header.stage:
        out.append(header.stage)
    out += varint(header.images) + varint(header.batch)
    for run in header.runs:
        out += varint(run.images) + varint(run.width) + varint(run.height)
    out += bytes([Reference.EMBEDDED if header.weights else Reference.ID]) + header.model
    if header.weights:
        out += varint(len(header.weights)) + header.weights
    if header.names:
        out += name_list.pack(header.names)
    out += varint(header.payload_bytes) + struct.pack("<II", header.payload_crc, header.samples_crc)
    return bytes(out) + struct.pack("<I", crc32(bytes(out)))


def _check_fields(header: StackHeader) -> None:
    if header.layout not in LAYOUTS or header.depth not in DEPTHS:
        raise ValueError(f"stack is {header.layout.name} of {header.depth} bits, expected GREY or RGB of 8 or 1")
    if header.stage and (header.stage not in STAGES or header.depth != 8):
        raise ValueError(f"stage is {header.stage} at {header.depth} bits, expected one of {STAGES} at 8 bits, or 0")
    if not 1 <= header.images <= MAX_IMAGES:
        raise ValueError(f"stack has {header.images} images, expected 1 to {MAX_IMAGES}")
    if not 1 <= header.batch <= MAX_BATCH:
        raise ValueError(f"batch is {header.batch}, expected 1 to {MAX_BATCH}")
    for run in header.runs:
        if not (1 <= run.width <= MAX_SIDE and 1 <= run.height <= MAX_SIDE and run.images):
            raise ValueError(f"run is {run.images} images of {run.width}x{run.height}, sides must be 1 to {MAX_SIDE}")
    if any(a[1:] == b[1:] for a, b in zip(header.runs, header.runs[1:], strict=False)):
        raise ValueError("neighbouring runs are of one size")
    if len(header.model) != MODEL_ID_BYTES:
        raise ValueError(f"model is {header.model!r}, expected an id of {MODEL_ID_BYTES} bytes")
    if header.names and len(header.names) != header.images:
        raise ValueError(f"stack has {len(header.names)} names for {header.images} images")


def read_header(data: Buffer, max_pixels: int | None = MAX_PIXELS) -> StackHeader:
    """Parse and verify a header.

    Args:
        data: a file, or its beginning.
        max_pixels: refuse stacks with more pixels in total; None lifts the limit.
    Raises:
        BitstreamError: the header is damaged, truncated, foreign or hostile.
    """
    if not is_stack(data):
        raise BitstreamError(f"not a stack: starts with {bytes(data[:4]).hex() or 'nothing'}")
    reader = Reader(data, len(SIGNATURE) + 1)
    flags = reader.byte("layout")
    if flags & _RESERVED or flags & 7 not in LAYOUTS:
        raise BitstreamError(f"layout and flags {flags:#x} are unknown to this version")
    depth = reader.byte("depth") if flags & _DEPTH_FOLLOWS else 8
    if flags & _DEPTH_FOLLOWS and depth != 1:
        raise BitstreamError(f"header declares {depth} bits a sample for a stack, expected 1")
    stage = reader.byte("stage") if flags & _STAGE else 0
    if flags & _STAGE and stage not in STAGES:
        raise BitstreamError(f"stage {stage} is unknown to this version")
    if stage and depth != 8:
        raise BitstreamError(f"header declares a stage for {depth} bit a sample, expected 8")
    images, batch = reader.varint("number of images"), reader.varint("batch")
    if not 1 <= images <= MAX_IMAGES:
        raise BitstreamError(f"header declares {images} images, expected 1 to {MAX_IMAGES}")
    if not 1 <= batch <= MAX_BATCH:
        raise BitstreamError(f"header declares batches of {batch}, expected 1 to {MAX_BATCH}")
    found = _read_runs(reader, images, max_pixels)
    reference = reader.byte("model reference")
    if reference not in (Reference.ID, Reference.EMBEDDED):
        raise BitstreamError(f"model reference {reference} is unknown to this version")
    model = reader.take(MODEL_ID_BYTES, "model id")
    embedded = reference == Reference.EMBEDDED
    weights_bytes = reader.varint("length of the weights") if embedded else 0
    if embedded and not 1 <= weights_bytes <= models.MAX_BYTES:
        most = models.MAX_BYTES
        raise BitstreamError(f"header declares an embedded model of {weights_bytes} bytes, expected 1 to {most}")
    weights = reader.take(weights_bytes, "weights")
    packed = name_list.take(reader) if flags & _NAMES else None
    payload_bytes = reader.varint("length of the payload")
    payload_crc, samples_crc = struct.unpack("<II", reader.take(8, "checksums"))
    expected = crc32(reader.data[: reader.at])
    if struct.unpack("<I", reader.take(4, "checksum"))[0] != expected:
        raise BitstreamError("header damaged: its checksum does not match")
    names = name_list.unpack(*packed, images) if packed else ()
    fields = Layout(flags & 7), depth, batch, found, model, names
    return StackHeader(*fields, payload_bytes, payload_crc, samples_crc, reader.at, stage, weights)


def _read_runs(reader: Reader, images: int, max_pixels: int | None) -> tuple[Run, ...]:
    found: list[Run] = []
    left, pixels = images, 0
    while left:
        run = Run(reader.varint("length of a run"), reader.varint("width"), reader.varint("height"))
        if not 1 <= run.images <= left:
            raise BitstreamError(f"header declares a run of {run.images} images, {left} are left")
        if not (1 <= run.width <= MAX_SIDE and 1 <= run.height <= MAX_SIDE):
            raise BitstreamError(f"header declares {run.width}x{run.height} pixels, sides must be 1 to {MAX_SIDE}")
        if found and found[-1][1:] == run[1:]:
            raise BitstreamError(f"header declares two runs of {run.width}x{run.height} pixels beside each other")
        left -= run.images
        pixels += run.pixels
        if max_pixels is not None and pixels > max_pixels:
            raise BitstreamError(f"stack has more pixels than the limit of {max_pixels}: {LIFT}")
        found.append(run)
    return tuple(found)


def payload(data: Buffer, header: StackHeader) -> bytes:
    """The payload of a whole file.

    Raises:
        BitstreamError: the length of the file differs from that in its header, or the payload's checksum is wrong.
    """
    if len(data) != header.file_bytes:
        kind = "truncated" if len(data) < header.file_bytes else "too long"
        raise BitstreamError(f"file is {kind}: it has {len(data)} bytes, expected {header.file_bytes}")
    found = data[header.size_bytes : header.file_bytes]
    if crc32(found) != header.payload_crc:
        raise BitstreamError("payload damaged: its checksum does not match")
    return found
