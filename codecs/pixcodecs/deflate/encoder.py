"""zlib's encoder at the levels 4 to 9, with another limit on the distance of matches of three bytes.

zlib gives up such a match beyond 4096 bytes, because it costs more than literals; pngcrush is built without this limit.
"""

import numpy as np
from numpy.typing import NDArray

from pixcodecs.deflate import matching
from pixcodecs.deflate.blocks import MOST_STORED, Writer

#: The limit of zlib, and none.
NEAR, FAR = 4096, 32767
#: Bytes that may be kept although no match reaches them.
_SPARE_BYTES = 1 << 16
_MOST_BYTES = 1 << 31


class Encoder:
    """Writes one raw deflate stream."""

    def __init__(self, level: int, window: int = 15, memory: int = 8, far: int = FAR) -> None:
        """
        Args:
            level: 4 to 9.
            window: bits of the window, 9 to 15.
            memory: zlib's memory level, 1 to 9.
            far: the most distance of a match of three bytes.
        """
        self._effort = np.array(matching.EFFORTS[level], np.int64)
        self._far, tokens = far, (1 << (memory + 6)) - 1
        self._head = np.full(1 << (memory + 7), -1, np.int32)
        self._chain = np.zeros(1 << window, np.uint16)
        self._shift = (memory + 7 + 2) // 3
        self._tokens = np.zeros((2, tokens), np.uint16)
        self._state = np.zeros(matching.PLACES, np.int64)
        self._state[matching.LENGTH] = 2
        self._data, self._base, self._start = bytearray(), 0, 0
        self._writer = Writer(tokens)

    def compress(self, data: bytes, /) -> bytes:
        """Take data; returns what is written so far.

        Raises:
            ValueError: the data are too long.
        """
        self._data += data
        if self._base + len(self._data) >= _MOST_BYTES:
            raise ValueError(f"data have more than {_MOST_BYTES} bytes")
        out = self._advance(final=False)
        at = int(self._state[matching.AT])
        start = self._start if at - self._start <= MOST_STORED else at
        spare = min(start, at - len(self._chain)) - self._base
        if spare > _SPARE_BYTES:
            del self._data[:spare]
            self._base += spare
        return out

    def flush(self) -> bytes:
        """The end of the stream."""
        return self._advance(final=True)

    def _advance(self, *, final: bool) -> bytes:
        out, data = bytearray(), np.frombuffer(bytes(self._data) + bytes(2), np.uint8)
        pairs = data[:-1] | data[1:].astype(np.uint16) << 8
        end = self._base + len(self._data)
        while True:
            outcome = matching.advance(
                data, pairs, self._base, end, final, self._state, self._head, self._chain, self._shift, self._effort,
                self._far, self._tokens,
            )  # fmt: skip
            if outcome == matching.MORE:
                return bytes(out)
            last, n = outcome == matching.ENDED, int(self._state[matching.TOKENS])
            out += self._writer.block(self._tokens, n, self._block_data(data), last=last)
            self._state[matching.TOKENS], self._start = 0, int(self._state[matching.END])
            if last:
                return bytes(out)

    def _block_data(self, data: NDArray[np.uint8]) -> bytes | None:
        """The data of the block; None if zlib would not have them any more, or they are too long."""
        start, end = self._start, int(self._state[matching.END])
        if start < self._state[matching.WINDOW] or end - start > MOST_STORED:
            return None
        return data[start - self._base : end - self._base].tobytes()
