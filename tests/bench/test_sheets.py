"""The training half of a set of drawings: the choice of files, and sheets of small ones."""

import importlib
import io
import tarfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def bench() -> ModuleType:
    return importlib.import_module("bench.pictures.sheets")


def test_sheets_hold_the_training_half_alone(bench: ModuleType, tmp_path: Path) -> None:
    tar = tmp_path / "drawings.tar"
    with tarfile.open(tar, "w") as out:
        for i in range(40):
            size = (80, 70) if i < 6 else (9, 11)
            data = io.BytesIO()
            Image.new("RGBA", size, (i + 1, 0, 0, 200 - i)).save(data, "PNG")
            info = tarfile.TarInfo(f"drawings/icons/{i}.png")
            info.size = len(data.getvalue())
            out.addfile(info, io.BytesIO(data.getvalue()))
    mine = {i + 1 for i in range(40) if bench.trained_on(f"drawings/icons/{i}.png")}
    assert 0 < len(mine) < 40
    found = dict(bench.sheets(tar, 3))
    seen = set(np.unique(np.concatenate([x[..., 0].ravel() for x in found.values()])).tolist())
    assert seen <= mine
    assert {name for name in found if not name.startswith("sheet")} == {
        f"drawings_icons_{i}.png" for i in range(6) if i + 1 in mine
    }
    assert all(x.shape == (256, 256, 3) for name, x in found.items() if name.startswith("sheet"))
    others = dict(bench.sheets(tar, 3, trained=False))
    assert not mine & set(np.unique(np.concatenate([x[..., 0].ravel() for x in others.values()])).tolist())
    assert not dict(bench.sheets(tar, 1))  # every image has constant alpha
