"""On a CPU nothing imports PyTorch: commands, the API, Pillow, Zarr and numcodecs work where it is not installed."""

import subprocess
import sys
from pathlib import Path

BLOCK = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "triton", "scipy"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""

PROGRAM = """
import io
import numcodecs
import numpy as np
import zarr
from PIL import Image

import pixzip
from pixzip import cli

def run(*args):
    try:
        cli.main(args, prog_name="pixzip")
    except SystemExit as e:
        assert not e.code, (args, e.code)

rng = np.random.default_rng(0)
smooth = np.add.outer(np.arange(24), np.arange(32))[..., None] * [1, 2, 3] + rng.integers(0, 9, (24, 32, 3))
image = smooth.astype(np.uint8)
Image.fromarray(image).save("x.png")
run("compress", "x.png", "--models-only", "--verify")
run("info", "x.png.pxz")
run("verify", "x.png.pxz")
run("decompress", "x.png.pxz", "-o", "y.png")
run("eval", "x.png")
run("models")
run("compress", "--stack", "x.png", "y.png", "-o", "s.pxz")
run("decompress", "s.pxz", "-o", "out")
assert np.array_equal(np.array(Image.open("y.png")), image)
for samples in (image, image[..., 0], image.astype(np.uint16) * 257, image[..., [0, 1, 2, 0]]):
    assert np.array_equal(pixzip.decode(pixzip.encode(samples)), samples)
with pixzip.open("x.png.pxz") as shown:
    assert np.array_equal(np.array(shown), image)
images = np.stack([image] * 2)
compressor = numcodecs.get_codec({"id": "pixzip", "model": "fast"})
serializer = {"name": "pixzip", "configuration": {"model": "fast"}}
for how in ({"zarr_format": 2, "compressors": compressor}, {"serializer": serializer, "compressors": None}):
    assert np.array_equal(zarr.create_array({}, data=images, chunks=(1, 24, 32, 3), **how)[:], images)
assert not {"torch", "scipy"} & set(sys.modules)
"""

WANTED = """
from pixzip import cli

cli.main(["train", "--data", ".", "--config", "tiny", "-o", "run"], prog_name="pixzip")
"""


def _run(program: str, folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BLOCK + program]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=400, check=False)


def test_everything_for_cpus_works_without_it(tmp_path: Path, child_env: dict[str, str]) -> None:
    done = _run(PROGRAM, tmp_path, child_env)
    assert done.returncode == 0, done.stderr[-3000:]


def test_what_needs_it_says_how_to_install_it(tmp_path: Path, child_env: dict[str, str]) -> None:
    done = _run(WANTED, tmp_path, child_env)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("pixzip: ")
    assert "pip install torch" in done.stderr
    assert done.stderr.count("\n") == 1
