"""Models that come with files: packed weights, where they are, and model files.  `docs/format.md`, section 18.

What the weights hold is not looked at here.  As in `image`, memory is never allocated from a declared size alone.
"""

import lzma
import struct
from collections.abc import Sequence
from typing import NamedTuple

from pixcodecs.container.limits import LIFT, MODEL_ID_BYTES, MODEL_VERSION
from pixcodecs.container.references import Reference
from pixcodecs.container.signature import SIGNATURE, Buffer
from pixcodecs.container.signature import is_model as is_model
from pixcodecs.errors import BitstreamError
from pixcodecs.primitives import Reader, crc32

#: Most bytes of the weights of all models that come with a file.
MAX_BYTES = 64 << 20
#: The same that a reader takes by default, and those that each byte of the file adds.
SMALL_BYTES, BYTES_A_BYTE = 4 << 20, 4
#: Most models that come with one file.
MAX_MODELS = 4
_DICTIONARY_BYTES = 1 << 22
_PLAIN, _LZMA2 = 0, 1
_WAYS = [{"lc": lc, "lp": 0, "pb": 0, "preset": 9 | lzma.PRESET_EXTREME} for lc in (0, 3)]


class Carried(NamedTuple):
    """A model that comes with a file.

    Attributes:
        position: of the model in the header.
        packed: the packed weights; None if they are in a model file.
    """

    position: int
    packed: bytes | None


def limit(file_bytes: int, max_pixels: int | None) -> int:
    """The bytes of weights that a file of this size may bring; `max_pixels` is None where all limits are lifted."""
    return MAX_BYTES if max_pixels is None else min(MAX_BYTES, SMALL_BYTES + BYTES_A_BYTE * file_bytes)


def pack(weights: bytes) -> bytes:
    """Packed weights: a byte for their form, and the shortest form."""
    forms = [(_PLAIN, weights)]
    forms += [(_LZMA2, lzma.compress(weights, lzma.FORMAT_RAW, filters=_filters(way))) for way in _WAYS]
    form, body = min(forms, key=lambda made: len(made[1]))
    return bytes([form]) + body


def _filters(way: dict[str, int]) -> list[dict[str, int]]:
    return [{"id": lzma.FILTER_LZMA2, **way, "dict_size": _DICTIONARY_BYTES}]


def unpack(packed: bytes, most: int, name: str) -> bytes:
    """The inverse of `pack`.

    Args:
        most: see `limit`.
        name: of the model in errors.
    Raises:
        BitstreamError: the stream is damaged, or gives more bytes.
    """
    form, body = packed[:1], packed[1:]
    if form not in (bytes([_PLAIN]), bytes([_LZMA2])):
        raise BitstreamError(f"{name} has the form {form.hex() or 'of no bytes'}, which is unknown to this version")
    weights = body if form == bytes([_PLAIN]) else _lzma2(body, most, name)
    if len(weights) > most:
        way_out = "" if most >= MAX_BYTES else f": {LIFT}"
        raise BitstreamError(f"{name} has more than the limit of {most} bytes of weights{way_out}")
    return weights


def _lzma2(body: bytes, most: int, name: str) -> bytes:
    """At most one byte more than `most`."""
    coder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_filters({}))
    try:
        out = coder.decompress(body, most + 1)
    except (lzma.LZMAError, EOFError) as e:
        raise BitstreamError(f"{name} is damaged: {e}") from None
    if len(out) <= most and (not coder.eof or coder.unused_data):
        raise BitstreamError(f"{name} is damaged: the LZMA2 stream does not end where it should")
    return out


def pack_carried(carried: Carried) -> bytes:
    """The body of an extra."""
    kind = Reference.BESIDE if carried.packed is None else Reference.EMBEDDED
    return bytes([kind, carried.position]) + (carried.packed or b"")


def read_carried(bodies: Sequence[bytes], models: int) -> tuple[Carried, ...]:
    """What the extras of a file say of its models.

    Args:
        models: number of models in the header.
    Raises:
        BitstreamError: an extra is damaged or contradicts the header.
    """
    found: list[Carried] = []
    for body in bodies:
        reader = Reader(body)
        kind, position = reader.byte("model reference"), reader.byte("position of a model")
        if kind not in (Reference.EMBEDDED, Reference.BESIDE):
            raise BitstreamError(f"model reference {kind} is unknown to this version")
        if position >= models or position in (one.position for one in found):
            raise BitstreamError(f"file says where model {position} of its {models} is, which is none or known already")
        packed = reader.rest()
        if kind == Reference.BESIDE and packed:
            raise BitstreamError("file contradicts itself: it has weights of a model that is in another file")
        found.append(Carried(position, packed if kind == Reference.EMBEDDED else None))
    return tuple(found)


def pack_file(model_id: bytes, packed: bytes) -> bytes:
    """A model file of packed weights."""
    head = SIGNATURE + bytes([MODEL_VERSION]) + model_id + struct.pack("<I", crc32(packed))
    return head + struct.pack("<I", crc32(head)) + packed


def read_file(data: Buffer) -> tuple[bytes, bytes]:
    """The id and the packed weights of a model file.

    Raises:
        BitstreamError: the file is damaged, truncated, too large, or no model file.
    """
    if not is_model(data):
        raise BitstreamError(f"no model file: starts with {bytes(data[:4]).hex() or 'nothing'}")
    if len(data) > MAX_BYTES:
        raise BitstreamError(f"model file has {len(data)} bytes, more than {MAX_BYTES}")
    reader = Reader(data, len(SIGNATURE) + 1)
    model_id = reader.take(MODEL_ID_BYTES, "model id")
    (body_crc,) = struct.unpack("<I", reader.take(4, "checksum of the body"))
    expected = crc32(data[: reader.at])
    if struct.unpack("<I", reader.take(4, "checksum"))[0] != expected:
        raise BitstreamError("header damaged: its checksum does not match")
    packed = reader.rest()
    if crc32(packed) != body_crc:
        raise BitstreamError("model damaged: the checksum of its body does not match")
    return model_id, packed
