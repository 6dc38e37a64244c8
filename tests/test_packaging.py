"""The wheel is complete: installed elsewhere, it codes an image without the checkout."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

import pixzip
from tests.conftest import ROOT

ROUND_TRIP = """
import sys
from pathlib import Path

import numpy as np
import pixcodecs
import pixzip
from pixzip import codec
from pixzip.models import library

target = Path(sys.argv[1]).resolve()
for package in (pixzip, pixcodecs):
    assert Path(package.__file__).resolve().is_relative_to(target), package.__file__
    assert Path(package.__file__).with_name("py.typed").exists(), package.__file__
assert (Path(pixzip.__file__).parent / "report" / "templates" / "page.html").exists()
image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
files = codec.compress([image])
(again,) = codec.decompress(files)
assert np.array_equal(codec.as_array(again), image)
print(*sorted(p.name for p in library.WEIGHTS.iterdir()))
"""

#: Runs first, before anything of the package is imported, because numcodecs must find the codec by itself.
ENTRY_POINTS = """
import numcodecs
import numpy as np
import zarr

images = np.random.default_rng(0).integers(0, 256, (3, 2, 3, 3), dtype=np.uint8)
compressor = numcodecs.get_codec({"id": "pixzip", "model": "fast", "effort": 1})
serializer = {"name": "pixzip", "configuration": {"model": "fast", "effort": 1}}
for how in ({"zarr_format": 2, "compressors": compressor}, {"serializer": serializer, "compressors": None}):
    array = zarr.create_array({}, data=images, chunks=(2, 2, 3, 3), **how)
    assert np.array_equal(array[:], images)
"""


def _run(command: list[str], cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _lend_kernels(target: Path) -> None:
    """Copy this checkout's compiled kernels to a package's modules, of which they are a function and not of the place.

    Compiling them again takes a minute; if they are kept elsewhere, the package compiles its own.
    """
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    pixzip.decode(pixzip.encode(image))  # so that they are there
    for folder, root in (("pixzip", ROOT), ("pixcodecs", ROOT / "codecs")):
        for kernel in (root / folder).rglob("__pycache__/*.nb[ic]"):
            copy = target / kernel.relative_to(root)
            copy.parent.mkdir(exist_ok=True)
            shutil.copy(kernel, copy)


def test_installed_wheel_round_trips_images_without_the_checkout(tmp_path: Path) -> None:
    source, wheels, target, elsewhere = (tmp_path / name for name in ("source", "wheels", "target", "elsewhere"))
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for folder in ("pixzip", "codecs"):
        shutil.copytree(ROOT / folder, source / folder, ignore=ignore)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    elsewhere.mkdir()
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    _run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(wheels), str(source)], tmp_path)
    (wheel,) = wheels.glob("pixzip-*.whl")
    _run([*pip, "install", "--no-deps", "--no-index", "--target", str(target), str(wheel)], tmp_path)

    _lend_kernels(target)
    env = {**os.environ, "PYTHONPATH": str(target)}
    output = _run([sys.executable, "-c", ENTRY_POINTS + ROUND_TRIP, str(target)], elsewhere, env)

    assert output.split() == sorted(p.name for p in (ROOT / "pixzip" / "weights").iterdir())
