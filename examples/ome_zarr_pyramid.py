"""An OME-Zarr pyramid of a microscope's planes, coded by pixzip. Needs ome-zarr and pixzip's extra `zarr`.

python examples/ome_zarr_pyramid.py [FOLDER]
"""

import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from pixzip.zarr import PixzipCodec, recompress

with warnings.catch_warnings():  # ome-zarr deprecates a class of its own
    warnings.simplefilter("ignore")
    from ome_zarr import writer

SIDE, PLANES = 128, 3
AXES = [
    {"name": "t", "type": "time"},
    {"name": "c", "type": "channel"},
    {"name": "z", "type": "space"},
    {"name": "y", "type": "space"},
    {"name": "x", "type": "space"},
]


def cells(seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint16]]:
    """(1, 2, Z, Y, X) uint16 of 12 bits: blurred spheres in two stains, with the noise of counted light."""
    rng = np.random.default_rng(seed)
    z, y, x = np.mgrid[:PLANES, :SIDE, :SIDE]
    image = np.full((2, PLANES, SIDE, SIDE), 40.0)
    for _ in range(25):
        at_y, at_x, at_z = rng.random(3) * (SIDE, SIDE, PLANES)
        radius, light = rng.uniform(5, 14), rng.uniform(200, 1500)
        distance = np.hypot(np.hypot(y - at_y, x - at_x), 6 * (z - at_z))
        image[0] += light / (1 + np.exp((distance - radius) / 1.5))
        image[1] += 0.4 * light / (1 + np.exp((distance - radius / 2) / 1.5))
    return rng.poisson(image)[None].clip(0, 4095).astype(np.uint16)


def write_pyramid(image: np.ndarray[Any, Any], place: Path, **options: Any) -> None:
    """Write an OME-Zarr 0.5 image of two levels, in chunks of one plane.

    Args:
        options: arguments of `zarr.create_array`; by default the codecs are those of ome-zarr.
    """
    chunks = (1, 1, 1, SIDE // 2, SIDE // 2)
    writer.write_image(image, str(place), scale_factors=[2], axes=AXES, storage_options={"chunks": chunks, **options})


def stored(place: Path) -> int:
    """The bytes of all files in a folder."""
    return sum(file.stat().st_size for file in place.rglob("*") if file.is_file())


def main(folder: Path) -> None:
    """Write a pyramid by ome-zarr with the codec, and copy one that it wrote with its own codec."""
    image = cells()
    write_pyramid(image, folder / "cells.ome.zarr", serializer=PixzipCodec("fast"), compressors=None)
    write_pyramid(image, folder / "zstd.ome.zarr")
    for found in recompress(folder / "zstd.ome.zarr", folder / "copy.ome.zarr", model="fast", verify=True):
        print(f"{found.name}: {found.units} chunks, {found.bytes_before:,} -> {found.bytes_after:,} bytes")

    for name in ("cells", "copy"):
        level = zarr.open_array(folder / f"{name}.ome.zarr" / "s0", mode="r")
        assert (np.asarray(level[:]) == image).all()
    print(f"{image.shape} {image.dtype} and a level: {stored(folder / 'zstd.ome.zarr'):,} bytes, "
          f"{stored(folder / 'cells.ome.zarr'):,} with pixzip")  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
