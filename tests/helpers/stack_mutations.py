"""Damaged stacks of every kind, with all checksums repaired except that of the samples; see `mutations`."""

import struct
from collections.abc import Callable
from random import Random

from pixcodecs.container import names as name_list
from pixcodecs.container import stack as stacks
from pixcodecs.primitives import crc32, deflate, varint

from tests.helpers import model_mutations
from tests.helpers.forging import file_v3

#: (random numbers, bytes, other bytes) -> (kind of damage, damaged bytes).
Damage = Callable[[Random, bytes, bytes], tuple[str, bytes]]
ENDS = [0, 1, 2, 7, 1023, 1024, 1025, 2**20, 2**21, 2**21 + 1, 2**35 - 1]
SIDES = [0, 1, 2, 9, 1024, 1025, 65535, 65536]
#: Names that leave their folder, occur twice, or are devices.
NAMES = ["", "..", "/a", "a/../b", "C:a", "a\\b", "NUL", "a", "A", "a/b", "x" * 300, "\ud800"]


def forge(rng: Random, data: bytes, other: bytes, damage: Damage) -> tuple[str, bytes]:
    """One mutation of a good stack, and its kind."""
    header = stacks.read_header(data)
    head, payload = data[: header.size_bytes - 4], data[header.size_bytes :]
    kind = rng.choice(("payload", "header", "fields", "names"))
    if kind == "header":
        how, found = damage(rng, head[4:], other[4:60])
        found = head[:4] + found
        return f"stack header: {how}", found + struct.pack("<I", crc32(found)) + payload
    flags = head[4]
    fields = {
        "flags": flags, "images": header.images, "batch": header.batch, "runs": [tuple(run) for run in header.runs],
        "reference": 2 if header.weights else 1,
        "model_id": header.model, "names": name_list.pack(header.names) if header.names else b"",
        "samples_crc": header.samples_crc, "payload": payload, "weights": header.weights,
        "stage": bytes([header.stage] if header.stage else []),
    }  # fmt: skip
    how = kind
    if kind == "payload":
        how, fields["payload"] = damage(rng, payload, other)
    elif kind == "names":
        text = "\n".join(rng.choice([*NAMES, *header.names]) for _ in range(header.images))
        body = text.encode(errors="surrogatepass")
        if rng.random() < 0.5:
            body = damage(rng, "\n".join(header.names).encode() or b"a\nb", other)[1]
        packed = deflate(body)
        fields |= {"flags": flags | 0x20, "names": varint(len(packed) << 1) + packed}
    else:
        how = rng.choice(("images", "batch", "runs", "flags", "stage", "model_id", "length", "weights"))
        runs = [list(run) for run in header.runs]
        run = rng.choice(runs)
        run[rng.randrange(3)] = rng.choice(SIDES)
        fields[how] = {
            "images": rng.choice(ENDS), "batch": rng.choice(ENDS), "flags": rng.randrange(256),
            "length": rng.choice(ENDS), "runs": [tuple(run) for run in rng.choice((runs, runs * 2))],
            "model_id": rng.randbytes(8), "weights": model_mutations.weights(rng, damage),
            "stage": bytes([rng.choice((0, 1, 1, 2, 2, 3, 255))]),
        }[how]  # fmt: skip
        if how == "runs":
            fields["images"] = min(2**21, sum(run[0] for run in fields["runs"]))
        if how == "flags" and fields["flags"] & 0x80:
            fields["depth"] = bytes([rng.choice((0, 1, 1, 8))])
        if how == "flags":
            fields["stage"] = bytes([rng.choice((1, 2))] if fields["flags"] & 0x40 else [])
        if how == "weights":
            fields["reference"] = rng.choice((2, 2, 2, 3))
        if how == "stage":
            fields["flags"] = flags | 0x40
    return f"stack {kind}: {how}", file_v3(**fields)
