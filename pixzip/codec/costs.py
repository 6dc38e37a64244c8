"""What a file may cost: its decoding time, estimated before anything is decoded, and the limit.

A model codes a million equal pixels in a hundred bytes, and decodes them in ten seconds, so pixels alone bound a
small file to a quarter of an hour.  The estimate is arithmetic on sizes, equal on every machine, of the processor
time of a common core; `bench/costs.py` measures what it lets pass.  Models of the PixelRNN family take
far longer and have no limit of time: whoever installs one waits for it.
"""

from collections.abc import Generator, Iterator

import numpy as np
from pixcodecs.container import blocks
from pixcodecs.container.blocks import ForeignDecoder, Kind, Samples, Shape
from pixcodecs.container.limits import LIFT
from pixcodecs.container.stack import StackHeader
from pixcodecs.errors import BitstreamError
from pixcodecs.jpeg import head as jpeg_head

from pixzip.codec.decoders import DECODERS
from pixzip.engine.executor import Payload
from pixzip.engine.schedule import count_steps
from pixzip.engine.stages.base import IDENTITY, Stage
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.engine.stages.registry import stage_of
from pixzip.models.base import Model

#: Yields payloads for models to decode, is sent their samples, returns the tile's samples.
Decoding = Generator[Payload, Samples, Samples]

#: Processor time of any file up to `SMALL_BYTES`, and of each byte beyond.
SMALL_NS = 50_000_000_000
SMALL_BYTES = 1 << 20
BYTE_NS = 200_000
#: The least part of the time to decode a picture that is allowed to rebuild its original, besides.
_SHARE_TO_REBUILD = 5
#: Levels and beginning of the architecture of models that are timed.
_LEVELS, _TIMED = 256, "wavefront-"
#: Processor time of a pixel, of a channel of a pixel, and of a multiplication.
_PIXEL_NS, _CHANNEL_NS, _MULTIPLY_ADDS_A_NS = 900, 600, 40
#: The same of a channel of a pixel, of the stages that adapt a model.
_STAGE_NS: dict[Stage, int] = {IDENTITY: 0, LIGHT: 300, FULL: 1500}
#: The same of a pixel, for each component of a mixture and one more, of a lattice of colours.
_LATTICE_NS = 300
#: Processor time of each layer of the trunk, and each component of a channel's mixture, of a pixel, beyond the usual.
_LAYER_NS, _COMPONENT_NS, _USUAL = 45, 40, 16
#: Processor time of each byte of the weights of a model that comes with a file, and the patterns of its answers.
_WEIGHT_NS = 50
_ANSWERS: tuple[tuple[int, int, Stage], ...] = ((24, 32, IDENTITY), (48, 96, LIGHT), (48, 96, FULL))
#: Processor time of a step, and of each digit of each channel of a step.
_STEP_NS, _DIGIT_NS = 40_000, 20_000
#: Processor time of a batch of a stack, and of an image of a stack, including the writing of its PNG.
_BATCH_NS, _IMAGE_NS = 300_000, 150_000


def limit_ns(file_bytes: int) -> int:
    """The processor time, in nanoseconds, that a file of this size may take by default."""
    return SMALL_NS + BYTE_NS * max(0, file_bytes - SMALL_BYTES)


def rebuild_ns(file_bytes: int, decoding_ns: int) -> int:
    """The processor time that rebuilding the original of a file may take by default.

    Args:
        decoding_ns: to decode the picture; what it leaves of its own limit is allowed, and at least a fifth of that.
    """
    limit = limit_ns(file_bytes)
    return max(limit // _SHARE_TO_REBUILD, limit - decoding_ns)


def payload_ns(
    model: Model, height: int, width: int, images: int = 1, digits: int = 2, stage: Stage = IDENTITY, lattice: int = 0
) -> int:  # fmt: skip
    """Nanoseconds to decode images of one size that are coded together; 0 for models of another kind."""
    if model.levels != _LEVELS or not is_timed(model.architecture):
        return 0
    pixel = _PIXEL_NS + model.channels * _CHANNEL_NS * digits // 2 + model.multiply_adds // _MULTIPLY_ADDS_A_NS
    pixel += model.channels * _STAGE_NS[stage] + (_LATTICE_NS * (model.n_mix + 1) if lattice else 0)
    pixel += _LAYER_NS * max(0, model.layers - _USUAL) + model.channels * _COMPONENT_NS * max(0, model.n_mix - _USUAL)
    step = _STEP_NS + model.channels * digits * _DIGIT_NS
    return images * height * width * pixel + count_steps(height, width) * step


def is_timed(architecture: str) -> bool:
    """Whether the time of models of an architecture is estimated."""
    return architecture.startswith(_TIMED)


def model_ns(model: Model, weights_bytes: int) -> int:
    """Nanoseconds to check a model that comes with a file, and all its answers."""
    answers = sum(payload_ns(model, height, width, stage=stage) for height, width, stage in _ANSWERS)
    return _WEIGHT_NS * weights_bytes + answers


class Blank:
    """Decoders in the place of `DECODERS` that decode nothing, and add up what it would take.

    Attributes:
        spent_ns: nanoseconds of blocks of JPEG's coefficients; WebP and PNG are fast.
    """

    def __init__(self) -> None:
        self.spent_ns = 0
        self.decoders: dict[Kind, ForeignDecoder] = {**dict.fromkeys(DECODERS, _blank), Kind.JPEG: self._jpeg}

    def _jpeg(self, body: bytes, shape: Shape, depth: int) -> Samples:
        self.spent_ns += jpeg_head.cost_ns(body, shape, depth)
        return _blank(body, shape, depth)

    def tile_ns(self, decoding: Decoding) -> int:
        """Nanoseconds to decode a tile.

        Args:
            decoding: decodes the tile with these decoders, so without any work.
        Raises:
            BitstreamError: the block is damaged.
        """
        models = sum(
            payload_ns(
                p.model, p.shape[0], p.shape[1], digits=p.precision.digits, stage=p.stage, lattice=p.precision.lattice
            )
            for p in _payloads(decoding)
        )
        return models + self.spent_ns


class Budget:
    """The processor time that a file of this size may take by default."""

    def __init__(self, file_bytes: int) -> None:
        self._file_bytes, self._left = file_bytes, limit_ns(file_bytes)

    def spend(self, nanoseconds: int) -> None:
        """
        Raises:
            BitstreamError: the time is spent.
        """
        self._left -= nanoseconds
        if self._left < 0:
            most = f"{limit_ns(self._file_bytes) // 10**9} s of processor time, the limit for {self._file_bytes} bytes"
            raise BitstreamError(f"decoding would take more than {most}: {LIFT}")


def check_stack(
    header: StackHeader, model: Model, file_bytes: int, passes: int = 1, model_ns: int = 0
) -> None:  # fmt: skip
    """
    Args:
        passes: how often models run on the samples.
        model_ns: see `model_ns`; 0 if the model is not embedded.
    Raises:
        BitstreamError: decoding would take longer than a stack of this size may by default.
    """
    budget, stage = Budget(file_bytes), stage_of(header.stage)
    budget.spend(model_ns + header.images * _IMAGE_NS)
    for run in header.batches():
        budget.spend(passes * (_BATCH_NS + payload_ns(model, run.height, run.width, run.images, stage=stage)))


def _payloads(decoding: Decoding) -> Iterator[Payload]:
    """The payloads of a tile."""
    try:
        asked = next(decoding)
        while True:
            yield asked
            asked = decoding.send(_blank(b"", asked.shape, asked.precision.depth))
    except StopIteration:
        return


def _blank(body: bytes, shape: Shape, depth: int) -> Samples:
    return np.broadcast_to(np.zeros(1, blocks.dtype(depth)), shape)
