"""Write the model card's table, and `models.json` for `pixzip models`, from weights, training logs and `bench/results`.

Nothing is measured here.

python bench/card.py
"""

import json
import re
from pathlib import Path
from typing import Any

import click
from common import RESULTS, ROOT, table

from pixzip.models import library

START, END = "<!-- models:start -->", "<!-- models:end -->"
#: The set by which models were chosen, measured by `pixzip bench`, and configs whose names differ from their models'.
VALIDATION = "photos-valid"
CONFIGS = {"base-grey": "grey"}
#: The codec of `pixzip bench` that tells a model's rate.
MEASURED_AS = {"fast": "pixzip-e1", "base": "pixzip-e5", "large": "pixzip-large-e7"}


def last_of_log(name: str) -> dict[str, Any]:
    """The last line of a model's training log, `NAME.jsonl`, with the megapixels of all its runs.

    Later runs, which began with the weights of the one before, have the logs `NAME-2.jsonl` and so on.
    """
    logs, folder = [f"{name}.jsonl"], ROOT / "docs" / "training"
    while (folder / f"{name}-{len(logs) + 1}.jsonl").exists():
        logs.append(f"{name}-{len(logs) + 1}.jsonl")
    ends = [json.loads((folder / log).read_text().splitlines()[-1]) for log in logs]
    return {**ends[-1], "megapixels": sum(end["megapixels"] for end in ends)}


def facts(model: library.NamedModel, card: str) -> dict[str, Any]:
    """Facts for `pixzip models` that the weights do not contain.

    Args:
        card: the model card, whose commands of first runs name the data; parts of a set count once.
    """
    config = CONFIGS.get(model.name, model.name)
    (command,) = re.findall(rf"^pixzip train .*--config {config} .*$", card, re.MULTILINE)
    sets = [re.sub(r"-\d+$", "", Path(path).stem) for path in re.findall(r"--data (\S+)", command)]
    start = re.search(r"--init (\S+)", command)
    report = json.loads((RESULTS / VALIDATION / "report.json").read_text())
    measured = report["models"].get(model.name) == model.model.model_id.hex()
    rates = {total["codec"]: total["bpsp"] for total in report["totals"]}
    found = rates[MEASURED_AS[model.name]] if measured else None
    return {
        "name": model.name,
        "trained_on": list(dict.fromkeys(sets)),
        "started_from": start[1] if start else None,
        "megapixels_seen": last_of_log(model.name)["megapixels"],
        "validation_set": VALIDATION if measured else None,
        "validation_bpsp": found,
    }


def row(model: library.NamedModel) -> list[str]:
    """The row of a model, from its weights and the last line of its training log."""
    config = model.model.config
    mixing = f" of 1 + {config.mixing} layers" if config.mixing else ""
    sizes = f"{config.width} channels, {config.blocks} blocks{mixing}, {config.n_mix} logistics"
    last = last_of_log(model.name)
    figures = [f"{last[name]:.3f}" for name in ("training", "held_out", "gap")]
    return [
        f"`{model.name}`",
        f"`{model.model.model_id.hex()}`",
        sizes,
        f"{model.model.multiply_adds:,}",
        f"{model.path.stat().st_size:,}",
        f"{last['megapixels']:.0f}",
        *figures,
    ]


def family_facts() -> dict[str, dict[str, Any]]:
    """Id -> facts on the shipped models of the PixelRNN family, which no command has to load to list them."""
    found = {}
    for name, path in library.family_paths().items():
        model = library.load(path)
        found[model.model_id.hex()] = {
            "name": name,
            "architecture": model.architecture,
            "channels": model.channels,
            "multiply_adds_per_pixel": model.multiply_adds,
            "trained_on": [json.loads(model.notes)["data"].partition(" (")[0]],
            "megapixels_seen": last_of_log(name)["megapixels"],
        }
    return found


@click.command()
def main() -> None:
    """Rewrite the model card between its markers, and both `models.json`."""
    head = ["model", "id", "sizes", "multiply-adds a pixel", "bytes", "megapixels seen", "training", "held-out", "gap"]
    card = library.WEIGHTS / "README.md"
    before, rest = card.read_text().split(START)
    _, after = rest.split(END)
    models = library.list_models()
    card.write_text(f"{before}{START}\n{table(head, [row(m) for m in models])}\n{END}{after}")
    known = {m.model.model_id.hex(): facts(m, after) for m in models}
    (library.WEIGHTS / library.CARD).write_text(json.dumps(known, indent=1) + "\n")
    (library.WEIGHTS / library.FAMILY / library.CARD).write_text(json.dumps(family_facts(), indent=1) + "\n")


if __name__ == "__main__":
    main()
