"""The encoder of deflate writes zlib's streams, and the first block of a stream is read as it was written."""

import zlib

import numpy as np
import pytest
from pixcodecs.deflate import first_block
from pixcodecs.deflate.encoder import NEAR, Encoder
from pixcodecs.deflate.matching import EFFORTS

from tests.helpers.support import scene


def data_of(kind: str, size: int, seed: int) -> bytes:
    """Data of which deflate makes stored blocks, fixed codes, its own codes, long matches, and short far ones."""
    rng = np.random.default_rng(seed)
    match kind:
        case "noise":
            return rng.integers(0, 256, size, dtype=np.uint8).tobytes()
        case "few":
            return rng.integers(0, 4, size, dtype=np.uint8).tobytes()
        case "flat":
            return bytes(size)
        case "walk":
            return (np.cumsum(rng.integers(-2, 3, size)) // 3).astype(np.uint8).tobytes()
    return rng.normal(0, 8, size).astype(np.int8).tobytes()


KINDS = ("noise", "few", "flat", "walk", "differences")


def streamed(coder: Encoder, data: bytes, step: int) -> bytes:
    """The stream of data that come in pieces."""
    return b"".join(coder.compress(data[at : at + step]) for at in range(0, len(data), step)) + coder.flush()


def of_zlib(data: bytes, level: int, window: int = 15, memory: int = 8, strategy: int = 0) -> bytes:
    coder = zlib.compressobj(level, zlib.DEFLATED, -window, memory, strategy)
    return coder.compress(data) + coder.flush()


@pytest.mark.parametrize("level", EFFORTS)
def test_with_its_limit_the_encoder_is_zlib(level: int) -> None:
    rng = np.random.default_rng(level)
    for number, kind in enumerate(KINDS * 3):
        size, step = int(rng.integers(0, 120_000)), int(rng.integers(1000, 70_000))
        window, memory = int(rng.integers(9, 16)), int(rng.integers(1, 10))
        data = data_of(kind, size, number)
        assert streamed(Encoder(level, window, memory, NEAR), data, step) == of_zlib(data, level, window, memory), (
            kind, size, window, memory,
        )  # fmt: skip


@pytest.mark.parametrize("size", range(12))
def test_few_bytes_are_coded_as_by_zlib(size: int) -> None:
    for data in (b"a" * size, bytes(range(size)), b"abcab" * size):
        assert streamed(Encoder(9, far=NEAR), data, 3) == of_zlib(data, 9)


def test_without_its_limit_three_bytes_match_from_afar() -> None:
    data = data_of("differences", 100_000, 1)
    made = streamed(Encoder(9), data, 1 << 14)
    assert zlib.decompress(made, -15) == data
    assert made != of_zlib(data, 9)
    (near, far) = (first_block.read(stream) for stream in (of_zlib(data, 9), made))
    assert near is not None
    assert far is not None
    assert near.far <= NEAR < far.far


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("strategy", range(5))
def test_the_first_block_is_read_as_it_was_written(kind: str, strategy: int) -> None:
    data = data_of(kind, 60_000, 0)
    for level, memory in ((1, 8), (6, 8), (9, 5), (9, 9)):
        stream = of_zlib(data, level, memory=memory, strategy=strategy)
        block = first_block.read(stream)
        assert block is not None
        if block.kind == first_block.STORED:
            assert stream[5 : block.bits // 8] == data[: block.size_bytes]
            continue
        assert block.is_last or block.tokens == (1 << (memory + 6)) - 1
        assert not block.is_last or (block.size_bytes == len(data) and (block.bits + 7) // 8 == len(stream))
        at = 0
        for (value, distance), end in zip(block.kept.T.tolist(), block.ends().tolist(), strict=True):
            if distance:
                assert all(data[k] == data[k - distance] for k in range(at, end))
                assert end - at == value
            else:
                assert data[at] == value
            at = end


def test_a_block_without_its_end_is_not_read() -> None:
    stream = of_zlib(scene(3, 60, 60, 1).tobytes(), 6)
    block = first_block.read(stream)
    assert block is not None
    assert block.is_last
    for size in range(0, len(stream) - 1, 7):
        assert first_block.read(stream[:size]) is None


def test_no_damaged_block_is_an_error() -> None:
    stream, rng = of_zlib(scene(3, 40, 40, 1).tobytes(), 6), np.random.default_rng(0)
    for _ in range(2000):
        damaged = bytearray(stream)
        for at in rng.integers(0, 200, rng.integers(1, 4)):
            damaged[at] = rng.integers(256)
        first_block.read(bytes(damaged))
    for _ in range(500):
        first_block.read(rng.bytes(40))
