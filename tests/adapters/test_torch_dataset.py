"""A data set of PyTorch over folders, stacks and URLs, read by PyTorch's own loader in forked and spawned workers."""

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import pixzip
from pixzip.io import stores
from pixzip.torch import Images
from tests.conftest import ROOT
from tests.helpers.support import photos

PHOTOS = photos(3, 10, 12)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of b.pxz and in/a.pxz, beside files that do not count."""
    (tmp_path / "set" / "in").mkdir(parents=True)
    pixzip.save(PHOTOS[0], tmp_path / "set" / "in" / "a.pxz", "fast", effort=1)
    pixzip.save(PHOTOS[1], tmp_path / "set" / "b.pxz", "fast", effort=1)
    pixzip.save(PHOTOS[2], tmp_path / "set" / ".hidden.pxz", "fast", effort=1)
    (tmp_path / "set" / "about.txt").write_text("two images")
    return tmp_path / "set"


def test_forked_and_spawned_workers_decode_folders_and_stacks(tmp_path: Path, child_env: dict[str, str]) -> None:
    command = [sys.executable, "-m", "tests.helpers.loaders", str(tmp_path)]
    done = subprocess.run(command, env=child_env, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr[-4000:]


def test_a_folder_is_read_by_its_names_and_in_batches(folder: Path) -> None:
    found = Images(folder)
    assert found.names == ("b.pxz", "in/a.pxz")
    np.testing.assert_array_equal(found[1], PHOTOS[0])
    (batch,) = DataLoader(found, batch_size=2, shuffle=False)
    assert torch.equal(batch, torch.from_numpy(PHOTOS[[1, 0]]))
    with pytest.raises(IndexError):
        found[2]


def test_a_stack_is_decoded_once_and_not_pickled(tmp_path: Path) -> None:
    path = tmp_path / "s.pxz"
    path.write_bytes(pixzip.encode_stack(PHOTOS[..., 0], "fast", names=["a", "b", "c"]))
    found = Images(str(path), transform=np.sum)
    assert (len(found), found.names) == (3, ("a", "b", "c"))
    assert "_stack" not in found.__dict__
    assert found[2] == PHOTOS[2, ..., 0].sum()
    path.unlink()
    assert found[0] == PHOTOS[0, ..., 0].sum()
    again = pickle.loads(pickle.dumps(found))  # noqa: S301 (made here)
    assert len(pickle.dumps(found)) < 1000
    with pytest.raises(FileNotFoundError):
        again[0]


def test_a_folder_at_a_url_is_read() -> None:
    pytest.importorskip("fsspec")
    for i, image in enumerate(PHOTOS):
        pixzip.save(image, f"memory://torch/{i}.pxz", "fast", effort=1)
    stores.write("memory://torch/about.txt", b"three images")
    found = Images("memory://torch")
    assert found.names == ("0.pxz", "1.pxz", "2.pxz")
    np.testing.assert_array_equal(np.stack(list(found)), PHOTOS)


def test_what_is_damaged_or_missing_is_named(folder: Path) -> None:
    data = (folder / "b.pxz").read_bytes()
    (folder / "b.pxz").write_bytes(data[:-1])
    found = Images(folder)
    with pytest.raises(pixzip.BitstreamError, match=r"^b.pxz: "):
        found.__getitems__([1, 0])
    (folder / "empty").mkdir()
    for place in (folder / "empty", folder / "in" / "a.pxz", folder / "about.txt"):
        with pytest.raises(pixzip.PixzipError, match=r"is no stack, and no folder with \.pxz files"):
            Images(place)
    with pytest.raises(FileNotFoundError):
        Images(folder / "none")


def test_a_batch_of_files_in_a_store_is_asked_for_together(slow: Any) -> None:
    for i, image in enumerate(PHOTOS):
        pixzip.save(image, f"slow://shelf/{i}.pxz", "fast", effort=1)
    found = Images("slow://shelf")
    slow.at_once = 0
    for image, expected in zip(found.__getitems__([2, 0, 1, 2]), [*PHOTOS[[2, 0, 1]], PHOTOS[2]], strict=True):
        np.testing.assert_array_equal(image, expected)
    assert slow.at_once == 4
    slow.refused["shelf/1.pxz"] = PermissionError("not for you")
    with pytest.raises(PermissionError, match="not for you"):
        found.__getitems__([0, 1])
