"""The full stage in tensor operations: mixtures become decisions, step by step; see `models.wavefront.mixing`.

It is the plain form for any device.  The compiled loop asks a sample's questions one after another and computes no
more than these; here all questions of a step are computed at once, since their answers are learned after it.
"""

from collections.abc import Sequence

import torch
from pixcodecs import forking
from pixcodecs.container.blocks import Precision
from torch import Tensor

from pixzip.engine.backends.torch.counts import Tables
from pixzip.engine.backends.torch.decisions import Decisions
from pixzip.engine.backends.torch.layers import Layers
from pixzip.engine.backends.torch.repeats import Repeats
from pixzip.engine.backends.torch.wavefront import TensorWavefront
from pixzip.engine.base import Progress
from pixzip.engine.decisions import DecisionCoder
from pixzip.engine.schedule import Step
from pixzip.engine.stages.light import LIGHT
from pixzip.models.wavefront import mixing
from pixzip.models.wavefront.weights import IntegerWeights


class FullWavefront(TensorWavefront):
    """The wavefront with the full stage, for 8 bits a sample.

    Attributes:
        decisions, repeats: what the stage has learned beside the light one.
    """

    def __init__(
        self, layers: Layers, model: IntegerWeights, sizes: list[tuple[int, int]],
        precisions: Sequence[Precision] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(layers, sizes, precisions, LIGHT)
        squash, decisions, repeated = model.mixing
        tables = Tables.of(mixing.tables(squash), self.device)
        logistic = model.tensors["table.logistic"]
        self.decisions = Decisions(self.schedule, decisions, tables, layers.frequencies, logistic)
        self.repeats = Repeats(self.schedule, repeated, tables)

    def run(self, coder: DecisionCoder, progress: Progress | None = None) -> None:
        """Code every sample of a batch."""
        for step in self:
            with forking.shielded:
                self.code(step, coder)
            if progress:
                progress(step.t + 1, self.steps)

    def code(self, step: Step, coder: DecisionCoder) -> None:
        """Code the samples of a step, and learn from them.

        Raises:
            BitstreamError: a payload is damaged.
        """
        self.begin(step)
        self.decisions.begin(step)
        offers = self.repeats.offer(step, self.buffer)
        found = coder.repetitions(step, *(x.cpu().numpy() for x in (offers.colours, offers.chances, offers.asked)))
        hits = torch.from_numpy(found).to(self.device)
        self._use(step, coder, *self.repeats.note(hits))
        repeated = hits >= 0
        colours = offers.colours.gather(1, hits.clamp(min=0)[:, None])[:, 0]
        for channel in range(self.channels):
            shift = 8 * (self.channels - 1 - channel)
            given = torch.where(repeated, colours >> shift & 255, -1)
            values = self._samples(step, channel, coder, given)
            self._use(step, coder, *self.decisions.decide(values, repeated))
            self.keep(channel, values)
        self.decisions.learn()
        self.repeats.learn(self.decisions.nll, self.buffer)

    def _samples(self, step: Step, channel: int, coder: DecisionCoder, given: Tensor) -> Tensor:
        """(M,) samples of a channel; `given` are those of repetitions, or -1."""
        d, tables, raw = self.decisions, self.layers.frequencies, self.mix(channel)
        assert self.equations  # of the light stage
        below = tables.whole_rows(self.mixture)
        if self.refined is not None:
            pixels, rows = self.refined
            below[pixels] = rows
        deviation = self.equations.deviation
        d.look(channel, raw, self.mixture, below, tables.whole_rows(raw), deviation, self.buffer)
        chances = d.first.new_empty(len(d.first), 0) if coder.knows else d.all_chances()
        found = coder.samples(step, channel, *(x.cpu().numpy() for x in (d.first, chances, given)))
        return torch.from_numpy(found).to(self.device)

    @staticmethod
    def _use(step: Step, coder: DecisionCoder, *decisions: Tensor) -> None:
        bits, chances, made = (x.cpu().numpy() for x in decisions)
        coder.use(step, bits, chances, made)
