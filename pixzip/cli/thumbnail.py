"""`pixzip thumbnail`."""

import click
from pixcodecs.container import limits

from pixzip.cli.options import Manner, complete_paths, no_limit_option, writing_options

#: Sides of the freedesktop.org thumbnails are 128, 256, 512 and 1024.
MOST_SIDE = 1024


@click.command()
@click.argument("packed", metavar="FILE.pxz", shell_complete=complete_paths)
@click.option("-o", "--output", "out", required=True, shell_complete=complete_paths, help="A PNG file, or -.")
@click.option(
    "--size", type=click.IntRange(1, MOST_SIDE), default=256, show_default=True, metavar="PIXELS",
    help="Longest side of the thumbnail; smaller images keep their size.",
)  # fmt: skip
@no_limit_option
@writing_options
def thumbnail(packed: str, out: str, size: int, no_pixel_limit: bool, manner: Manner) -> None:
    """Write a small PNG of a .pxz file, of one image: what desktops call for thumbnails."""
    from pixzip.cli.work import thumbnail as work

    work.thumbnail(packed, out, size, max_pixels=None if no_pixel_limit else limits.MAX_PIXELS, manner=manner)
