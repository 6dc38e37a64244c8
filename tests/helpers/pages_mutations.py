"""Damaged files of pages, with the checksums of header and table repaired; see `mutations`."""

import struct
from collections.abc import Callable
from dataclasses import replace
from random import Random

from pixcodecs.container import image as image_container
from pixcodecs.container import pages as container
from pixcodecs.container.image import Extra
from pixcodecs.container.pages import Kind
from pixcodecs.primitives import crc32, varint

from tests.helpers import golden_page_originals
from tests.helpers.forging import Fields

#: (random numbers, bytes, other bytes) -> (kind of damage, damaged bytes).
Damage = Callable[[Random, bytes, bytes], tuple[str, bytes]]
_EXTRAS = 0x20
#: Kinds whose records are put into members that have none.
KINDS = (Kind.TIFF, Kind.PNG, Kind.GIF)
NUMBERS = [0, 1, 2, 7, 127, 128, 65535, 65536, 2**32 - 1, 2**32, 2**35 - 1]


def forge(rng: Random, data: bytes, other: bytes, damage: Damage) -> tuple[str, bytes]:
    """One mutation of a good file, and its kind."""
    header = container.read_header(data)
    files = [container.member(data, header, i) for i in range(len(header.members))]
    kind = rng.choice(("header", "member", "order", "fields", "record"))
    if kind == "header":
        how, head = damage(rng, data[4 : header.size_bytes - 4], other[4:60])
        head = data[:4] + head
        return f"pages header: {how}", head + struct.pack("<I", crc32(head)) + b"".join(files)
    members, how = [*header.members], kind
    if kind == "member":
        i = rng.randrange(len(files))
        how, files[i] = damage(rng, files[i], other)
    elif kind == "record":
        how, files[0] = _with_record(rng, files[0], other, damage)
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


def _with_record(rng: Random, member: bytes, other: bytes, damage: Damage) -> tuple[str, bytes]:
    """A member whose record of the original is damaged, behind its length and digest, or another one."""
    fields = Fields.of(member)
    extras = image_container.read_header(member).extras
    bodies = [body for kind, body in extras if kind == Extra.ORIGINAL] or [_record(rng)]
    at = min(rng.choice((0, 34, 34, 34)), len(bodies[0]) - 1)
    how, recipe = damage(rng, bodies[0][at:], other)
    body = bodies[0][:at] + recipe
    kept = b"".join(bytes([kind]) + varint(len(b)) + b for kind, b in extras if kind != Extra.ORIGINAL)
    fields.extras = kept + bytes([Extra.ORIGINAL]) + varint(len(body)) + body
    fields.flags |= _EXTRAS
    return f"record {how}", fields.write()


def _record(rng: Random) -> bytes:
    return golden_page_originals.record(rng.choice(KINDS)).pack()
