"""The diagram of `docs/how-it-works.md`: from an image to a file and back.

python bench/data_flow.py
"""

from pathlib import Path

import click
from common import ROOT
from diagram import Diagram

OUT = ROOT / "docs/data-flow.svg"


def data_flow() -> Diagram:
    """Compression above, shared parts in the middle, decompression below."""
    d = Diagram(8.6, 4.3)
    top, middle, bottom = 3.45, 2.15, 0.75
    d.text(0.1, 4.1, "compress", weight="bold")
    d.text(0.1, 0.2, "decompress", weight="bold")
    file_in = d.box(0.95, top, "image file\nPNG, TIFF, ...", "data", 1.3, 0.5)
    picture_in = d.box(2.55, top, "picture: samples,\npalette, metadata", "data", 1.4, 0.5)
    tiles = d.box(4.15, top, "tiles of at most\n1024 x 1024", "layer", 1.3, 0.5)
    encoder = d.box(5.85, top, "range coder:\nencode", "head", 1.3, 0.5)
    blocks = d.box(7.65, top, "smallest block:\nmodel, WebP,\nPNG, constant, raw", "data", 1.5, 0.62)
    model = d.box(4.15, middle, "integer PixelCNN:\nthe wavefront, one\ndiagonal at a time", "masked", 1.6, 0.72)
    freqs = d.box(5.85, middle, "16 frequencies of a\nhalf-byte, twice for\neach sub-pixel", "state", 1.5, 0.72)
    file = d.box(7.65, middle, ".pxz file:\nheader, tiles'\nchecksums, blocks", "data", 1.5, 0.72)
    decoder = d.box(5.85, bottom, "range coder:\ndecode", "head", 1.3, 0.5)
    joined = d.box(4.15, bottom, "pixels so far", "layer", 1.3, 0.5)
    picture_out = d.box(2.55, bottom, "picture: samples,\npalette, metadata", "data", 1.4, 0.5)
    file_out = d.box(0.95, bottom, "image file\nPNG, TIFF, ...", "data", 1.3, 0.5)
    weights = d.box(2.1, middle, "weights, shipped\nwith the program,\nnamed by a digest", "data", 1.5, 0.72)
    for start, end in ((file_in, picture_in), (picture_in, tiles), (tiles, encoder), (encoder, blocks)):
        d.arrow(start.right, end.left)
    d.arrow(blocks.bottom, file.top)
    d.arrow(tiles.bottom, model.top)
    d.text(4.2, 2.85, "pixels before")
    d.arrow(weights.right, model.left)
    d.arrow(model.right, freqs.left)
    d.arrow(freqs.top, encoder.bottom)
    d.arrow(freqs.bottom, decoder.top)
    d.arrow(file.bottom, (7.65, bottom), decoder.right)
    d.arrow(decoder.left, joined.right)
    d.arrow(joined.top, model.bottom)
    d.text(4.2, 1.4, "next diagonal")
    d.arrow(joined.left, picture_out.right)
    d.arrow(picture_out.left, file_out.right)
    return d


@click.command()
@click.option("--out", default=OUT, type=click.Path(path_type=Path), show_default=False)
def main(out: Path) -> None:
    """Write the diagram."""
    data_flow().save(out)


if __name__ == "__main__":
    main()
