"""Damaged files of pages, with the checksums of header and table repaired; see `mutations`."""

import struct
from collections.abc import Callable
from dataclasses import replace
from random import Random

from pixcodecs.container import pages as container
from pixcodecs.primitives import crc32

#: (random numbers, bytes, other bytes) -> (kind of damage, damaged bytes).
Damage = Callable[[Random, bytes, bytes], tuple[str, bytes]]
NUMBERS = [0, 1, 2, 7, 127, 128, 65535, 65536, 2**32 - 1, 2**32, 2**35 - 1]


def forge(rng: Random, data: bytes, other: bytes, damage: Damage) -> tuple[str, bytes]:
    """One mutation of a good file, and its kind."""
    header = container.read_header(data)
    files = [container.member(data, header, i) for i in range(len(header.members))]
    kind = rng.choice(("header", "member", "order", "fields"))
    if kind == "header":
        how, head = damage(rng, data[4 : header.size_bytes - 4], other[4:60])
        head = data[:4] + head
        return f"pages header: {how}", head + struct.pack("<I", crc32(head)) + b"".join(files)
    members, how = [*header.members], kind
    if kind == "member":
        i = rng.randrange(len(files))
        how, files[i] = damage(rng, files[i], other)
    elif kind == "order":
        rng.shuffle(files)
        files = files[: rng.randint(1, len(files))] * rng.choice((1, 1, 3))
        members = [rng.choice(members) for _ in files]
    else:
        i, number, second = rng.randrange(len(members)), rng.choice(NUMBERS), rng.choice(NUMBERS)
        changes = {
            "duration": (number, second), "x": number, "y": number, "disposal": number & 7, "blend": True,
            "thumbnail": True, "aside": True,
        }  # fmt: skip
        name = rng.choice([*changes])
        members[i] = members[i]._replace(**{name: changes[name]})
        how = name
    members = [m._replace(size_bytes=len(f), crc=crc32(f)) for m, f in zip(members, files, strict=True)]
    try:
        head = container.pack_header(replace(header, members=tuple(members)))
    except ValueError:  # the writer has refused it
        return "pages header: cut", data[: rng.randrange(len(data))]
    return f"pages {kind}: {how}", head + b"".join(files)
