"""Good and bad golden files of models that come with files: `golden` makes them, `test_carried` reads them."""

import lzma
import struct
from collections.abc import Callable
from typing import NamedTuple

from pixcodecs.container import models, stack
from pixcodecs.container.image import Extra
from pixcodecs.container.models import Carried
from pixcodecs.container.references import Reference
from pixcodecs.errors import BitstreamError, ModelMismatchError, PixzipError
from pixcodecs.primitives import crc32, varint

from pixzip import codec
from pixzip.codec.pages import compress_pages
from pixzip.codec.stack import compress_stack
from pixzip.image.pages import Kind, Page, Pages
from tests.helpers import golden
from tests.helpers.forging import Fields
from tests.helpers.weights_mutations import with_config

_EXTRAS = 0x20
PAGES = Pages(Kind.TIFF, (Page(golden.picture("v2-grey")), Page(golden.picture("v2-grey"))))
STACK = [golden.image((7, 5, 1))] * 3


class Bad(NamedTuple):
    """The function that makes a file, and a part of the error's message."""

    make: Callable[[], bytes]
    message: str
    error: type[PixzipError] = BitstreamError


def weights(channels: int) -> bytes:
    """The golden model's weights file."""
    return (golden.FOLDER / f"model-{channels}.safetensors").read_bytes()


def lzma2(data: bytes) -> bytes:
    """Packed weights, as the fastest writer would make them."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 16}]
    return b"\1" + lzma.compress(data, lzma.FORMAT_RAW, filters=filters)


def of_picture(*bodies: bytes, name: str = "v2-grey", model_ids: list[bytes] | None = None) -> bytes:
    """A golden file with these extras of models.

    Args:
        model_ids: of its header; None for its own.
    """
    fields = Fields.of((golden.FOLDER / f"{name}-model.pxz").read_bytes())
    fields.extras += b"".join(bytes([Extra.MODEL]) + varint(len(body)) + body for body in bodies)
    fields.models = fields.models if model_ids is None else model_ids
    fields.flags = fields.flags & ~0x18 | len(fields.models) << 3 | _EXTRAS
    return fields.write()


def embedding(packed: bytes, position: int = 0) -> bytes:
    """The body of an extra."""
    return models.pack_carried(Carried(position, packed))


def of_stack(packed: bytes) -> bytes:
    """A stack with these packed weights."""
    data = compress_stack(STACK, golden.weights(1))
    at = data.index(b"\1" + golden.weights(1).model_id)
    head = data[:at] + b"\2" + golden.weights(1).model_id + varint(len(packed)) + packed
    end = stack.read_header(data).size_bytes
    head += data[at + 9 : end - 4]
    return head + struct.pack("<I", crc32(head)) + data[end:]


def _pages() -> bytes:
    options = codec.Options(golden.weights, models_only=True, reference=Reference.EMBEDDED)
    return compress_pages(PAGES, options)


def _file(packed: bytes, model_id: bytes | None = None) -> bytes:
    return models.pack_file(golden.weights(1).model_id if model_id is None else model_id, packed)


def _flip(at: int, data: bytes) -> bytes:
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


#: Good files; each needs no other model than it brings.
GOOD: dict[str, Callable[[], bytes]] = {
    "v2-model-embedded": lambda: of_picture(embedding(lzma2(weights(1)))),
    "v2-model-plain": lambda: of_picture(embedding(b"\0" + weights(1))),
    "v2-models-embedded": lambda: of_picture(
        embedding(lzma2(weights(1)), 1), embedding(lzma2(weights(3)), 0), name="v2-rgba-of-models"
    ),
    "v3-model-embedded": lambda: of_stack(lzma2(weights(1))),
    "v5-model-embedded": _pages,
    "v6-model": lambda: _file(lzma2(weights(1))),
}
#: A file whose model is in a file beside it.
BESIDE = {"v2-model-beside": lambda: of_picture(models.pack_carried(Carried(0, None)))}


def _bomb() -> bytes:
    return lzma2(bytes(models.SMALL_BYTES + (1 << 20)))


_BAD = {
    "v2-model-type": Bad(lambda: of_picture(b"\4\0"), "model reference 4 is unknown"),
    "v2-model-type-id": Bad(lambda: of_picture(b"\1\0"), "model reference 1 is unknown"),
    "v2-model-short": Bad(lambda: of_picture(b"\3"), "file ends too early, at the position of a model"),
    "v2-model-place": Bad(lambda: of_picture(b"\3\1"), "says where model 1 of its 1 is"),
    "v2-model-twice": Bad(lambda: of_picture(b"\3\0", b"\3\0"), "says where model 0 of its 1 is"),
    "v2-model-same": Bad(
        lambda: of_picture(b"\3\0", b"\3\1", model_ids=[golden.weights(1).model_id] * 2), "says twice where a model is"
    ),
    "v2-model-both": Bad(lambda: of_picture(b"\3\0\0"), "weights of a model that is in another file"),
    "v2-model-nothing": Bad(lambda: of_picture(b"\2\0"), "has the form of no bytes, which is unknown"),
    "v2-model-form": Bad(lambda: of_picture(b"\2\0\2ab"), "has the form 02, which is unknown"),
    "v2-model-lzma": Bad(lambda: of_picture(embedding(b"\1\xff\xff")), "the embedded model is damaged"),
    "v2-model-lzma-cut": Bad(
        lambda: of_picture(embedding(lzma2(weights(1))[:-1])), "the LZMA2 stream does not end where it should"
    ),
    "v2-model-lzma-long": Bad(
        lambda: of_picture(embedding(lzma2(weights(1)) + b"\0")), "the LZMA2 stream does not end where it should"
    ),
    "v2-model-bomb": Bad(lambda: of_picture(embedding(_bomb())), "the embedded model has more than the limit of"),
    "v2-model-bare": Bad(
        lambda: of_picture(embedding(b"\0")), "the embedded model is not a weights file", ModelMismatchError
    ),
    "v2-model-other": Bad(
        lambda: of_picture(embedding(lzma2(weights(3)))), "the embedded model should be model", ModelMismatchError
    ),
    "v2-model-config": Bad(
        lambda: of_picture(embedding(lzma2(with_config(weights(1), lambda config: config.update(width=4097))))),
        "the embedded model has damaged metadata: width is 4097", ModelMismatchError,
    ),
    "v3-model-nothing": Bad(lambda: of_stack(b""), "header declares an embedded model of 0 bytes"),
    "v3-model-bomb": Bad(lambda: of_stack(_bomb()), "the embedded model has more than the limit of"),
    "v3-model-other": Bad(
        lambda: of_stack(lzma2(weights(3))), "the embedded model should be model", ModelMismatchError
    ),
    "v6-header": Bad(lambda: _flip(5, _file(b"\0" + weights(1))), "header damaged: its checksum"),
    "v6-body": Bad(lambda: _flip(-1, _file(b"\0" + weights(1))), "the checksum of its body does not match"),
    "v6-cut": Bad(lambda: _file(b"")[:9], "file ends too early, at the model id"),
    "v6-other": Bad(
        lambda: _file(lzma2(weights(3))), "should be model", ModelMismatchError,
    ),
}  # fmt: skip

#: Name of a golden file -> its error.
BAD_MODELS = {f"bad-{name}": bad for name, bad in _BAD.items()}


def made() -> dict[str, Callable[[], bytes]]:
    """All golden files."""
    return {**GOOD, **BESIDE, **{name: bad.make for name, bad in BAD_MODELS.items()}}
