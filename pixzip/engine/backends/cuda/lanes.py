"""Decode interleaved rANS (`pixcodecs.coders.rans`) of many images by tensor operations of fixed shapes."""

from collections.abc import Sequence

import numpy as np
import torch
from pixcodecs.coders import rans
from torch import Tensor

from pixzip.engine.backends.cuda.slots import Slots

_MASK = (1 << rans.PRECISION) - 1


class Lanes:
    """The rANS states of a batch's payloads and the read positions in their words."""

    def __init__(self, payloads: Sequence[bytes], slots: Slots, device: torch.device) -> None:
        """
        Raises:
            BitstreamError: a payload that no encoder writes.
        """
        parsed = [rans.parse(payload) for payload in payloads]
        counts = np.array([len(p.states) for p in parsed], np.int64)
        lengths = np.array([len(p.words) for p in parsed], np.int64)
        ends = np.cumsum(lengths)
        image = np.repeat(np.arange(len(parsed)), counts)
        lane = np.arange(image.size) - (np.cumsum(counts) - counts)[image]
        self.lengths, self._starts = lengths, ends - lengths
        self._image = torch.from_numpy(image).to(device)
        self._first = torch.from_numpy(np.cumsum(counts) - counts).to(device)
        self._last = torch.from_numpy(np.cumsum(counts) - 1).to(device)
        self.states = torch.from_numpy(np.concatenate([p.states for p in parsed])).to(device)
        self.at = torch.tensor(self._starts, device=device)
        words = np.concatenate([*(p.words for p in parsed), np.zeros(1, np.uint32)])
        self._words = torch.from_numpy(words.astype(np.int64)).to(device)
        #: For each round, the slot of every lane; the number of slots for a lane without one.
        self._rounds = []
        for r in range(int(max(-(-slots.counts // counts)))):
            place = r * counts[image] + lane
            slot = np.where(place < slots.counts[image], slots.first[image] + place, len(slots))
            self._rounds.append(torch.from_numpy(slot).to(device))

    def decode(self, rows: Tensor, active: Tensor) -> Tensor:
        """(M, K + 1) cumulative frequencies, starting at any value -> (M,) int64 symbols; idle slots decode nothing."""
        cumulative = rows.to(torch.int64) - rows[:, :1].to(torch.int64)
        edges = torch.div(cumulative << rans.PRECISION, cumulative[:, -1:], rounding_mode="floor")
        edges = torch.nn.functional.pad(edges, (0, 0, 0, 1))
        active = torch.nn.functional.pad(active, (0, 1))
        symbols = torch.zeros(len(edges), dtype=torch.int64, device=edges.device)
        for slot in self._rounds:
            part, busy, x = edges[slot], active[slot], self.states
            share = x & _MASK
            found = (part[:, 1:-1] <= share[:, None]).sum(1)
            start = part.gather(1, found[:, None])[:, 0]
            size = part.gather(1, found[:, None] + 1)[:, 0] - start
            x = size * (x >> rans.PRECISION) + share - start
            short = busy & (x < rans.LOWEST)
            upto = short.to(torch.int64).cumsum(0)
            before = upto - short.to(torch.int64)
            earlier = before[self._first]
            at = self.at[self._image] + before - earlier[self._image]
            word = self._words[torch.where(short, at, 0).clamp_(max=len(self._words) - 1)]
            x = torch.where(short, x << 32 | word, x)
            self.states.copy_(torch.where(busy, x, self.states))
            self.at += upto[self._last] - earlier
            symbols[slot] = torch.where(busy, found, 0)
        return symbols[:-1]

    def check_exhausted(self) -> None:
        """
        Raises:
            BitstreamError: a payload does not end with its image.
        """
        states, at, image = self.states.cpu().numpy(), self.at.cpu().numpy(), self._image.cpu().numpy()
        for i, (length, start) in enumerate(zip(self.lengths, self._starts, strict=True)):
            rans.check_end(states[image == i], int(at[i] - start), int(length))
