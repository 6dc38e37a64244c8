"""Damaged files that keep a JPEG, with all checksums repaired except the digest of the JPEG; see `mutations`."""

import contextlib
import struct
from collections.abc import Callable
from random import Random
from typing import Any

from pixcodecs.container import kept as container
from pixcodecs.errors import UnsupportedImageError
from pixcodecs.primitives import Reader, crc32, deflate, inflate, varint

from pixzip import codec
from pixzip.codec import kept
from pixzip.codec.kept import pictures
from pixzip.codec.kept.huffman import dictionary
from pixzip.codec.tiles import Window
from tests.helpers.forging import file_v4

#: (random numbers, bytes, other bytes) -> (kind of damage, damaged bytes).
Damage = Callable[[Random, bytes, bytes], tuple[str, bytes]]
ENDS = [0, 1, 2, 3, 127, 128, 2**16, 2**20, 2**26, 2**26 + 2**17, 2**32, 2**35 - 1]


def forge(rng: Random, data: bytes, other: bytes, damage: Damage) -> tuple[str, bytes]:
    """One mutation of a good file, and its kind."""
    header = container.read_header(data)
    body = data[header.size_bytes :]
    kind = rng.choice(("body", "body", "header", "fields", "parts", "parts"))
    if kind == "header":
        how, head = damage(rng, data[4 : header.size_bytes - 4], other[4:60])
        head = data[:4] + head
        return f"kept header: {how}", head + struct.pack("<I", crc32(head)) + body
    fields = {"method": data[4], "content": data[5], "length": header.length, "digest": header.digest, "body": body}
    how = kind
    if kind == "body":
        how, fields["body"] = damage(rng, body, other)
    elif kind == "fields":
        how = rng.choice(("method", "content", "length", "digest"))
        choices = {
            "method": rng.choice((data[4] ^ 0x80, *range(5), rng.randrange(256))), "content": rng.randrange(4),
            "length": rng.choice((*ENDS, header.length - 1, header.length + 1)), "digest": rng.randbytes(32),
        }  # fmt: skip
        fields[how] = choices[how]
    elif header.method is container.Method.JPEG_XL:
        fields["body"] = _parts(rng, body, other, damage)
    return f"kept {kind}: {how}", file_v4(**fields)  # type: ignore[arg-type]


def _parts(rng: Random, body: bytes, other: bytes, damage: Damage) -> bytes:
    """A body of JPEG XL with damage in one of its fields, what is noted of the JPEG included."""
    reader = Reader(body)
    sizes = [[reader.varint("size"), reader.varint("size")] for _ in range(reader.varint("streams"))]
    rest = reader.take(reader.varint("rest"), "rest")
    streams = [reader.take(size, "stream") for size, _ in sizes]
    i = rng.randrange(len(streams))
    what = rng.choice(("stream", "start", "gives", "notes", "notes", "rest", "order"))
    if what == "stream":
        streams[i] = damage(rng, streams[i], other)[1]
    elif what == "start":  # headers
        at = rng.randrange(9, 100)
        streams[i] = damage(rng, streams[i][:at], other)[1] + streams[i][at:]
    elif what == "gives":
        sizes[i][1] = max(0, rng.choice((*ENDS, sizes[i][1] - 1, sizes[i][1] + 1)))
    elif what == "notes":
        plain = inflate(rest, 1 << 22, "rest", dictionary())
        rest = deflate(damage(rng, plain, other)[1], dictionary=dictionary())
    elif what == "rest":
        runs = b"".join(varint(rng.choice((*ENDS, sizes[i][1]))) for _ in range(2 * rng.randrange(4)))
        rest = deflate(varint(len(runs)) + runs + rng.randbytes(rng.randrange(9)), dictionary=dictionary())
    else:
        rng.shuffle(streams)
    heads = b"".join(varint(len(s)) + varint(size[1]) for s, size in zip(streams, sizes, strict=True))
    return varint(len(streams)) + heads + varint(len(rest)) + rest + b"".join(streams)


def attempt(how: str, data: bytes, original: Any, region: Window, finding: type[Exception]) -> str:
    """Read a file that keeps a JPEG, all of whose bytes its digest knows; return the name of the outcome.

    Args:
        how: a way of `fuzzing.attempt`.
        finding: raised for other bytes than the original's.
    """
    found, why = kept.salvage(data) if how == "salvage" else (kept.restore(data), "")
    if why:
        return "damage said"
    if found != original:
        raise finding("other bytes without an error")
    if how == "region":
        with contextlib.suppress(UnsupportedImageError):  # CMYK
            if codec.recover(data, region=region).picture != pictures.crop(pictures.load(data).picture, region):
                raise finding("another part")
    return "exact"
