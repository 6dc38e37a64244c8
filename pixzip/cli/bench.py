"""`pixzip bench`."""

import os
from importlib.util import find_spec
from pathlib import Path

import click
from pixcodecs.errors import PixzipError

from pixzip.cli.options import ThreadCount, device_option, force_option
from pixzip.io import folders

#: Packages that the extra `report` installs.
_EXTRA = ("jinja2", "matplotlib", "psutil")


def _list(ctx: click.Context, option: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from pixzip.report import codecs

        for codec_id, installed in codecs.known().items():
            click.echo(codec_id + ("" if installed else "  (not installed)"))
        ctx.exit()


def _threads() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@click.option(
    "--codecs", "names", default="all", show_default=True, metavar="ID,ID...",
    help="Codecs to measure; pixzip:PATH is a weights file.",
)  # fmt: skip
@click.option("--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="List the codecs.")
@click.option("-o", "--output", "out", default="report", show_default=True, help="Folder for the report.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N images.")
@click.option("--repeats", type=click.IntRange(1), default=1, show_default=True, help="Times are medians of so many.")
@click.option("--threads", type=ThreadCount(), default=_threads, show_default="all cores")
@click.option("--heatmaps", type=click.IntRange(0), default=4, show_default=True, help="Maps of bits for N images.")
@device_option
@force_option
def bench(
    paths: tuple[Path, ...], names: str, out: str, limit: int | None, repeats: int, threads: int, heatmaps: int,
    device: str, force: bool,
) -> None:  # fmt: skip
    """Measure lossless codecs on images, folders and tars of them: report.json and index.html.

    Every file is decoded and compared with the original.
    """
    if missing := [name for name in _EXTRA if find_spec(name) is None]:
        raise PixzipError(f"bench needs {', '.join(missing)}: pip install 'pixzip[report]'")
    folders.check_folder(out, ("report.json", "index.html"), force)
    from pixzip.cli.work import bench as work

    work.measured(
        paths, names, out, limit=limit, repeats=repeats, threads=threads, heatmaps=heatmaps, device=device, force=force
    )
