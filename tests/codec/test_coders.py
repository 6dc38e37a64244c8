"""An entropy coder is one file and a line in `CODERS`: files are coded with an added coder, and read back."""

import numpy as np
import pytest
from click import Choice
from numpy.typing import NDArray
from pixcodecs.coders import registry
from pixcodecs.coders.base import Decoder, Encoder, EntropyCoder, Rows, Shape, Symbols
from pixcodecs.errors import BitstreamError

from pixzip import codec
from pixzip.cli.compress import compress
from pixzip.codec import describe, tiles
from pixzip.codec.search import Coded, Search
from tests.helpers.support import noise, photo, tiny_weights

KIND, HIGH_DEPTH_KIND = 200, 201
MODEL = tiny_weights(3)


class ToyEncoder(Encoder):
    """Writes one byte per digit, whatever the frequencies."""

    def __init__(self, shape: Shape) -> None:
        self.digits: list[NDArray[np.uint8]] = []

    def encode(self, symbols: Symbols, freqs: Rows) -> None:
        assert freqs.shape == (len(symbols), 16)
        self.digits.append(symbols.astype(np.uint8))

    def finish(self) -> bytes:
        return np.concatenate(self.digits).tobytes()


class ToyDecoder(Decoder):
    """The inverse of `ToyEncoder`."""

    def __init__(self, payload: bytes, shape: Shape) -> None:
        if len(payload) != shape.subpixels * shape.digits:
            raise BitstreamError(f"toy payload has {len(payload)} bytes")
        self.digits, self.at = np.frombuffer(payload, np.uint8), 0

    def decode(self, freqs: Rows) -> Symbols:
        self.at += len(freqs)
        return self.digits[self.at - len(freqs) : self.at].astype(np.int32)

    def check_exhausted(self) -> None:
        assert self.at == len(self.digits)


TOY = EntropyCoder("toy", KIND, HIGH_DEPTH_KIND, ToyEncoder, ToyDecoder)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.CODERS, TOY.name, TOY)


def with_model(coder: EntropyCoder) -> codec.Options:
    return codec.Options.only(MODEL, coder=coder, models_only=True)


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize("bits", [8, 12])
def test_a_coder_that_is_added_codes_files_and_reads_them(bits: int) -> None:
    images = [photo(3, 9, 14, seed).astype(np.uint8 if bits == 8 else np.uint16) << bits - 8 for seed in range(3)]
    if bits > 8:
        images = [image | image[::-1, ::-1] >> 8 for image in images]
    files = codec.compress(images, with_model(TOY))
    decoded = codec.decompress(files, with_model(TOY))
    assert all(np.array_equal(codec.as_array(a), b) for a, b in zip(decoded, images, strict=True))
    for file, image in zip(files, images, strict=True):
        block = codec.Opening(file).block(0)
        assert block[0] == (KIND if bits == 8 else HIGH_DEPTH_KIND)
        assert len(block) > image.size * bits // 4
    mixed = codec.decompress([*codec.compress(images[:1], with_model(registry.RANGE)), *files[1:]], with_model(TOY))
    assert all(np.array_equal(codec.as_array(a), b) for a, b in zip(mixed, images, strict=True))


@pytest.mark.usefixtures("toy")
def test_a_coder_that_is_added_is_searched_with_and_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "WHOLE_PIXELS", 0)
    monkeypatch.setattr(tiles, "TILE_SIDE", 20)
    image = noise(3, 40, 60, 1)
    (file,) = codec.compress([image], with_model(TOY))
    assert describe.facts(file)["blocks"] == {"TOY_MODEL": len(codec.Opening(file).header.tiles)}
    blocks = [Coded(codec.Opening(file).block(i)) for i in range(6)]
    assert Search({}, coder=TOY).whole(image, 8, blocks) is None  # only drawings are tried as a whole


def test_a_coder_that_is_not_added_is_an_unknown_kind() -> None:
    files = codec.compress([photo(3)], with_model(TOY))
    with pytest.raises(BitstreamError, match="block kind 200 is unknown to this version"):
        codec.decompress(files, with_model(TOY))


def test_wire_ids_are_what_they_ever_were() -> None:
    kinds = {name: (coder.kind, coder.high_depth_kind) for name, coder in registry.CODERS.items()}
    assert kinds == {"range": (2, 9), "rans": (11, 12)}


def test_the_command_line_offers_every_coder() -> None:
    (kind,) = (parameter.type for parameter in compress.params if parameter.name == "coder")
    assert isinstance(kind, Choice)
    assert list(kind.choices) == list(registry.CODERS)
