"""`compress --embed-model`: models that travel with files, stacks, pages and folders."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pixcodecs.container import models, references

import pixzip
from pixzip.codec import carried
from pixzip.io import stores, upward
from pixzip.models import library
from pixzip.torch import Images
from tests.helpers import golden
from tests.helpers.shell import bad, good

MINE = golden.weights(3)
FILE = references.file_name(MINE.model_id)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model of the user's own, and a tree of images for it."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(golden.FOLDER / "model-3.safetensors", "mine.safetensors")
    Path("tree/sub").mkdir(parents=True)
    for i, name in enumerate(("a.png", "sub/b.png")):
        Image.fromarray(np.roll(golden.image((12, 14, 3)), i, 0)).save(f"tree/{name}")
    Image.fromarray(golden.image((12, 14, 3))).save("tree/sub/kept.jpg")
    return tmp_path


def compress(*args: str) -> str:
    own = ("--model", "mine.safetensors", "--models-only", "--embed-model", "-e", "1", "--device", "cpu")
    return good("compress", *own, *args).stderr


def forget_model() -> None:
    Path("mine.safetensors").unlink()


def test_a_file_by_itself_embeds_its_model_and_the_command_says_what_that_adds(place: Path) -> None:
    said = compress("tree/a.png", "-o", "a.pxz")
    (model,) = pixzip.info(Path("a.pxz").read_bytes())["models"]
    size = Path("a.pxz").stat().st_size
    assert said == f"pixzip: the embedded model takes {model['embedded_bytes']:,} of {size:,} bytes\n"
    assert model["id"] == MINE.model_id.hex()
    forget_model()
    good("decompress", "a.pxz", "-o", "b.png")
    assert Path("b.png").read_bytes() == Path("tree/a.png").read_bytes()
    assert "embedded" in good("info", "a.pxz").stdout
    good("verify", "a.pxz")


def test_several_files_say_that_a_tree_stores_a_model_once(place: Path) -> None:
    Path("out").mkdir()
    lines = compress("tree/a.png", "tree/sub/b.png", "tree/sub/kept.jpg", "-o", "out", "--json")
    assert "in 2 files: -r and --stack store a model once" in lines
    found = good("compress", "--model", "mine.safetensors", "-e1", "-f", "tree/a.png", "-o", "c.pxz", "--json").stdout
    assert json.loads(found.splitlines()[0])["model_bytes"] is None


def test_a_tree_has_one_model_file_which_another_process_finds(place: Path) -> None:
    """The process has no access to the model of the user."""
    assert "embedded" not in compress("-r", "tree", "-o", "archive", "-v")
    assert sorted(p.name for p in Path("archive").iterdir()) == ["a.png.pxz", "pixzip-manifest.jsonl", FILE, "sub"]
    assert max(Path(f"archive/{name}.pxz").stat().st_size for name in ("a.png", "sub/b.png")) < 1200
    compress("-r", "tree", "-o", "archive")  # skips everything
    forget_model()
    code = """
import sys; sys.argv[1:] = ["decompress", "-r", "archive", "-o", "again", "--device", "cpu"]
from pixzip.cli import main
main(standalone_mode=False)
"""
    environment = {name: value for name, value in os.environ.items() if name != library.FOLDERS}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    for name in ("a.png", "sub/b.png", "sub/kept.jpg"):
        assert Path(f"again/{name}").read_bytes() == Path(f"tree/{name}").read_bytes()
    assert not list(Path("again").glob("pixzip-model*"))
    assert "in no manifest" not in good("verify", "-r", "archive").stderr  # such as the model file
    facts = json.loads(good("info", "--json", "archive/sub/b.png.pxz").stdout)["models"][0]
    assert (facts["model_file"], Path(facts["model_file_found"]).name) == (FILE, FILE)
    with pixzip.open("archive/sub/b.png.pxz") as shown:
        assert (np.asarray(shown) == np.roll(golden.image((12, 14, 3)), 1, 0)).all()
    whole = Path("archive", FILE).read_bytes()
    Path("archive", FILE).write_bytes(whole[:-1])
    bad("verify", "-r", "archive", words=FILE)
    Path("archive", FILE).unlink()
    bad("verify", "archive/sub/b.png.pxz", words=f"its file {FILE} is neither beside this file nor in a folder above")
    assert "which is missing" in good("info", "archive/sub/b.png.pxz").stdout
    Path("moved.pxz").write_bytes(whole)
    good("verify", "archive/sub/b.png.pxz", "--model", "moved.pxz")


def test_without_an_output_folder_the_model_file_is_in_the_folder_that_was_named(place: Path) -> None:
    compress("-r", "tree")
    assert Path("tree", FILE).is_file()
    assert not Path("tree/sub", FILE).exists()
    forget_model()
    good("verify", "-r", "tree")


def test_a_damaged_model_file_in_the_way_is_only_overwritten_by_force(place: Path) -> None:
    Path("archive").mkdir()
    Path("archive", FILE).write_bytes(b"another file")
    own = ("--model", "mine.safetensors", "--models-only", "--embed-model", "-e1", "-r", "tree", "-o", "archive")
    bad("compress", *own, words=f"{FILE} exists: -f overwrites it")
    assert not list(Path("archive").rglob("*.png.pxz"))
    good("compress", "-f", *own)
    good("verify", "-r", "archive")


def test_a_stack_and_pages_embed_their_model_once(place: Path) -> None:
    said = compress("--stack", "tree/a.png", "tree/sub/b.png", "-o", "set.pxz")
    assert said.startswith("pixzip: the embedded model takes ")
    frames = [Image.fromarray(np.roll(golden.image((12, 14, 3)), i, 0)) for i in range(3)]
    frames[0].save("pages.tif", save_all=True, append_images=frames[1:])
    compress("pages.tif")
    facts = pixzip.info(Path("pages.tif.pxz").read_bytes())
    assert facts["file_bytes"] < 2 * facts["models"][0]["embedded_bytes"]
    forget_model()
    good("verify", "set.pxz", "pages.tif.pxz")
    assert len(pixzip.decode_pages(Path("pages.tif.pxz").read_bytes())) == 3
    with pixzip.open("pages.tif.pxz") as shown:
        shown.seek(2)  # the model is in the first page
        assert (np.asarray(shown) == np.asarray(frames[2])).all()


def test_strip_leaves_the_model_and_rm_finds_it(place: Path) -> None:
    picture = Image.open("tree/a.png")
    picture.save("text.png", pnginfo=None, dpi=(72, 72))
    compress("--strip", "text.png")
    compress("-r", "--rm", "tree", "-o", "archive")
    assert not Path("tree/a.png").exists()
    forget_model()
    assert not pixzip.info(Path("text.png.pxz").read_bytes())["metadata"]
    good("verify", "-r", "text.png.pxz", "archive")


def test_python_embeds_models_as_the_command_does(place: Path, models_only: None) -> None:
    image = golden.image((12, 14, 3))
    codec = pixzip.Codec("mine.safetensors", "cpu", effort=1, embed_model=True)
    stack = codec.encode_stack([image, image])
    done = pixzip.compress_tree("tree", "archive", model="mine.safetensors", device="cpu", effort=1, embed_model=True)
    assert (done.done, done.failed) == (3, {})
    file = pixzip.encode(image, "mine.safetensors", "cpu", effort=1, embed_model=True)
    forget_model()
    assert (pixzip.decode(file) == image).all()
    assert (pixzip.decode_stack(stack).images[1] == image).all()
    assert Path("archive", FILE).is_file()
    good("verify", "-r", "archive")
    with pytest.raises(TypeError, match="embed_model is str 'yes', expected True or False"):
        pixzip.Codec(embed_model="yes")  # type: ignore[arg-type]


def test_a_tree_in_a_store_has_one_model_file_which_readers_find(place: Path, store: str) -> None:
    compress("-r", "tree", "-o", "archive")
    packed = f"{store}/deep/archive"
    compress("-r", "tree", "-o", packed)
    written = {found.inner: stores.read(found.url) for found in stores.below(packed)}
    expected = {path.relative_to("archive").as_posix(): path for path in Path("archive").rglob("*.pxz")}
    assert {name: data for name, data in written.items() if name.endswith(".pxz")} == {
        name: path.read_bytes() for name, path in expected.items()
    }
    stores.remove(f"{packed}/sub/b.png.pxz")
    compress("-r", "tree", "-o", packed)  # finds the model file there
    forget_model()
    good("decompress", "-r", packed, "-o", "again")
    for name in ("a.png", "sub/b.png", "sub/kept.jpg"):
        assert Path(f"again/{name}").read_bytes() == Path(f"tree/{name}").read_bytes()
    assert not list(Path("again").glob("pixzip-model*"))
    assert "in no manifest" not in good("verify", "-r", packed).stderr
    facts = json.loads(good("info", "--json", f"{packed}/sub/b.png.pxz").stdout)["models"][0]
    assert facts["model_file_found"] == f"{packed}/{FILE}"
    image = np.roll(golden.image((12, 14, 3)), 1, 0)
    with pixzip.open(f"{packed}/sub/b.png.pxz") as shown:
        assert (np.asarray(shown) == image).all()
    assert (Images(packed)[1] == image).all()


def test_a_model_file_in_a_store_that_is_no_good_is_refused_until_it_is_mended(place: Path, memory: str) -> None:
    compress("-r", "tree", "-o", memory)
    forget_model()
    url = f"{memory}/{FILE}"
    whole = stores.read(url)
    good("verify", f"{memory}/a.png.pxz")
    for bad_one, why in (
        (whole[:-1], "is not a model file"),
        (b"", "is not a model file"),
        (models.pack_file(bytes(8), models.read_file(whole)[1]), f"expected {MINE.model_id.hex()}"),
    ):
        upward.StoreFolder(memory).forget()
        stores.write(url, bad_one)
        bad("verify", f"{memory}/a.png.pxz", words=why)
        stores.write(url, whole)
        good("verify", f"{memory}/a.png.pxz")
    upward.StoreFolder(memory).forget()
    stores.remove(url)
    bad("verify", f"{memory}/a.png.pxz", words=f"its file {FILE} is neither beside this file nor in a folder above")
    stores.write(url, whole)
    good("verify", f"{memory}/a.png.pxz")


def test_another_file_in_the_way_in_a_store_is_only_overwritten_by_force(place: Path, memory: str) -> None:
    stores.write(f"{memory}/{FILE}", b"another file")
    own = ("--model", "mine.safetensors", "--models-only", "--embed-model", "-e1", "-r", "tree", "-o", memory)
    bad("compress", *own, words=f"{FILE} exists: -f overwrites it")
    assert not [found for found in stores.below(memory) if found.inner.endswith("png.pxz")]
    good("compress", "-f", *own)
    good("verify", "-r", memory)


def test_a_model_file_that_another_worker_has_written_meanwhile_is_good(
    place: Path, memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_of = carried.file_of

    def late(model: Any) -> bytes:
        data = file_of(model)
        stores.write(f"{memory}/{FILE}", data)
        return data

    monkeypatch.setattr(carried, "file_of", late)
    compress("-r", "tree", "-o", memory)
    good("verify", "-r", memory)


def test_a_reader_asks_for_a_model_file_once_for_many_files(place: Path, slow: Any, models_only: None) -> None:
    for i in range(4):
        shutil.copy("tree/a.png", f"tree/{i}.png")
    done = pixzip.compress_tree(
        "tree", "slow://shelf", model="mine.safetensors", device="cpu", effort=1, embed_model=True
    )  # fmt: skip
    assert (done.done, done.failed) == (7, {})
    forget_model()
    slow.asked.clear()
    good("decompress", "-r", "slow://shelf", "-o", "again")
    assert len([path for path, _, _ in slow.asked if path == f"shelf/{FILE}"]) == 1
    assert Path("again/3.png").read_bytes() == Path("tree/a.png").read_bytes()


def test_the_folder_above_a_url_is_a_url_or_nothing() -> None:
    for url, folder in {
        "s3://b/a/c.pxz": "s3://b/a", "s3://b/c.pxz": "s3://b", "s3://b": None, "simplecache::s3://b/a/c": "simplecache::s3://b/a",
        "zip://a/b.pxz::s3://b/c.zip": None, "memory://a": None,
    }.items():  # fmt: skip
        found = upward.folder_of(url)
        assert (found and found.url) == folder
