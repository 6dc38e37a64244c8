"""Write tables and pictures of `docs/family.md` from the JSON of `bench/family/measure.py` and the runs.

python -m bench.family.page
python -m bench.family.page runs/*-cifar10 --data cifar10=cifar10-test.npy

The page is rewritten between `<!-- family:start NAME -->` and `<!-- family:end NAME -->`: with a table, or with the
existing pictures of a model or set.  Pictures are drawn for the given RUNS, and diagrams if they are missing.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from bench.common import RESULTS, ROOT, set_threads
from bench.family import drawings as pictures
from bench.family.data import take
from bench.family.measure import named_paths
from bench.family.runs import fits, prepare
from bench.family.tables import SECTIONS, TITLES, title_of

MARKED = re.compile(r"<!-- family:start (\S+) -->.*?<!-- family:end \1 -->", re.DOTALL)
#: Kinds of pictures drawn by a run.
GALLERY = ("samples", "completions")


def section(name: str, result: dict[str, Any], folder: Path) -> str:
    """The text between two markers.

    Args:
        folder: folder of the pictures, beside the page.
    """
    if name in SECTIONS:
        return SECTIONS[name](result)
    kind, _, what = name.partition(":")
    if kind == "model" and what in TITLES:
        return _of_model(what, result, folder)
    if kind == "gallery":
        return "\n\n".join(_gallery(what, result, folder))
    raise SystemExit(f"the page has a section {name}, expected {', '.join(SECTIONS)}, model:NAME or gallery:DATA")


def _of_model(name: str, result: dict[str, Any], folder: Path) -> str:
    """The diagram, the receptive field, and the influence of its pixels on a trained model."""
    pictures = [(f"{name}.svg", f"Block diagram of {TITLES[name]}"), (f"{name}-field.png", "What a pixel sees")]
    for row in result["rows"]:
        if row["model"] == name:
            words = f"How strongly, after training on {title_of(row['data'])}"
            pictures.append((f"{row['run']}-influence.png", words))
    found = [_image(folder, *picture) for picture in pictures if (folder / picture[0]).exists()]
    return "\n".join(found[:1]) + ("\n\n" + " ".join(found[1:]) if found[1:] else "")


def _gallery(data: str, result: dict[str, Any], folder: Path) -> Iterator[str]:
    for row in result["rows"]:
        found = [kind for kind in GALLERY if (folder / f"{row['run']}-{kind}.png").exists()]
        if row["data"] == data and found:
            yield f"**{TITLES[row['model']]}**, `{row['run']}`"
            yield " ".join(_image(folder, f"{row['run']}-{kind}.png", f"{kind} of {row['run']}") for kind in found)


def _image(folder: Path, name: str, words: str) -> str:
    return f"![{words}]({folder.name}/{name})"


@click.command()
@click.argument("runs", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--data", "sets", multiple=True, metavar="NAME=PATH", callback=named_paths,
              help="Data sets of the runs, whose test images are completed.")  # fmt: skip
@click.option("--results", default=RESULTS / "family.json", type=click.Path(exists=True, path_type=Path))
@click.option("--page", default=ROOT / "docs" / "family.md", type=click.Path(exists=True, path_type=Path))
@click.option("--samples", default=32, show_default=True, help="Images drawn of each run.")
@click.option("--completions", default=4, show_default=True, help="Test images completed by each run.")
@click.option("--threads", default=1, show_default=True)
def main(
    runs: tuple[Path, ...],
    sets: dict[str, Path],
    results: Path,
    page: Path,
    samples: int,
    completions: int,
    threads: int,
) -> None:
    """Draw the pictures of RUNS and rewrite the page."""
    set_threads(threads)
    result = json.loads(results.read_text())
    folder = page.with_suffix("")
    text = page.read_text()
    marked = [match[1] for match in MARKED.finditer(text)]
    if not marked:
        raise SystemExit(f"{page} has no <!-- family:start NAME --> with its end")
    for name in TITLES:
        if f"model:{name}" in marked and not (folder / f"{name}.svg").exists():
            pictures.draw_model(name, folder)
    for path in runs:
        run = prepare(path)
        test = take((source := fits(run, sets)), sets[source], run.weights.levels, None)
        click.echo(f"drawing {path.name}", err=True)
        pictures.draw_run(run, test, folder, samples, completions)

    def filled(match: re.Match[str]) -> str:
        body = section(match[1], result, folder)
        return f"<!-- family:start {match[1]} -->\n\n{body}\n\n<!-- family:end {match[1]} -->"

    page.write_text(MARKED.sub(filled, text))
    total = sum(file.stat().st_size for file in folder.glob("*")) if folder.exists() else 0
    click.echo(f"{page}: {len(marked)} sections; {total:,} bytes of pictures", err=True)


if __name__ == "__main__":
    main()
