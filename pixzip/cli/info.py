"""`pixzip info`."""

from typing import Any

import click

from pixzip.cli.errors import naming
from pixzip.cli.options import as_json_option, complete_paths
from pixzip.cli.say import show, show_json
from pixzip.io import streams


@click.command()
@click.argument("file", metavar="FILE", shell_complete=complete_paths)
@click.option(
    "--saved", is_flag=True, help="Also say what the stages save: decodes the file, which takes its time, and measures."
)
@as_json_option
def info(file: str, saved: bool, as_json: bool) -> None:
    """Describe a .pxz file, after checking its header and blocks."""
    from pixzip.codec import describe

    with naming(file):
        data = streams.read_pxz(file)
        facts: dict[str, Any] = {"file": file, **describe.facts(data, streams.folder_of(file))}
        if saved:
            from pixzip.codec.savings import savings

            facts |= describe.saved(savings(data, folder=streams.folder_of(file)))
    if as_json:
        show_json(facts)
        return
    lines = list(describe.lines(facts))
    width = max(len(key) for key, _ in lines)
    for key, text in lines:
        show(f"{key:<{width}} {text}")
