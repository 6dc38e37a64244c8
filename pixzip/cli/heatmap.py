"""`pixzip heatmap`."""

from pathlib import Path

import click
from pixcodecs.container import limits
from pixcodecs.errors import PixzipError

from pixzip.cli.options import (
    Manner,
    complete_paths,
    device_option,
    model_option,
    no_limit_option,
    pixels_option,
    writing_options,
)  # fmt: skip
from pixzip.io import files, streams

_FORMATS = (".png", ".svg", ".pdf", ".npy")


@click.command()
@click.argument("image", metavar="IMG|FILE.pxz", shell_complete=complete_paths)
@click.option(
    "-o", "--output", "out", shell_complete=complete_paths,
    help="A .png, .svg or .pdf; or .npy, the numbers alone (default: IMG.heatmap.png).",
)  # fmt: skip
@model_option
@device_option
@pixels_option
@click.option("--models-only", is_flag=True, help="Let the model code what it can, even where WebP is smaller.")
@no_limit_option
@writing_options
def heatmap(
    image: str, out: str | None, model: str, device: str, pixels: bool, models_only: bool, no_pixel_limit: bool,
    manner: Manner,
) -> None:  # fmt: skip
    """Draw how many bits each pixel takes, beside the image.

    The sum is the size of the file without its header. WebP and PNG have no bits of single pixels: the bits of tiles
    that they coded are spread evenly. A JPEG that is kept as a file has none either.
    """
    if out is None:
        if image == streams.STANDARD:
            raise PixzipError("standard input has no name to be written under: -o FILE gives one")
        out = f"{image}.heatmap.png"
    suffix = Path(out).suffix.lower()
    if suffix not in _FORMATS:
        raise PixzipError(f"output format {suffix or 'without a suffix'!r} is not one of {' '.join(_FORMATS)}")
    files.check_writable(out, manner.force)
    from pixzip.cli.work import heatmap as work

    limit = None if no_pixel_limit else limits.MAX_PIXELS
    work.draw(
        image, out, suffix, model, device, pixels=pixels, models_only=models_only, max_pixels=limit, manner=manner
    )  # fmt: skip
