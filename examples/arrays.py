"""Arrays in memory: encode many at once, decode them, and see which pixels took the bits.

python examples/arrays.py
"""

from pathlib import Path

import numpy as np
from PIL import Image

import pixzip

PHOTO = Path(__file__).parent / "photo.webp"


def main() -> None:
    """Four parts of a photograph, coded as one batch."""
    photo = np.asarray(Image.open(PHOTO).convert("RGB"))
    parts = [photo[y : y + 96, x : x + 128] for y in (200, 300) for x in (300, 500)]
    codec = pixzip.Codec("fast")  # holds the model; share it between threads
    files = codec.encode_batch(parts)
    for part, back in zip(parts, codec.decode_batch(files), strict=True):
        assert (part == back).all()
    total, raw = sum(map(len, files)), sum(part.nbytes for part in parts)
    print(f"{len(files)} images: {raw:,} bytes in memory, {total:,} in files")

    bits = codec.bits_map(files[0])
    y, x = np.unravel_index(bits.argmax(), bits.shape)
    print(f"the most surprising pixel of the first: {bits[y, x]:.1f} bits at {x},{y}; {bits.mean():.1f} on average")


if __name__ == "__main__":
    main()
