"""Code pictures of every mode with every written format: the modes that each keeps, and the size in pxz.

    python -m bench.pictures.modes --page docs/modes.md

The pictures are synthetic: the content of a photograph in small (shading, an edge, a texture, noise) at every layout
and depth, 96 x 64 pixels.
"""

from pathlib import Path
from typing import Any

import click
import numpy as np
from pixcodecs.errors import UnsupportedImageError

from bench.common import origin, provenance, set_threads, table
from pixzip import codec, image
from pixzip.codec import describe
from pixzip.image.picture import Layout, Picture, sample_dtype

SIDES = 96, 64
DEPTHS = {
    Layout.GREY: (1, 2, 4, 8, 10, 12, 14, 16),
    Layout.GREY_ALPHA: (8, 12, 16),
    Layout.RGB: (5, 8, 10, 12, 16),
    Layout.RGBA: (8, 16),
    Layout.PALETTE: (1, 2, 4, 8),
}
SUFFIXES = (".png", ".tif", ".pgm", ".ppm", ".pam", ".bmp", ".webp")


def picture(layout: Layout, depth: int, transparent: bool = False) -> Picture:
    """A 16-bit scene, reduced to a depth; alpha fades in from the left."""
    width, height = SIDES
    y, x = np.mgrid[:height, :width]
    rng = np.random.default_rng(depth)
    disc = (y - 25) ** 2 + (x - 60) ** 2 < 400
    common = 90 + 60 * x / width + 40 * y / height + 30 * disc + 9 * np.sin(x * 0.9) * (x < 40)
    planes = [common + 12 * c + rng.normal(0, 1.5, common.shape) for c in range(layout.channels)]
    if layout in (Layout.GREY_ALPHA, Layout.RGBA):
        planes[-1] = np.clip(x * 8.0, 0, 255.99)
    samples = (np.clip(np.stack(planes, -1) * 256, 0, 65535).astype(np.uint16) >> 16 - depth).astype(
        sample_dtype(depth)
    )
    palette = b""
    if layout is Layout.PALETTE:
        palette = np.random.default_rng(1).bytes(3 << depth)
    transparency = b""
    if transparent:
        transparency = b"\0\x80" if layout is Layout.PALETTE else samples[0, 0].astype(">u2").tobytes()
    return Picture(np.ascontiguousarray(samples), layout, depth, palette, transparency)


def row(made: Picture, model: str) -> dict[str, Any]:
    """The results of all formats and of pxz on one picture."""
    file = codec.compress([made], codec.Options.of(model))[0]
    if codec.decompress([file])[0] != made:
        raise SystemExit(f"{made.layout.name} {made.depth} came back changed")
    kept = {}
    for suffix in SUFFIXES:
        try:
            again = image.load(image.write(made, suffix)).picture
        except UnsupportedImageError:
            kept[suffix] = ""
            continue
        same = np.array_equal(again.samples, made.samples) and again.layout == made.layout
        if not same:
            raise SystemExit(f"{made.layout.name} {made.depth} came back changed from {suffix}")
        kept[suffix] = "yes" if again.depth == made.depth else f"in {again.depth}"
    facts = describe.facts(file)
    return {
        "mode": f"{made.layout.name} {made.depth}" + (", transparent colours" if made.transparency else ""),
        **kept,
        "png_bytes": len(image.write(made)),
        "pxz_bytes": len(file),
        "blocks": " ".join(facts["blocks"]),
    }


@click.command()
@click.option("--model", default="base", show_default=True, help="Name or path.")
@click.option("--threads", default=2, show_default=True)
@click.option("--page", required=True, type=click.Path(path_type=Path), help="Markdown page to write.")
def main(model: str, threads: int, page: Path) -> None:
    """Write the table of modes; exit code 1 if a picture is changed."""
    set_threads(threads)
    made = [picture(layout, depth) for layout, depths in DEPTHS.items() for depth in depths]
    made += [picture(layout, 8, transparent=True) for layout in (Layout.GREY, Layout.RGB, Layout.PALETTE)]
    rows = [row(p, model) for p in made]
    head = ["mode", "coded as", *(suffix[1:].upper() for suffix in SUFFIXES), "PNG bytes", "pxz bytes"]
    body = [
        [r["mode"], r["blocks"], *(r[s] for s in SUFFIXES), f"{r['png_bytes']:,}", f"{r['pxz_bytes']:,}"] for r in rows
    ]
    result = {**provenance([], [model], threads), "device": "cpu"}
    text = f"""# Modes

Every layout and depth, made by the benchmark at {SIDES[0]} x {SIDES[1]} pixels, compressed, decompressed and compared.
A format has "yes" where a picture written to it is read back with the same samples, layout and depth, and "in 8"
where its samples stand unchanged in a container of 8 bits; where it has nothing, writing is refused by name. Other
depths of 1 to 16 bits (of palettes 1 to 8) behave alike. JPEG, GIF, TGA, PCX, SGI and QOI are read too, and not
written. Refused by name: CMYK, floating point, L*a*b*, 32-bit integers. Animations and pages have a file of their own.

{table(head, body)}

{origin(result)}
"""
    page.write_text(text)


if __name__ == "__main__":
    main()
