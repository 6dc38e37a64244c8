"""Damaged and hostile weights files of every architecture, and the outcomes that a reader may have.

`mutate` makes a file from a seed and a random number; `attempt` loads it, and codes an image if it loads.
"""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
from pixcodecs.errors import ModelMismatchError

from pixzip.engine.base import Engine, Job
from pixzip.engine.family import FamilyEngine
from pixzip.engine.wavefront import WavefrontEngine
from pixzip.models.base import Model
from pixzip.models.family.architectures import FAMILY
from pixzip.models.family.weights import FixedWeights, fixed
from pixzip.models.registry import load
from pixzip.models.wavefront.weights import IntegerWeights
from tests.helpers.damage import MUTATORS
from tests.helpers.family import smooth, tiny
from tests.helpers.support import tiny_weights

#: Values for fields of a config, and for any other number of a header.
VALUES: list[Any] = [
    0, 1, 2, 3, 4, 15, 16, 33, 64, 65, 256, 1024, 4096, 4097, 2**31, 2**63, 10**30, -1, -(2**63), 1.0, 0.5, -0.0, 1e308,
    float("nan"), float("inf"), True, False, None, "", "3", "softmax", "mixture", "pixelcnn", "\x1b]0;x\x07", [], [3],
    {}, {"a": 1}, "x" * 5000,
]  # fmt: skip
_DTYPES = ["I8", "I16", "I32", "I64", "U8", "U16", "F16", "BF16", "F32", "F64", "F8_E4M3", "F8_E5M2", "BOOL", "X", 7]


class Mutation(NamedTuple):
    """A file, the name of its seed, and the kind of its mutation."""

    seed: str
    how: str
    data: bytes


#: The channels of the tiny models of the wavefront, by architecture.
_CHANNELS = {"wavefront-pixelcnn-1": 1, "wavefront-pixelcnn-2": 3}
#: Architectures that have a seed.
ARCHITECTURES = (*FAMILY, *_CHANNELS)


@cache
def seed_of(architecture: str) -> bytes:
    """A tiny weights file, without a known answer, so that other weights may load."""
    if architecture in FAMILY:
        return fixed(tiny(architecture, head="mixture", n_mix=2)).to_bytes()
    weights = tiny_weights(_CHANNELS[architecture], seed=1)
    assert weights.architecture == architecture
    return weights.to_bytes()


def parts(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The header and the tensors' bytes of a good file."""
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), data[end:]


def joined(header: dict[str, Any] | str | bytes, body: bytes) -> bytes:
    """The inverse of `parts`, for any header."""
    text = json.dumps(header) if isinstance(header, dict) else header
    raw = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    return len(raw).to_bytes(8, "little") + raw + body


def with_config(data: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """The file with its config changed in place, or replaced by the text that `change` returns."""
    header, body = parts(data)
    config = json.loads(header["__metadata__"]["config"])
    text = change(config)
    header["__metadata__"]["config"] = text if isinstance(text, str) else json.dumps(config)
    return joined(header, body)


def _accident(rng: Random, data: bytes) -> bytes:
    """Damage bytes anywhere, or in the header only."""
    end = len(data) if rng.random() < 0.3 else 8 + int.from_bytes(data[:8], "little")
    damaged = bytearray(data[:end])
    rng.choice(MUTATORS)(rng, damaged, data[8:200])
    return bytes(damaged) + data[end:]


def _tensors(rng: Random, data: bytes) -> bytes:
    """Set bytes of the tensors: ends of integers, exponents, tables."""
    header, body = parts(data)
    changed = bytearray(body)
    for _ in range(rng.choice((1, 1, 4, 50))):
        changed[rng.randrange(len(changed))] = rng.choice((0, 1, 9, 10, 20, 21, 127, 128, 255))
    return joined(header, bytes(changed))


def _config(rng: Random, data: bytes) -> bytes:
    """Set, remove or add fields of the config."""

    def change(config: dict[str, Any]) -> str | None:
        name = rng.choice([*config, "depth", "\x1b[2J", "\u202e"])
        how = rng.random()
        if how < 0.7:
            config[name] = rng.choice(VALUES)
        elif how < 0.8:
            config.pop(name, None)
        else:
            text = json.dumps(config)
            return rng.choice((f'{text[:-1]}, "{name}": 3}}', "[" * 10**5, "null", "7", "", "{", text * 2, "[1]"))
        return None

    return with_config(data, change)


def _metadata(rng: Random, data: bytes) -> bytes:
    """Set or remove a text of the metadata, or all of it."""
    header, body = parts(data)
    meta = header["__metadata__"]
    name = rng.choice(["architecture", "config", "order", "known_answer", "notes"])
    values = [*VALUES, *ARCHITECTURES, "[0]", "[1, 0]", "[true]", "[0.0]", "[NaN]", "[" * 10**5, "\ud800", "9" * 5000]
    if rng.random() < 0.1:
        header["__metadata__"] = rng.choice(VALUES)
    elif rng.random() < 0.2:
        meta.pop(name, None)
    else:
        meta[name] = rng.choice(values)
    return joined(header, body)


def _header(rng: Random, data: bytes) -> bytes:
    """Change the type, shape, place or name of a tensor, or repeat or nest parts of the header."""
    header, body = parts(data)
    name = rng.choice([n for n in header if n != "__metadata__"])
    entry = header[name]
    match rng.randrange(6):
        case 0:
            entry["dtype"] = rng.choice(_DTYPES)
        case 1:
            entry["shape"] = rng.choice(
                ([], [0], [1] * 100, [-1], [2**63, 2], [0, 2**40], entry["shape"][::-1], [*entry["shape"], 1], "3")
            )
        case 2:
            entry["data_offsets"] = rng.choice(([0, 0], [1, 0], [0, 2**63], [-1, 1], [0], [0, len(body)], None))
        case 3:
            header["x" * rng.choice((1, 10**5))] = header.pop(name)
        case 4:
            text = json.dumps(header)
            return joined(text[:-1] + "," + json.dumps({name: entry})[1:], body)
        case _:
            deep = rng.choice(("[" * 10**5, "[" * 100 + "]" * 100, "9" * 5000, "1e999", '"\\ud800"'))
            return joined(f'{json.dumps(header)[:-1]}, "{name}x": {deep}}}', body)
    return joined(header, body)


#: Relative frequency of each mutation.
KINDS = {_accident: 3, _tensors: 2, _config: 4, _metadata: 2, _header: 3}


def mutate(rng: Random) -> Mutation:
    """One mutation of one of the seeds."""
    (kind,) = rng.choices(list(KINDS), list(KINDS.values()))
    name = rng.choice(ARCHITECTURES)
    return Mutation(name, kind.__name__.strip("_"), kind(rng, seed_of(name)))


def _engine(model: Model) -> Engine:
    if isinstance(model, IntegerWeights):
        return WavefrontEngine(model)
    assert isinstance(model, FixedWeights)
    return FamilyEngine(model)


def attempt(data: bytes, path: Path) -> str:
    """Load a file, and let the model code an image there and back; the outcome is "refused" or "works".

    Args:
        path: place for the file.
    Raises:
        AssertionError: the model decodes another image, or the error is not one short line with the path.
        Exception: whatever else a reader must not raise.
    """
    path.write_bytes(data)
    try:
        model = load(path)
    except ModelMismatchError as e:
        if str(path) not in (text := str(e)) or "\n" in text or len(text) > 1000 + len(str(path)):
            raise AssertionError(f"an error that does not name its file in a short line: {text[:2000]}") from e
        return "refused"
    try:
        engine = _engine(model)
    except ModelMismatchError:  # it does not give its known answer
        return "refused"
    image = smooth(model.channels, 3, 4, 1, model.levels)
    (payload,) = engine.encode([Job.encoding(image)])
    (back,) = engine.decode([Job.decoding(payload, 3, 4)])
    assert np.array_equal(back, image), "the model decodes another image than it coded"
    return "works"
