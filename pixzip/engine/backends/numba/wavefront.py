"""The compiled wavefront: all buffers of a batch, step by step or as a whole."""

from collections.abc import Iterator, Sequence

import numpy as np
from pixcodecs.coders.base import Rows, Symbols
from pixcodecs.container.blocks import Precision

from pixzip.engine.backends.base import BINS, Wavefront, joined
from pixzip.engine.backends.numba import rows
from pixzip.engine.backends.numba.adapt import equations
from pixzip.engine.backends.numba.colours import colours
from pixzip.engine.backends.numba.learned import Learned
from pixzip.engine.backends.numba.mixture import Mixtures
from pixzip.engine.backends.numba.operands import Operands
from pixzip.engine.backends.numba.places import Places, StepPixels, fill
from pixzip.engine.backends.numba.trunk import Scratch
from pixzip.engine.batch import Samples
from pixzip.engine.schedule import RING, Step
from pixzip.engine.stages.base import IDENTITY, Stage
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.models.wavefront.config import Config
from pixzip.models.wavefront.taps import MASK_A, MASK_B


class CompiledWavefront(Wavefront):
    """The buffers of a batch; as a `Batch`, it runs in one thread."""

    def __init__(
        self, config: Config, operands: Operands, sizes: list[tuple[int, int]],
        precisions: Sequence[Precision] | None = None, threads: int = 1, stage: Stage = IDENTITY,
        learned: Learned | None = None,
    ) -> None:  # fmt: skip
        """
        Args:
            learned: what the images, which are of one size, begin with and share; None if each is on its own.
        """
        super().__init__(config, sizes, precisions)
        s, c, k, adapts = self.schedule, config.channels, config.n_mix, stage in (LIGHT, FULL)
        self.operands = operands
        most = np.minimum(s.height, -(-s.width // 2))
        units = self.of_images("unit") if self.high_depth else np.zeros(0, np.int64)
        levels = self.of_images("depth")[: len(units)] - 8
        self.places = Places(
            s.height, s.width, s.base, s.pitch, np.cumsum(most) - most, most, s.offsets, units, levels,
            (1 << self.of_images("depth")) - 1, s.inside(), s.most, self.digits,
        )  # fmt: skip
        m = s.most
        self.pixels = np.zeros((s.buffer_pixels, c), np.uint16)
        self.rings = np.zeros((operands.blocks, RING * m + 1, operands.width), np.int16)
        self.step_pixels = StepPixels(
            image=np.zeros(m, np.int64),
            y=np.zeros(m, np.int64),
            address=np.zeros(m, np.int64),
            taps=np.zeros((m, len(MASK_B)), np.int64),
        )
        self.scratch = Scratch(
            np.zeros((m, operands.features), np.int16), np.zeros((m, operands.width), np.int16),
            np.zeros((m, operands.width), np.int16), np.zeros((m, operands.width), np.int32),
            np.zeros((m, c * operands.head_width), np.int32), np.arange(m)[:, None],
            np.zeros((threads, len(MASK_A) * c), np.int32),
        )  # fmt: skip
        self.mixtures = Mixtures(
            weights=np.zeros((m, k), np.int32), means=np.zeros((m, k), np.int32), slopes=np.zeros((m, k), np.int32),
            units=np.zeros(m, np.int32), tops=np.full(m, 255, np.int32), centre=np.zeros((m, c), np.int32),
            known=np.zeros((m, c), np.int32), fine=np.zeros((m, c), np.int32),
            inputs=np.zeros((m, operands.head_width), np.int16), outputs=np.zeros((m, operands.outputs), np.int32),
            colours=colours(
                sizes, m, remembered=adapts and c == 3 and not self.high_depth,
                shared=learned.seen if learned else None,
                lattices=[p.lattice for p in self.precisions], order=operands.order,
            ),
        )  # fmt: skip
        prior = (learned.prior if learned else operands.prior) if adapts else None
        self.equations = equations(s, c, prior, threads, m, together=learned is not None)
        self._freqs = np.zeros((m, BINS), np.float32)

    def __iter__(self) -> Iterator[Step]:
        p = self.step_pixels
        for t in range(self.steps):
            if segments := self.schedule.segments(t):
                m, _, _ = fill(self.places, t, 0, 1, self.rings.shape[1] - 1, p)
                yield Step(t, segments, p.image[:m], p.address[:m], 0, p.taps[:m])

    def begin(self, step: Step) -> None:
        self._now = step
        rows.begin(
            step.address.size, step.t, self.places, self.operands.trunk, self.rings, self.step_pixels, self.scratch,
            self.mixtures, self.equations, self.pixels,
        )  # fmt: skip

    def freqs(self, channel: int, before: Sequence[Symbols]) -> Rows:
        count = self._now.address.size
        freqs = self._freqs[:count]
        prefix = joined(before) if before else np.zeros(count, np.int32)
        rows.freqs(
            channel, self._now.t, self.places, self.step_pixels, self.operands.heads, self.scratch, self.mixtures,
            self.equations, self.pixels, self.high_depth, prefix, len(before), self.digits, freqs,
        )  # fmt: skip
        return freqs

    def store(self, channel: int, digits: Sequence[Symbols]) -> None:
        values = joined(digits)
        rows.store(
            values, channel, self._now.t, self.places, self.step_pixels, self.mixtures, self.equations, self.pixels,
        )  # fmt: skip

    def samples(self, image: int) -> Samples:
        return self.view(self.pixels, image).astype(self.dtype)
