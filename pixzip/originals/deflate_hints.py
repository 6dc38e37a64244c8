"""What the first block of a deflate stream tells of its encoder, so that few encoders need to be tried.

zlib and zlib-ng end a block when a buffer is full, whose size is a parameter; a strategy of zlib drops short matches;
and the tokens of a block begin as those of the same data's beginning, which is quickly compressed.
"""

import numpy as np
from pixcodecs.deflate import first_block
from pixcodecs.deflate.encoder import NEAR
from pixcodecs.deflate.first_block import STORED

from pixzip.originals.deflaters import Kind, Spec, encoder

#: Data of a trial, and so many bytes at its end in which an encoder may choose otherwise than with more data.
_TRIAL_BYTES, _EDGE_BYTES = 1 << 13, 1 << 11
#: Data behind a block that make libdeflate end it there.
_BEHIND_BYTES = 1 << 15
#: Bytes of a stream that two encoders hardly have in common by chance.
_EVIDENCE_BYTES = 256
#: Length of the shortest match that zlib's strategy for filtered data keeps, at levels that drop any.
_LEAST_FILTERED, _LEAST_LAZY = 6, 4
_FILTERED = 1
_BUFFERED = (Kind.ZLIB, Kind.ZLIB_NG, Kind.ZLIB_FAR)


class Hints:
    """What is known of a stream's encoder."""

    def __init__(self, data: bytes, body: bytes) -> None:
        """
        Args:
            data: the data, or its beginning.
            body: the raw deflate stream, or its beginning.
        """
        self._data = data
        # less data are compressed as quickly as a block is read
        first = first_block.read(body) if len(data) >= 2 * _TRIAL_BYTES else None
        self._first = first if first and first.kind != STORED else None
        self._full = self._first if self._first and not self._first.is_last else None

    def allow(self, spec: Spec) -> bool:
        """Whether an encoder may have written the block."""
        first = self._first
        if spec.kind is Kind.ZLIB_FAR:
            return first is not None and first.far > NEAR and self._is_full(spec)
        if spec.kind is Kind.ZLIB:
            lazy = spec.level >= _LEAST_LAZY and first is not None
            if first and lazy and spec.strategy != _FILTERED and first.far > NEAR:
                return False
            if first and lazy and spec.strategy == _FILTERED and 0 < first.shortest < _LEAST_FILTERED:
                return False
            return self._is_full(spec)
        if spec.kind is Kind.ZLIB_NG:
            return spec.level == 1 or self._is_full(spec)  # which has no buffer at this level
        return not (self._full and any(self._full.tokens == _buffer(memory) for memory in range(1, 10)))

    def _is_full(self, spec: Spec) -> bool:
        """Whether the block has as many tokens as an encoder's buffer, or fewer if it is the last."""
        if self._first is None:
            return True
        size = _buffer(spec.memory)
        return self._first.tokens < size if self._first.is_last else self._first.tokens == size

    def trial_bytes(self, spec: Spec) -> int:
        """Bytes of data that tell more of an encoder than they cost; 0 if there are none."""
        worth = self._first is not None and self._first.size_bytes >= 2 * _TRIAL_BYTES
        return _TRIAL_BYTES if worth and spec.kind in _BUFFERED else 0

    def agrees(self, spec: Spec, size: int) -> bool:
        """Whether the block begins with the tokens that an encoder writes of the beginning of the data."""
        try:
            coder = encoder(spec)
        except ValueError:  # the library refuses the parameters
            return False
        made = first_block.read(coder.compress(self._data[:size]) + coder.flush())
        if made is None or made.kind == STORED or self._first is None:
            return True
        n = int(np.searchsorted(made.ends(), size - _EDGE_BYTES, "right"))
        return bool(np.array_equal(made.kept[:, :n], self._first.kept[:, :n]))

    def first_part(self, spec: Spec) -> tuple[int, int]:
        """The data that an encoder needs to show itself in the stream's first block, and the bytes of the block."""
        if self._full and spec.kind is Kind.LIBDEFLATE and self._full.size_bytes + _BEHIND_BYTES < len(self._data):
            return self._full.size_bytes + _BEHIND_BYTES, self._full.bits // 8
        return len(self._data), _EVIDENCE_BYTES


def _buffer(memory: int) -> int:
    """Tokens of a block of zlib that is not the last."""
    return (1 << (memory + 6)) - 1
