"""Accidents to bytes of any kind, for `mutations` and the files beside it."""

import struct
from random import Random

from pixcodecs.primitives import varint

#: Values at which numbers of the format start, end and change their length.
ENDS = [0, 1, 2, 15, 16, 17, 127, 128, 255, 256, 1365, 16383, 16384, 65535, 65536, 2**31, 2**32 - 1, 2**35 - 1]


def _span(rng: Random, size: int) -> tuple[int, int]:
    """A range of `size` bytes, short more often than long."""
    start = rng.randrange(size + 1)
    return start, min(size, start + int(size ** rng.random()))


def _flip_bits(rng: Random, data: bytearray, _: bytes) -> None:
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _set_bytes(rng: Random, data: bytearray, _: bytes) -> None:
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        data[rng.randrange(len(data))] = rng.randrange(256)


def _insert(rng: Random, data: bytearray, _: bytes) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.randbytes(rng.choice((1, 1, 2, 4, 30)))


def _delete(rng: Random, data: bytearray, _: bytes) -> None:
    start, end = _span(rng, len(data))
    del data[start:end]


def _duplicate(rng: Random, data: bytearray, _: bytes) -> None:
    start, end = _span(rng, len(data))
    data[end:end] = data[start:end] * rng.choice((1, 1, 3))


def _swap(rng: Random, data: bytearray, _: bytes) -> None:
    a, b, c = sorted(rng.randrange(len(data) + 1) for _ in range(3))
    data[a:c] = data[b:c] + data[a:b]


def _splice(rng: Random, data: bytearray, other: bytes) -> None:
    start, end = _span(rng, len(other))
    a, b = _span(rng, len(data))
    data[a:b] = other[start:end]


def _ends(rng: Random, data: bytearray, _: bytes) -> None:
    at, number = rng.randrange(len(data)), rng.choice(ENDS)
    form = rng.choice((varint(number), struct.pack("<I", number & 0xFFFFFFFF), bytes([number & 255])))
    data[at : at + len(form)] = form


def _cut(rng: Random, data: bytearray, _: bytes) -> None:
    del data[rng.randrange(len(data)) :]


MUTATORS = [_flip_bits, _set_bytes, _insert, _delete, _duplicate, _swap, _splice, _ends, _cut]


def damage(rng: Random, data: bytes, other: bytes) -> tuple[str, bytes]:
    """Damage bytes; the names of what was done, and the bytes."""
    damaged, names = bytearray(data), []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if damaged:
            mutator = rng.choice(MUTATORS)
            mutator(rng, damaged, other)
            names.append(mutator.__name__.strip("_"))
    return "+".join(sorted(set(names))), bytes(damaged)
