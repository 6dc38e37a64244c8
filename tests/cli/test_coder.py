"""The entropy coder of a file, chosen on the command line and in the API."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pixcodecs.coders.registry import RANS
from pixcodecs.container import blocks
from pixcodecs.container import image as container
from pixcodecs.container.blocks import Kind
from pixcodecs.container.image import Header, Layout, Tile
from pixcodecs.errors import BitstreamError, ModelMismatchError

import pixzip
from pixzip import codec
from pixzip.engine.family import with_known_answer
from pixzip.models.family.weights import fixed
from tests.helpers.family import tiny
from tests.helpers.shell import bad, good, run
from tests.helpers.support import photo, tiny_weights

RANS = RANS


def test_a_model_of_the_family_is_refused_and_so_is_a_block_that_names_one(folder: Path) -> None:
    model = with_known_answer(fixed(tiny("pixelcnn-1", hidden=2, layers=1, features=2)))
    (folder / "family.model").write_bytes(model.to_bytes())
    said = f"model {model.model_id.hex()} codes by range only, not by rans"
    bad("compress", "rgb.png", "--model", "family.model", "--coder", "rans", words=said)
    assert not (folder / "rgb.png.pxz").exists()
    with pytest.raises(ModelMismatchError, match=said):
        codec.compress([photo(3)], codec.Options.only(model, coder=RANS))
    block = blocks.model(0, bytes(64), RANS)
    tile = Tile(len(block), container.crc32(block), 0)
    header = container.pack_header(Header(4, 4, Layout.RGB, 8, (model.model_id,), (), 4, 4, (tile,)))
    with pytest.raises(BitstreamError, match="models of the PixelRNN family code by range only, not by rans"):
        codec.decompress([header + block], codec.Options.only(model))


def blocks_of(name: str) -> list[Kind]:
    file = Path(name).read_bytes()
    return [
        Kind(container.block(file, codec.Opening(file).header, i)[0])
        for i in range(len(codec.Opening(file).header.tiles))
    ]


@pytest.mark.usefixtures("shipped")
def test_the_command_line_codes_by_rans_and_says_so() -> None:
    good("compress", "rgb.png", "--models-only", "--model", "base", "-e", "1", "--verify", "--coder", "rans", "--no-original")
    assert blocks_of("rgb.png.pxz") == [Kind.RANS_MODEL]
    assert "RANS_MODEL" in good("info", "rgb.png.pxz").stdout
    good("verify", "rgb.png.pxz")
    good("decompress", "rgb.png.pxz", "-o", "back.png")
    with Image.open("back.png") as back, Image.open("rgb.png") as original:
        assert np.array_equal(np.asarray(back), np.asarray(original))
    good("compress", "rgb.png", "--models-only", "--model", "base", "-e", "1", "-o", "by-default.pxz")
    assert blocks_of("by-default.pxz") == [Kind.MODEL]


@pytest.mark.usefixtures("shipped", "large")
def test_large_images_are_the_same_file_by_bands_as_at_once() -> None:
    x = photo(3, 70, 50)
    Image.fromarray(x).save("x.png")
    good("compress", "x.png", "--models-only", "--model", "base", "-e", "1", "--verify", "--coder", "rans", "--no-original")
    (at_once,) = codec.compress([x], codec.Options(tiny_weights, models_only=True, coder=RANS))
    assert Path("x.png.pxz").read_bytes() == at_once
    assert set(blocks_of("x.png.pxz")) == {Kind.RANS_MODEL}


@pytest.mark.usefixtures("shipped")
def test_a_stack_and_an_unknown_coder_are_wrong_usage() -> None:
    refused = run("compress", "--stack", "rgb.png", "grey.png", "--coder", "rans")
    assert refused.exit_code == 2
    assert "--stack does not go with --coder rans" in refused.stderr
    assert "'huffman' is not one of 'range', 'rans'" in run("compress", "rgb.png", "--coder", "huffman").stderr


@pytest.mark.usefixtures("shipped", "models_only")
def test_the_api_codes_by_rans() -> None:
    image = photo(3, 24, 32)
    own = pixzip.Codec(coder="rans")
    file = own.encode(image)
    assert codec.Opening(file).header.models
    assert np.array_equal(own.decode(file), image)
    assert np.array_equal(pixzip.decode(file), image)
    assert pixzip.bits_map(file).sum() == pytest.approx(
        8 * (len(file) - codec.Opening(file).header.size_bytes), rel=1e-4
    )
    with pytest.raises(ValueError, match="huffman"):
        pixzip.Codec("base", coder="huffman")
