"""`pixzip info`."""

import click

from pixzip.cli.errors import naming
from pixzip.cli.options import as_json_option, complete_paths
from pixzip.cli.say import show, show_json
from pixzip.io import streams


@click.command()
@click.argument("file", metavar="FILE", shell_complete=complete_paths)
@as_json_option
def info(file: str, as_json: bool) -> None:
    """Describe a .pxz file, after checking its header and blocks."""
    from pixzip.codec import describe

    with naming(file):
        facts = {"file": file, **describe.facts(streams.read_pxz(file))}
    if as_json:
        show_json(facts)
        return
    for key, text in describe.lines(facts):
        show(f"{key:<15}{text}")
