"""Ablations of `base`: short runs of equal length with one change each, measured on unseen photographs.

python bench/ablations.py --data photos-train.tar --valid photos-valid.tar --out bench/results/ablations.json
python bench/ablations.py --out bench/results/ablations.json --page docs/experiments.md
"""

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import click
import torch
from common import load, origin, provenance, set_threads, table, write

from pixzip.models.wavefront.config import Config
from pixzip.train.loop import run
from pixzip.train.wavefront import CONFIGS, TrainConfig, WavefrontTask

BASE = CONFIGS["base"]
START, END = "<!-- ablations:start -->", "<!-- ablations:end -->"


def _model(**sizes: int) -> dict[str, Any]:
    return {"model": dataclasses.replace(BASE.model, **sizes)}


#: Label of a row -> fields that differ from those of `base`.
CHANGES: dict[str, dict[str, Any]] = {
    "none": {},
    "none, another seed": {"seed": 1},
    "3 logistics": _model(n_mix=3),
    "8 logistics": _model(n_mix=8),
    "heads of 16": _model(head_width=16),
    "wider and less deep: 80 channels, 4 blocks": _model(width=80, blocks=4),
    "narrower and deeper: 48 channels, 10 blocks": _model(width=48, blocks=10),
    "channels in the order R, G, B": {"order": (0, 1, 2)},
    "16 crops of 32 x 32": {"crop": 32, "batch": 16},
    "1 crop of 128 x 128": {"crop": 128, "batch": 1},
    "no chroma halved and interpolated": {"soft_chroma": 0.0},
    "averaging over 2,000 steps": {"ema": 0.9995},
}


def multiply_adds(model: Config) -> int:
    """Multiply-adds per pixel, counted as in `IntegerWeights.multiply_adds`."""
    c, w, h, k = model.channels, model.width, model.head_width, model.n_mix
    trunk = sum(len(taps) * w * w for _, taps in model.layers)
    heads = sum(i * h + h * (3 * k + i) for i in range(c))
    return 25 * c * w + trunk + w * c * h + heads


def measure(config: TrainConfig, data: tuple[Path, ...], valid: Path) -> dict[str, Any]:
    """Train in floats, and measure the averaged weights on whole photographs."""
    task = WavefrontTask(list(data), config)
    with tempfile.TemporaryDirectory() as folder:
        run(task, Path(folder))
        entry = json.loads((Path(folder) / "log.jsonl").read_text().splitlines()[-1])
    bits = subpixels = 0.0
    with torch.no_grad():
        for _, picture in load(valid):
            planes = torch.from_numpy(picture.transpose(2, 0, 1)[list(config.order)].copy()).float()
            bits += float(task.averaged(planes[None]).sum())
            subpixels += picture.size
    return {
        "multiply_adds": multiply_adds(config.model), "megapixels": entry["megapixels"], "bpsp": bits / subpixels,
        "held_out": entry["held_out"], "elapsed_s": entry["elapsed_s"],
    }  # fmt: skip


def page(result: dict[str, Any]) -> str:
    """The table of changes, sorted by bits."""
    rows = sorted(result["rows"], key=lambda row: row["bpsp"])
    base = next(row["bpsp"] for row in rows if row["change"] == "none")
    lines = [
        [r["change"], "", f"{r['multiply_adds']:,}", f"{r['bpsp']:.4f}", f"{100 * (r['bpsp'] / base - 1):+.2f} %"]
        for r in rows
    ]
    head = ["change", "", "multiply-adds a pixel", "bits per sub-pixel", "by none"]
    return table(head, lines) + "\n\n" + origin(result)


@click.command()
@click.option("--data", multiple=True, type=click.Path(exists=True, path_type=Path), help="To train on.")
@click.option("--valid", type=click.Path(exists=True, path_type=Path), help="Photographs to measure on.")
@click.option("--megapixels", default=8.0, show_default=True, help="That each run sees.")
@click.option("--threads", default=1, show_default=True)
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="JSON file to add to.")
@click.option("--page", "page_path", type=click.Path(exists=True, path_type=Path), help="Page to put the table in.")
def main(
    data: tuple[Path, ...], valid: Path | None, megapixels: float, threads: int, out: Path, page_path: Path | None
) -> None:
    """Run the ablations that OUT lacks, or write the page."""
    result: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {"benchmark": "ablations", "rows": []}
    if page_path:
        before, _, rest = page_path.read_text().partition(START)
        after = rest.partition(END)[2]
        page_path.write_text(f"{before}{START}\n\n{page(result)}\n\n{END}{after}")
        return
    if not data or valid is None:
        raise click.UsageError("--data and --valid say what to train and to measure on")
    set_threads(threads)
    done = {row["change"] for row in result["rows"]}
    result |= {**provenance([*data, valid], [], threads), "device": "cpu", "config": "base", "seen": megapixels}
    for change, fields in CHANGES.items():
        if change in done:
            continue
        plain = {"megapixels": megapixels, "quantise_from": 2.0, "evals": 1, "checkpoint_s": 1e9}
        row = {"change": change, **measure(dataclasses.replace(BASE, **plain, **fields), data, valid)}
        click.echo(f"{change}: {row['bpsp']:.4f}", err=True)
        result["rows"].append(row)
        write(out, result)


if __name__ == "__main__":
    main()
