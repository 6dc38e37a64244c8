"""Pixels that came out of a JPEG decoder: what pixzip and JPEG XL make of them.

    python bench/jpeg_inside.py photos-train-0.tar --ordinary photos-valid.tar --ordinary kodak.tar \
        --out bench/results/jpeg-inside.json --page docs/jpeg.md

The photographs of DATA, crops of 256 x 256, are joined in pairs, coded as JPEGs of each quality and sampling by
libjpeg-turbo (Pillow, imagecodecs), decoded, and in one half of the cases cropped by odd numbers of rows and columns.
Every file is decoded and compared.  Photographs that never were JPEGs (`--ordinary`) show what the search costs where
there is nothing to find.  Without DATA, the page is rewritten from the JSON.
"""

import io
import itertools
import json
import time
from pathlib import Path
from typing import Any

import click
import imagecodecs
import numpy as np
from common import RESULTS, load, origin, provenance, set_threads, table, write
from numpy.typing import NDArray
from PIL import Image
from pixcodecs.jpeg.finding.find import find

import pixzip

START, END = "<!-- jpeg-inside:start -->", "<!-- jpeg-inside:end -->"
QUALITIES = (50, 75, 85, 90, 95)
SAMPLINGS = ("4:4:4", "4:2:2", "4:2:0", "4:4:0", "grey")
#: Rows and columns that are cut off at the top, left, bottom and right.
CROPS = {"whole": (0, 0, 0, 0), "cropped": (3, 5, 1, 7)}
#: A table that is not standard [1], for qualities of its own.
#: [1] N. Robidoux, ImageMagick's forum, 2012; the default of mozjpeg.
OTHER = (
    16, 16, 16, 18, 25, 37, 56, 85, 16, 17, 20, 27, 34, 40, 53, 75, 16, 20, 24, 31, 43, 62, 91, 135, 18, 27, 31, 40, 53,
    74, 106, 156, 25, 34, 43, 53, 69, 94, 131, 189, 37, 40, 62, 74, 94, 124, 169, 238, 56, 53, 91, 106, 131, 169, 226,
    311, 85, 75, 135, 156, 189, 238, 311, 418,
)  # fmt: skip
OTHER_SCALES = (25, 50)
Pixels = NDArray[np.uint8]


def jpeg(pixels: Pixels, quality: int, sampling: str) -> bytes:
    """A JPEG by libjpeg-turbo."""
    if sampling == "4:4:0":  # which Pillow does not write
        return bytes(imagecodecs.jpeg8_encode(pixels, level=quality, subsampling="440"))
    out, image = io.BytesIO(), Image.fromarray(pixels)
    if sampling == "grey":
        image.convert("L").save(out, "JPEG", quality=quality, optimize=True)
    else:
        image.save(out, "JPEG", quality=quality, optimize=True, subsampling=SAMPLINGS.index(sampling))
    return out.getvalue()


def jpeg_of_other_tables(pixels: Pixels, scale: int) -> bytes:
    """A JPEG of 4:2:0 and tables that are not standard."""
    out, steps = io.BytesIO(), [min(max((t * scale + 50) // 100, 1), 255) for t in OTHER]
    Image.fromarray(pixels).save(out, "JPEG", qtables=[steps, steps], subsampling=2, optimize=True)
    return out.getvalue()


def measured(data: bytes, crop: tuple[int, int, int, int]) -> dict[str, Any]:
    """Bytes by pixzip and by JPEG XL of a JPEG's pixels, and what was found.

    Raises:
        SystemExit: a decoded pixel differs.
    """
    decoded = np.asarray(Image.open(io.BytesIO(data)))
    top, left, bottom, right = crop
    pixels = np.ascontiguousarray(decoded[top : decoded.shape[0] - bottom, left : decoded.shape[1] - right])
    start = time.perf_counter()
    file = pixzip.encode(pixels)
    encode_s = time.perf_counter() - start
    if not np.array_equal(pixzip.decode(file), pixels):
        raise SystemExit("pixzip did not give the image back")
    facts = pixzip.info(file)
    jxl = bytes(imagecodecs.jpegxl_encode(pixels, lossless=True, effort=9))
    return {
        "jpeg_bytes": len(data), "pixzip_bytes": len(file), "jxl_bytes": len(jxl), "encode_s": round(encode_s, 3),
        "jxl_of_jpeg_bytes": len(bytes(imagecodecs.jpegxl_encode_jpeg(data))),
        "found": bool(facts["jpeg_inside"]), "facts": facts["jpeg_inside"],
    }  # fmt: skip


def cases(photographs: list[Pixels], each: int) -> list[dict[str, Any]]:
    """All combinations, each with some pairs of photographs of its own as long as there are any."""
    pairs = itertools.cycle(
        np.concatenate(pair, 1) for pair in zip(photographs[::2], photographs[1::2], strict=False)
    )  # fmt: skip
    found = []
    for quality, sampling, (name, crop) in itertools.product(QUALITIES, SAMPLINGS, CROPS.items()):
        for _ in range(each):
            data = jpeg(next(pairs), quality, sampling)
            found.append({"quality": quality, "sampling": sampling, "crop": name, **measured(data, crop)})
        click.echo(f"{quality} {sampling} {name} {found[-1]['facts']}", err=True)
    for scale, (name, crop) in itertools.product(OTHER_SCALES, CROPS.items()):
        for _ in range(each):
            data = jpeg_of_other_tables(next(pairs), scale)
            found.append({"quality": 0, "sampling": "4:2:0", "crop": name, "scale": scale, **measured(data, crop)})
        click.echo(f"other tables, {scale} % {name} {found[-1]['facts']}", err=True)
    return found


def ordinary(paths: tuple[Path, ...], timed: int) -> list[dict[str, Any]]:
    """What the search finds, and its part of the time to compress, in photographs that never were JPEGs."""
    found = []
    for path in paths:
        for i, (_, picture) in enumerate(load(path)):
            start = time.perf_counter()
            is_found = find(picture) is not None
            search_s, row = time.perf_counter() - start, {"set": path.stem, "found": is_found}
            if i % timed == 0:
                start = time.perf_counter()
                pixzip.encode(picture)
                row |= {"search_s": search_s, "encode_s": time.perf_counter() - start}
            found.append(row)
    return found


def page(result: dict[str, Any]) -> str:
    """The tables of `docs/jpeg.md`."""
    rows, lines = result["cases"], []
    for quality in (*QUALITIES, 0):
        for crop in CROPS:
            part = [row for row in rows if row["quality"] == quality and row["crop"] == crop]
            jpegs, own, jxl, again = (
                sum(row[f"{name}_bytes"] for row in part) for name in ("jpeg", "pixzip", "jxl", "jxl_of_jpeg")
            )
            lines.append([
                str(quality) if quality else "other tables", crop, str(len(part)),
                f"{100 * sum(row['found'] for row in part) / len(part):.0f} %", f"{jpegs:,}", f"{again:,}", f"{own:,}",
                f"{jxl:,}", f"{own / jxl:.3f}", f"{own / jpegs:.3f}",
            ])  # fmt: skip
    head = ["quality", "picture", "files", "found", "the JPEGs", "JPEG XL of the JPEGs", "pixzip", "JPEG XL e9",
            "pixzip / JPEG XL", "pixzip / JPEGs"]  # fmt: skip
    text = table(head, lines) + "\n"
    plain = result["ordinary"]
    if plain:
        timed = [row for row in plain if "encode_s" in row]
        share = sum(row["search_s"] for row in timed) / sum(row["encode_s"] for row in timed)
        text += (
            f"\nOf {len(plain)} photographs that never were JPEGs, {sum(row['found'] for row in plain)} were taken for "
            f"JPEGs; looking took {100 * share:.1f} % of the time to compress them.\n"
        )
    return text + "\n" + origin(result) + "\n"


@click.command()
@click.argument("data", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--ordinary", "plain", multiple=True, type=click.Path(exists=True, path_type=Path))
@click.option("--each", default=2, show_default=True, help="Pairs of photographs of each combination.")
@click.option("--timed", default=4, show_default=True, help="Compress every n-th ordinary photograph.")
@click.option("--threads", default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS / "jpeg-inside.json", show_default=True)
@click.option("--page", "target", type=click.Path(exists=True, path_type=Path), help="Document to write the tables in.")
def main(
    data: tuple[Path, ...], plain: tuple[Path, ...], each: int, timed: int, threads: int, out: Path, target: Path | None
) -> None:  # fmt: skip
    set_threads(threads)
    if data:
        photographs = [
            pixels for path in data for _, pixels in load(path) if pixels.shape == (256, 256, 3)
        ]  # fmt: skip
        result = {
            "benchmark": "jpeg-inside", **provenance([*data, *plain], ["base"], threads),
            "cases": cases(photographs, each), "ordinary": ordinary(plain, timed),
        }  # fmt: skip
        write(out, result)
    if target:
        text = target.read_text("utf-8")
        before, _, rest = text.partition(START)
        after = rest.partition(END)[2]
        target.write_text(f"{before}{START}\n\n{page(json.loads(out.read_text()))}\n{END}{after}")


if __name__ == "__main__":
    main()
