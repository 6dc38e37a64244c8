"""Good and bad golden stacks: `golden` makes them, `test_golden_stacks` reads them."""

import dataclasses
import lzma
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pixcodecs.container import stack as stacks
from pixcodecs.container.names import MAX_NAMES_BYTES
from pixcodecs.errors import BitstreamError, ModelMismatchError, PixzipError
from pixcodecs.primitives import deflate, varint

from pixzip.codec.stack import compress_stack
from pixzip.engine.stages.base import IDENTITY, Identity
from pixzip.engine.stages.full import FULL
from pixzip.engine.stages.light import LIGHT
from pixzip.models import library
from pixzip.models.base import Model
from tests.helpers import golden
from tests.helpers.forging import file_v3

_DEPTH, _STAGE, _NAMES = 0x80, 0x40, 0x20


class Made(NamedTuple):
    """A good stack."""

    shapes: list[tuple[int, ...]]
    weights: Callable[[], Model]
    names: tuple[str, ...]
    batch: int
    stage: Identity = IDENTITY

    @property
    def images(self) -> list[NDArray[np.uint8]]:
        """Different (H, W, C) images."""
        return [np.roll(golden.image(shape), i, 0) for i, shape in enumerate(self.shapes)]

    def file(self) -> bytes:
        return compress_stack(self.images, self.weights(), names=self.names, batch=self.batch, stage=self.stage)


STACKS = {
    "v3-rgb": Made(
        [(8, 6, 3)] * 5 + [(1, 1, 3)] + [(3, 9, 3)] * 2,
        lambda: library.load(library.retired_paths()["fast-0fc3638949c176c9"]),
        (),
        2,
    ),
    "v3-grey": Made([(7, 5, 1)] * 3, lambda: golden.weights(1), ("a.png", "b/c.png", "b/ü 1.png"), 256),
    "v3-light": Made([(8, 6, 3)] * 5 + [(1, 1, 3)], lambda: golden.weights(3), (), 2, LIGHT),
    "v3-light-grey": Made([(7, 5, 1)] * 3, lambda: golden.weights(1), (), 2, LIGHT),
    "v3-light-colours": Made([(64, 64, 3)] * 3, lambda: golden.weights(3), (), 2, LIGHT),
    "v3-full": Made([(8, 6, 3)] * 5 + [(1, 1, 3)], lambda: golden.weights(3), (), 2, FULL),
    "v3-full-grey": Made([(7, 5, 1)] * 3, lambda: golden.weights(1), ("a.png", "b.png", "c.png"), 2, FULL),
}


class Bad(NamedTuple):
    """The function that makes a file, and a part of the error's message."""

    make: Callable[[], bytes]
    message: str
    error: type[PixzipError] = BitstreamError


def _bad(message: str, **changes: Any) -> Bad:
    return Bad(lambda: file_v3(**changes), message)


def _good() -> bytes:
    return (golden.FOLDER / "v3-grey.pxz").read_bytes()


def _as_good(**changes: Any) -> Callable[[], bytes]:
    """The good grey stack without names, with changes."""

    def make() -> bytes:
        header = stacks.read_header(_good())
        edit = changes.get("payload", lambda payload: payload)
        plain = {
            "images": 3, "batch": header.batch, "runs": [tuple(run) for run in header.runs], "model_id": header.model,
            "samples_crc": header.samples_crc,
        }  # fmt: skip
        return file_v3(**{**plain, **changes, "payload": edit(stacks.payload(_good(), header))})

    return make


def _unstaged(name: str) -> bytes:
    """A good stack, whose stage is not in its header."""
    data = (golden.FOLDER / f"{name}.pxz").read_bytes()
    header = stacks.read_header(data)
    bare = stacks.pack_header(dataclasses.replace(header, stage=0))
    return bare + stacks.payload(data, header)


def _named(*names: str) -> dict[str, Any]:
    packed = deflate("\n".join(names).encode())
    return {"flags": _NAMES, "names": varint(len(packed) << 1) + packed}


def _lzma(data: bytes) -> bytes:
    packed = lzma.compress(data, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 22}])
    return varint(len(packed) << 1 | 1) + packed


def _flip(at: int, data: bytes) -> bytes:
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


_BAD = {
    "header": Bad(lambda: _flip(20, file_v3()), "header damaged: its checksum"),
    "truncated": Bad(lambda: file_v3()[:-1], "file is truncated: it has 35 bytes, expected 36"),
    "appended": Bad(lambda: file_v3() + b"\0", "file is too long"),
    "payload": Bad(lambda: _flip(-1, file_v3()), "payload damaged: its checksum"),
    "flags": _bad("layout and flags 0x8 are unknown", flags=8),
    "layout": _bad("layout and flags 0x2 are unknown", flags=2),
    "depth-8": _bad("header declares 8 bits a sample for a stack", flags=_DEPTH, depth=b"\x08"),
    "images-0": _bad("header declares 0 images", images=0),
    "images-many": _bad("header declares 2097153 images", images=stacks.MAX_IMAGES + 1),
    "batch-0": _bad("header declares batches of 0", batch=0),
    "batch-many": _bad("header declares batches of 1025", batch=stacks.MAX_BATCH + 1),
    "run-0": _bad("header declares a run of 0 images", runs=[(0, 4, 3)]),
    "run-long": _bad("header declares a run of 3 images, 2 are left", runs=[(3, 4, 3)]),
    "run-short": _bad("model reference 100 is unknown", runs=[(1, 4, 3)]),
    "run-same": _bad("two runs of 4x3 pixels beside each other", runs=[(1, 4, 3), (1, 4, 3)]),
    "width-0": _bad("header declares 0x3 pixels", runs=[(2, 0, 3)]),
    "height-65536": _bad("header declares 4x65536 pixels", runs=[(2, 4, 65536)]),
    "pixels": _bad("more pixels than the limit of", images=10000, runs=[(10000, 300, 300)]),
    "model-reference": _bad("file ends too early, at the checksum", reference=2),  # before there was such a reference
    "model-reference-3": _bad("model reference 3 is unknown", reference=3),
    "model-missing": Bad(lambda: file_v3(), "file needs model 6d6f64656c2d6964, which is not here", ModelMismatchError),
    "model-channels": Bad(_as_good(flags=1), "file has 3 channels of 256 levels, its model 1 channels of 256"),
    "model-levels": Bad(
        _as_good(flags=_DEPTH, depth=b"\1"), "file has 1 channels of 2 levels, its model 1 channels of 256 levels"
    ),
    "names-cut": _bad("file ends too early, at the names", flags=_NAMES, names=varint(999)),
    "names-many": _bad("file has 3 names for 2 images", **_named("a", "b", "c")),
    "names-parent": _bad("name '../a' has a part that ends with a dot", **_named("../a", "b")),
    "names-absolute": _bad("name '/a' is empty, absolute, or has an empty part", **_named("b", "/a")),
    "names-drive": _bad("name 'C:a' has the character ':'", **_named("C:a", "b")),
    "names-twice": _bad("name 'a' is there twice", **_named("A", "a")),
    "names-folder": _bad("name 'a' is there twice, up to case, or is a file and a folder", **_named("a", "A/b")),
    "names-utf8": _bad("names damaged: they are not UTF-8", flags=_NAMES, names=_lzma(b"\xff\na")),
    "names-deflate": _bad("names damaged", flags=_NAMES, names=varint(6) + b"\xff\xff\xff"),
    "names-lzma": _bad("names damaged", flags=_NAMES, names=varint(7) + b"\xff\xff\xff"),
    "names-lzma-cut": _bad("LZMA2 stream does not end", flags=_NAMES, names=varint(1)),
    "names-bomb": _bad(
        f"names inflate to more than {MAX_NAMES_BYTES} bytes", flags=_NAMES, names=_lzma(bytes(MAX_NAMES_BYTES + 1))
    ),
    "payload-least": _bad("24000000 pixels take at least", runs=[(2, 4000, 3000)]),
    "stage-0": _bad("stage 0 is unknown", flags=_STAGE, stage=b"\0"),
    "stage-3": _bad("stage 3 is unknown", flags=_STAGE, stage=b"\3"),
    "stage-cut": Bad(lambda: file_v3(flags=_STAGE)[:5], "file ends too early, at the stage"),
    "stage-depth": _bad("a stage for 1 bit a sample", flags=_DEPTH | _STAGE, depth=b"\1", stage=b"\1"),
    "stage-least": _bad(
        "payload has 4 bytes, 24000000 pixels take at least", flags=_STAGE, stage=b"\1", runs=[(2, 4000, 3000)]
    ),
    "stage-least-full": _bad(
        "payload has 4 bytes, 24000000 pixels take at least", flags=_STAGE, stage=b"\2", runs=[(2, 4000, 3000)]
    ),
    "stage-none": Bad(lambda: _unstaged("v3-full-grey"), "payload ends before its last pixel"),
    "stage-other": Bad(_as_good(flags=_STAGE, stage=b"\1"), "payload goes on after its last pixel"),
    "stage-truncated": Bad(lambda: (golden.FOLDER / "v3-full.pxz").read_bytes()[:-1], "file is truncated"),
    "payload-empty": Bad(
        _as_good(images=30, runs=[(30, 7, 5)], payload=lambda _: b""), "payload ends before its last pixel"
    ),
    "payload-odd": Bad(_as_good(payload=lambda p: p[:-1]), "expected a multiple of 4"),
    "payload-long": Bad(_as_good(payload=lambda p: p + b"\1\2\3\4" * 2), "payload goes on after its last pixel"),
    "samples": Bad(_as_good(samples_crc=0), "decoded pixels do not match"),
}

#: Name of a golden file -> its error; checksums are correct unless they are the error.
BAD_STACKS = {f"bad-v3-{name}": bad for name, bad in _BAD.items()}
