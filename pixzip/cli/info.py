"""`pixzip info`."""

import json

import click

from pixzip.cli.options import as_json_option, complete_paths
from pixzip.io import streams


@click.command()
@click.argument("file", metavar="FILE", shell_complete=complete_paths)
@as_json_option
def info(file: str, as_json: bool) -> None:
    """Describe a .pxz file, after checking its header and blocks."""
    from pixzip.codec import describe

    facts = {"file": file, **describe.facts(streams.read_pxz(file))}
    if as_json:
        click.echo(json.dumps(facts))
        return
    for key, text in describe.lines(facts):
        click.echo(f"{key:<15}{text}")
