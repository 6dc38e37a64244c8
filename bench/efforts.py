"""Measure the sizes of files at every effort: totals of sets, and files that are larger than at a lower effort.

python -m bench.efforts pngsuite.tar graphics.tar photos-valid.tar --pixels 65536 --out bench/results/efforts.json
"""

import contextlib
import tarfile
from pathlib import Path
from typing import Any

import click
from pixcodecs.errors import PixzipError

from bench.common import provenance, table, write
from pixzip import codec
from pixzip.codec.efforts import EFFORTS
from pixzip.codec.options import Options
from pixzip.image.picture import Picture
from pixzip.image.read import load

#: A file may be this much larger than at a lower effort.
MORE, MORE_BYTES = 1.01, 8


def pictures(path: Path, pixels: int) -> list[tuple[str, Picture]]:
    """The images of a tar of at most so many pixels; of larger ones a square from the middle."""
    found = []
    with tarfile.open(path) as tar:
        for member in sorted((m for m in tar.getmembers() if m.isfile()), key=lambda m: m.name):
            data = tar.extractfile(member)
            assert data is not None  # it is a file
            with contextlib.suppress(PixzipError):  # PngSuite has damaged files
                found.append((member.name, _middle(load(data.read()).picture, pixels)))
    return found


def _middle(picture: Picture, pixels: int) -> Picture:
    side = int(pixels**0.5)
    if picture.width * picture.height <= pixels:
        return picture
    y, x = (max(0, n - side) // 2 for n in (picture.height, picture.width))
    return codec.as_picture(picture.samples[y : y + side, x : x + side])


@click.command()
@click.argument("sets", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--pixels", default=1 << 16, show_default=True, help="Larger images are cut to a square of this many.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path))
def main(sets: tuple[Path, ...], pixels: int, out: Path | None) -> None:
    """Compress the images of each set at every effort; every file is decoded and compared."""
    results: dict[str, Any] = {}
    for path in sets:
        named = pictures(path, pixels)
        images = [picture for _, picture in named]
        sizes: dict[int, list[int]] = {}
        for effort in EFFORTS:
            options = Options.of(effort=effort)
            made = codec.compress(images, options)
            if codec.decompress(made, options) != images:
                raise SystemExit(f"{path.name}: effort {effort} does not give an image back")
            sizes[effort] = [len(data) for data in made]
        larger = []
        for i, (name, _) in enumerate(named):
            for effort in EFFORTS:
                least = min((sizes[e][i] for e in range(1, effort)), default=sizes[effort][i])
                allowed = least if effort == max(EFFORTS) else MORE * least + MORE_BYTES
                if sizes[effort][i] > allowed:
                    larger.append({"file": name, "effort": effort, "bytes": sizes[effort][i], "least_before": least})
        totals = {str(effort): sum(of) for effort, of in sizes.items()}
        results[path.stem] = {"images": len(images), "totals": totals, "larger": larger}
        click.echo(f"{path.name}: {totals}, {len(larger)} larger", err=True)
    write(out, {"benchmark": "efforts", **provenance(sets, [], 1), "pixels": pixels, "sets": results})
    rows = [[name, str(r["images"]), *(f"{n:,}" for n in r["totals"].values())] for name, r in results.items()]
    click.echo(table(["set", "images", *map(str, EFFORTS)], rows), err=True)


if __name__ == "__main__":
    main()
