"""Damaged and hostile models that come with files; see `mutations`."""

import struct
from collections.abc import Callable
from functools import cache
from random import Random
from typing import NamedTuple

from pixcodecs.container import models
from pixcodecs.errors import BitstreamError, ModelMismatchError
from pixcodecs.primitives import crc32, varint

from pixzip.models import registry
from tests.helpers import weights_mutations
from tests.helpers.golden_models import embedding, lzma2
from tests.helpers.golden_models import weights as golden_weights

#: (random numbers, bytes, other bytes) -> (kind of damage, damaged bytes).
Damage = Callable[[Random, bytes, bytes], tuple[str, bytes]]


class ModelFile(NamedTuple):
    """The content of a model file."""

    digest: bytes


@cache
def _bomb() -> bytes:
    return lzma2(bytes(models.SMALL_BYTES + (1 << 20)))


def _unpacked(rng: Random) -> bytes:
    """The bytes of a weights file: a good one, or one of `weights_mutations`."""
    return golden_weights(rng.choice((1, 3))) if rng.random() < 0.3 else weights_mutations.mutate(rng).data


def weights(rng: Random, damage: Damage) -> bytes:
    """Packed weights of any kind."""
    how = rng.random()
    if how < 0.1:
        return _bomb()
    packed = rng.choice((lzma2, lambda data: b"\0" + data))(_unpacked(rng))
    return damage(rng, packed, b"\1\xff\2")[1] if how < 0.4 else packed


def forge(rng: Random, extras: bytes, ids: list[bytes], damage: Damage) -> tuple[bytes, list[bytes], str]:
    """The extras and the models of a file that brings some, and the kind of mutation."""
    ids, how = list(ids) or [rng.randbytes(8)], rng.choice(("damaged", "own", "reference"))
    if how == "reference":
        bodies = [bytes(rng.choice((0, 1, 2, 3, 3, 255)) for _ in range(rng.randrange(4))) for _ in range(2)]
    elif how == "damaged":
        bodies = [embedding(weights(rng, damage), position) for position in range(rng.randint(1, len(ids)))]
    else:  # with its own id, so that it codes if nothing refuses it
        unpacked = _unpacked(rng)
        try:
            ids[0] = registry.parse(unpacked, "forged").model_id
        except (ModelMismatchError, BitstreamError):
            ids[0] = rng.randbytes(8)
        bodies = [embedding(lzma2(unpacked))]
    extras += b"".join(bytes([5]) + varint(len(body)) + body for body in bodies)
    return extras, ids, how


def forge_file(rng: Random, data: bytes, damage: Damage) -> tuple[str, bytes]:
    """One mutation of a model file, and its kind."""
    if rng.random() < 0.3:
        how, head = damage(rng, data[4:16], data[:60])
        head = data[:4] + head
        return f"model header: {how}", head + struct.pack("<I", crc32(head)) + data[20:]
    model_id, packed = models.read_file(data)[0], weights(rng, damage)
    if rng.random() < 0.3:
        unpacked = _unpacked(rng)
        packed = lzma2(unpacked)
        try:
            model_id = registry.parse(unpacked, "forged").model_id
        except (ModelMismatchError, BitstreamError):
            model_id = rng.randbytes(8)
    return "model body", models.pack_file(model_id, packed)
