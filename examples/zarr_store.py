"""A Zarr array of images: written chunk by chunk, read in part. Needs `pip install 'zarr>=3'`.

python examples/zarr_store.py [FOLDER]
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import zarr
from PIL import Image

from pixzip.zarr import PixzipCodec

PHOTO = Path(__file__).parent / "photo.webp"


def main(folder: Path) -> None:
    """Tiles of a photograph as a stack of images, eight a chunk."""
    photo = np.asarray(Image.open(PHOTO).convert("RGB"))
    tiles = np.stack([photo[y : y + 64, x : x + 64] for y in range(0, 256, 64) for x in range(0, 256, 64)])
    store = folder / "tiles.zarr"
    zarr.create_array(
        store, data=tiles, chunks=(8, 64, 64, 3), serializer=PixzipCodec("fast"), compressors=None
    )  # fmt: skip

    array = zarr.open_array(store, mode="r")  # readers need pixzip installed, but not imported
    assert isinstance(array, zarr.Array)
    assert (np.asarray(array[5]) == tiles[5]).all()
    size = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
    print(f"{array.shape} {array.dtype}: {tiles.nbytes:,} bytes in memory, {size:,} in {store.name}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
