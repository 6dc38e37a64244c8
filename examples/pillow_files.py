"""Files through Pillow: code that reads and writes images with Pillow needs only `import pixzip`.

python examples/pillow_files.py [FOLDER]
"""

import sys
import tempfile
from pathlib import Path

from PIL import Image

import pixzip

PHOTO = Path(__file__).parent / "photo.webp"


def main(folder: Path) -> None:
    """A thumbnail of a photograph, with a title and a resolution, to a `.pxz` file and back."""
    thumbnail = Image.open(PHOTO).convert("RGB")
    thumbnail.thumbnail((192, 192))
    thumbnail.info["Title"] = "Dragonfly on lavender"
    path = folder / "thumbnail.pxz"
    thumbnail.save(path, model="fast", dpi=(300, 300))

    with Image.open(path) as image:  # reads the header alone
        print(f"{path.name}: {image.format} {image.mode} {image.size}, {image.info['Title']!r}")
        assert image.tobytes() == thumbnail.tobytes()  # decodes
    print(f"{path.stat().st_size:,} bytes; models: {[m['name'] for m in pixzip.info(path.read_bytes())['models']]}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
