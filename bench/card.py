"""Table of the model card from the weights and training logs; nothing is measured here.

python bench/card.py
"""

import json

import click
from common import ROOT, table

from pixzip import library

START, END = "<!-- models:start -->", "<!-- models:end -->"


def row(model: library.Model) -> list[str]:
    """One model: what it is, and the last line of its training log."""
    config = model.weights.config
    mixing = f" of 1 + {config.mixing} layers" if config.mixing else ""
    sizes = f"{config.width} channels, {config.blocks} blocks{mixing}, {config.n_mix} logistics"
    log = ROOT / "docs" / "training" / f"{model.name}.jsonl"
    last = json.loads(log.read_text().splitlines()[-1])
    figures = [f"{last[name]:.3f}" for name in ("training", "held_out", "gap")]
    return [
        f"`{model.name}`",
        f"`{model.weights.model_id.hex()}`",
        sizes,
        f"{model.weights.multiply_adds:,}",
        f"{model.path.stat().st_size:,}",
        f"{last['megapixels']:.0f}",
        *figures,
    ]


@click.command()
def main() -> None:
    """Rewrite the model card between its markers."""
    head = ["model", "id", "sizes", "multiply-adds a pixel", "bytes", "megapixels seen", "training", "held-out", "gap"]
    card = library.WEIGHTS / "README.md"
    before, rest = card.read_text().split(START)
    _, after = rest.split(END)
    card.write_text(f"{before}{START}\n{table(head, [row(m) for m in library.list_models()])}\n{END}{after}")


if __name__ == "__main__":
    main()
