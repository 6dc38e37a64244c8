"""Stacks step by step: engines that only have rows of frequencies append batch after batch to a range coder."""

from collections.abc import Sequence

from pixcodecs.coders import range as range_coder
from pixcodecs.errors import ModelMismatchError

from pixzip.engine.base import Engine, Job, Progress, StackDecoder, StackEncoder
from pixzip.engine.batch import Samples
from pixzip.engine.stages.base import IDENTITY, Stage


class SteppedStacks(Engine):
    """An engine whose stacks have no stage."""

    def stack_encoder(self, stage: Stage = IDENTITY) -> StackEncoder:
        self._refuse(stage)
        return SteppedEncoder(self)

    def stack_decoder(self, payload: bytes, subpixels: int, stage: Stage = IDENTITY) -> StackDecoder:
        self._refuse(stage)
        return SteppedDecoder(self, payload, subpixels)

    def _refuse(self, stage: Stage) -> None:
        if stage != IDENTITY:
            raise ModelMismatchError(f"stage {stage.name} does not adapt models of {self.model.architecture}")


class SteppedEncoder:
    """See `StackEncoder`."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._encoder = engine, range_coder.Encoder()

    def encode(self, jobs: Sequence[Job], progress: Progress | None = None) -> None:
        self._engine.encode_into(jobs, self._encoder, progress)

    def finish(self) -> bytes:
        return self._encoder.finish()


class SteppedDecoder:
    """See `StackDecoder`."""

    def __init__(self, engine: Engine, payload: bytes, subpixels: int) -> None:
        self._engine, self._decoder = engine, range_coder.Decoder(payload, subpixels)

    def decode(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Samples]:
        return self._engine.decode_from([job.size for job in jobs], self._decoder, progress)

    def check_exhausted(self) -> None:
        self._decoder.check_exhausted()
