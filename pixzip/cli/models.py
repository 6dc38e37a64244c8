"""`pixzip models`."""

import sys
from typing import Any

import click

from pixzip.cli.options import as_json_option
from pixzip.cli.say import say, show, show_json
from pixzip.io.text import escaped
from pixzip.models import library

_UNKNOWN = "-"


@click.command()
@as_json_option
def models(as_json: bool) -> None:
    """List the models: shipped ones, and those in the folders that PIXZIP_MODELS lists, as PATH does.

    Columns are multiply-adds per pixel, training data (megapixels seen), and bpsp: bits per sub-pixel of the files of
    the validation photographs. A dash stands for unknown values. A file that is no model is named in a warning.
    """
    known = library.card()
    local, unread = library.local_models()
    for folder in library.missing_folders():
        say(f"pixzip: warning: {library.FOLDERS} lists {folder}, which is not a folder")
    for found in unread:
        say(f"pixzip: warning: {found.error}")
    rows = [_row(m, known.get(m.model.model_id.hex(), {}), "shipped") for m in library.list_models()]
    rows += _family_rows()
    rows += [_row(m, {}, str(m.path)) for m in local]
    if as_json:
        errors = [dict.fromkeys(rows[0] if rows else ()) | _unread(found) for found in unread]
        show_json([row | {"error": None} for row in rows] + errors)
        return
    _print([_cells(row) for row in rows])


def _unread(found: library.Unread) -> dict[str, Any]:
    """What is known about a file that is no model."""
    return {"name": found.name, "where": str(found.path), "error": str(found.error)}


def _row(named: Any, facts: dict[str, Any], where: str) -> dict[str, Any]:
    """The facts of a `library.NamedModel`.

    Args:
        facts: the model's entry in the card, which has more on shipped models than their weights.
    """
    return {
        "name": named.name,
        "model_id": named.model.model_id.hex(),
        "channels": named.model.channels,
        "architecture": named.model.architecture,
        "bytes": named.path.stat().st_size,
        "multiply_adds_per_pixel": named.model.multiply_adds,
        "trained_on": facts.get("trained_on"),
        "started_from": facts.get("started_from"),
        "megapixels_seen": facts.get("megapixels_seen"),
        "validation_set": facts.get("validation_set"),
        "validation_bpsp": facts.get("validation_bpsp"),
        "where": where,
    }


def _family_rows() -> list[dict[str, Any]]:
    """The facts of the shipped models of the PixelRNN family, all from their card: to load them takes PyTorch."""
    paths = library.family_paths()
    listed = [(model_id, facts) for model_id, facts in library.card(library.FAMILY).items() if facts["name"] in paths]
    return [
        {
            "name": facts["name"],
            "model_id": model_id,
            "channels": facts["channels"],
            "architecture": facts["architecture"],
            "bytes": paths[facts["name"]].stat().st_size,
            "multiply_adds_per_pixel": facts["multiply_adds_per_pixel"],
            "trained_on": facts["trained_on"],
            "started_from": None,
            "megapixels_seen": facts["megapixels_seen"],
            "validation_set": None,
            "validation_bpsp": None,
            "where": "shipped",
        }
        for model_id, facts in listed
    ]


def _cells(row: dict[str, Any]) -> dict[str, str]:
    """The row as text, at most 120 columns wide in total for names of usual length."""
    bpsp, seen = row["validation_bpsp"], row["megapixels_seen"]
    after = f" after {row['started_from']}" if row["started_from"] else ""
    data = ", ".join(row["trained_on"] or []) + after + (f", {seen:.0f} MP" if seen else "")
    return {
        "model": row["name"],
        "id": row["model_id"],
        "for": "RGB" if row["channels"] == 3 else "grey",
        "bytes": f"{row['bytes']:,}",
        "mul-adds/px": f"{row['multiply_adds_per_pixel']:,}",
        "trained on": data or _UNKNOWN,
        "bpsp": f"{bpsp:.3f}" if bpsp is not None else _UNKNOWN,
    }


def on_terminal() -> bool:
    """Whether standard output is a terminal."""
    return bool(sys.stdout) and sys.stdout.isatty()


def _print(rows: list[dict[str, str]]) -> None:
    """Print a table on a terminal, and aligned text of any width elsewhere."""
    if not rows:
        show("no models here")
        return
    heads, numbers = list(rows[0]), {"bytes", "mul-adds/px", "bpsp"}
    if not on_terminal():
        rows = [{head: escaped(cell) for head, cell in row.items()} for row in rows]  # before their widths are taken
        widths = {head: max(len(head), *(len(row[head]) for row in rows)) for head in heads}
        for row in [dict(zip(heads, heads, strict=True)), *rows]:
            parts = [f"{row[h]:>{widths[h]}}" if h in numbers else f"{row[h]:<{widths[h]}}" for h in heads]
            show("  ".join(parts).rstrip())
        return
    from pixzip.cli.work import terminal

    terminal.table([*rows], numbers, folded="trained on")
