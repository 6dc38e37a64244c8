"""What a model takes in a file: its packed weights beside other compressors, and the time and memory to check it.

    python bench/embedded.py --out bench/results/embedded.json --page docs/models.md

Every model is unpacked and compared.  `--page` alone rewrites the page from the JSON.  The last rows are the largest
models that a file of 1 MB may bring by default: their weights are equal, so that they pack to little.
"""

import dataclasses
import json
import resource
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import click
import numpy as np
import zstandard
from common import RESULTS, origin, provenance, rewrite, set_threads, table, write
from pixcodecs.container import models

from pixzip.codec import carried
from pixzip.codec.carried import Carrying
from pixzip.engine.wavefront import WavefrontEngine
from pixzip.models import library, registry
from pixzip.models.wavefront.config import Config
from pixzip.models.wavefront.weights import IntegerWeights, expected_tensors

START, END = "<!-- embedded:start -->", "<!-- embedded:end -->"
#: Forms whose sizes are compared.
FORMS = ("deflate", "zstd", "packed")
#: Sizes of networks of some 8 MB of weights: wide, deep, and of many components.
LARGEST = {
    "wide": Config(channels=1, width=1200, blocks=1),
    "deep": Config(channels=3, width=48, blocks=500, mixing=1),
    "many components": Config(channels=3, width=32, blocks=1, head_width=210, n_mix=4096),
}


def packing(name: str, path: Path) -> dict[str, Any]:
    """The sizes of a shipped weights file in several forms.

    Raises:
        SystemExit: it unpacks to other bytes.
    """
    weights = library.load(path).to_bytes()
    began = time.process_time()
    packed = models.pack(weights)
    pack_s = time.process_time() - began
    began = time.process_time()
    if models.unpack(packed, models.MAX_BYTES, name) != weights:
        raise SystemExit("a model unpacks to other weights")
    unpack_s = time.process_time() - began
    began = time.process_time()
    registry.parse(weights, name)
    return {
        "name": name, "weights": len(weights), "deflate": len(zlib.compress(weights, 9)),
        "zstd": len(zstandard.ZstdCompressor(level=19).compress(weights)), "packed": len(packed),
        "pack_s": pack_s, "unpack_s": unpack_s, "check_s": time.process_time() - began,
    }  # fmt: skip


def checking(kind: str) -> dict[str, Any]:
    """Processor time and memory to load one of `LARGEST`, and to compute all its answers; for a new process."""
    config = LARGEST[kind]
    tables = library.load(library.shipped_paths()["fast"]).tensors
    model = IntegerWeights(config, tuple(range(config.channels)), _zeros(config, tables))
    model_id, packed = model.model_id, carried.packed(model)
    small = Config(channels=config.channels, width=4, blocks=1)
    WavefrontEngine(dataclasses.replace(model, config=small, tensors=_zeros(small, tables))).known_answer()  # compiles
    del model
    before, began = _peak(), time.process_time()
    carrying = Carrying({model_id: packed}, 1 << 20)
    found: Any = carrying.load(1, library.by_id)[model_id]
    load_s = time.process_time() - began
    engine = WavefrontEngine(found)
    engine.known_answer(), engine.adapted_answer(), engine.full_answer()
    return {
        "kind": kind, "weights": len(found.to_bytes()), "packed": len(packed), "load_s": load_s,
        "all_s": time.process_time() - began, "estimate_s": carrying.cost_ns / 1e9,
        "mib": (_peak() - before) >> 10,
    }  # fmt: skip


def _zeros(config: Config, tables: Any) -> Any:
    expected = expected_tensors(config).items()
    return {n: tables[n] if n.startswith("table.") else np.zeros(shape, dtype) for n, (dtype, shape) in expected}


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def page(found: dict[str, Any]) -> str:
    """The tables in Markdown."""
    rows = [
        [
            f"`{row['name']}`", f"{row['weights']:,}", *(f"{row[form] / row['weights']:.3f}" for form in FORMS),
            f"{row['packed']:,}", f"{1000 * (row['unpack_s'] + row['check_s']):.0f} ms",
        ]
        for row in found["shipped"]
    ]  # fmt: skip
    heads = ["model", "bytes", "deflate", "zstd 19", "packed (LZMA2)", "bytes packed", "unpacked and checked in"]
    hostile = [
        [
            row["kind"], f"{row['weights']:,}", f"{row['packed']:,}", f"{row['load_s']:.2f} s", f"{row['all_s']:.1f} s",
            f"{row['estimate_s']:.1f} s", f"{row['mib']} MiB",
        ]
        for row in found["largest"]
    ]  # fmt: skip
    other = ["equal weights", "bytes", "packed", "checked", "with all answers", "estimated", "memory"]
    return table(heads, rows) + "\n\n" + table(other, hostile) + "\n\n" + origin(found)


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS / "embedded.json", show_default=True)
@click.option("--page", "to", type=click.Path(path_type=Path), help="Markdown whose tables are rewritten.")
@click.option("--measure/--no-measure", default=True, help="Measure, or take the JSON that is there.")
@click.option("--one", type=click.Choice([*LARGEST]), hidden=True, help="Print the figures of one large model.")
def main(out: Path, to: Path | None, measure: bool, one: str | None) -> None:
    """Measure packed models, and what large ones cost."""
    set_threads(1)
    if one:
        click.echo(json.dumps(checking(one)))
        return
    if measure:
        shipped = [packing(name, path) for name, path in library.shipped_paths().items()]
        command = [sys.executable, __file__, "--one"]
        done = [subprocess.run([*command, kind], check=True, capture_output=True, text=True) for kind in LARGEST]
        largest = [json.loads(found.stdout) for found in done]
        write(out, {**provenance([], [], 1), "shipped": shipped, "largest": largest})
    if to:
        rewrite(to, START, END, page(json.loads(out.read_text("utf-8"))))


if __name__ == "__main__":
    main()
