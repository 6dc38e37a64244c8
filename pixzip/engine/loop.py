"""The coding loop: step by step, channel by channel, digit by digit.

A batch gives frequencies, a stage refines them, and a `SymbolCoder` uses them.  So the encoder, the decoder, the
measure of the model's own bits and the known answer all see the same frequencies.
"""

from pixcodecs import forking
from pixcodecs.coders.base import Symbols

from pixzip.engine.base import Progress
from pixzip.engine.batch import Batch
from pixzip.engine.stages.base import IDENTITY, Stage
from pixzip.engine.symbols import SymbolCoder


def run(batch: Batch, coder: SymbolCoder, stage: Stage = IDENTITY, progress: Progress | None = None) -> None:
    """Code every sub-pixel of a batch."""
    with batch.coding():
        learner = stage.start(batch)
        for step in batch:
            with forking.shielded:
                batch.begin(step)
                learner.begin(step)
                for channel in range(batch.channels):
                    digits: list[Symbols] = []
                    for digit in range(batch.digits):
                        freqs = learner.refine(channel, digits, batch.freqs(channel, digits))
                        digits.append(coder.code(step, channel, digit, freqs))
                    batch.store(channel, digits)
                    learner.learn(channel, digits)
                learner.end()
            if progress:
                progress(step.t + 1, batch.steps)
