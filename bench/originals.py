"""Measure which image files come back byte for byte, and what that costs in bytes and in time.

python -m bench.originals pngsuite.tar graphics.tar cases --out bench/results/originals.json --page docs/originals.md

Every file is compressed with a record of its original and decompressed again from the bytes of the `.pxz` file; it
counts only if the same bytes come out.  Times are of the processor, as a share of what compressing takes without.
Without sets, but with `--beside`, only the page is made.
"""

import io
import json
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
from pixcodecs.errors import PixzipError

from bench.common import provenance, write
from pixzip import codec, image, originals
from pixzip.codec import original, pages_original
from pixzip.codec.pages import PagesOpening, compress_pages, decompress_pages
from pixzip.image.pages import Pages
from pixzip.image.picture import Picture
from pixzip.image.sources import any_name, sources
from pixzip.originals import Record
from pixzip.originals import pages as page_originals
from tests.helpers import image_files, page_files

ENCODERS, PAGES = "encoders", "pages"
_PAGE = Path(__file__).with_name("originals.md")

File = tuple[str, bytes]


def encoders() -> Iterator[File]:
    """A file of every encoder, format and option of the tests."""
    for made in (image_files.pngs, image_files.odd_pngs, image_files.others):
        for name, make in made():
            yield name, make()


def files_of_pages() -> Iterator[File]:
    """A file of several pages or frames of every encoder, format and option of the tests."""
    for made in (page_files.tiffs, page_files.animations):
        for name, make in made():
            yield name, make()


def files_of(path: Path, limit: int | None) -> list[File]:
    """The files of a folder or tar, or some of them, evenly spread."""
    found = [(source.name, source.read()) for source in sources([path], any_name)]
    step = max(1, len(found) // limit) if limit else 1
    return found[::step]


def measure(name: str, files: Iterable[File], effort: int) -> dict[str, Any]:
    """The results of one set."""
    options = codec.Options.of(effort=effort)
    work = original.thoroughness(effort)
    rows, refused, seconds = [], [], {"compress": 0.0, "make": 0.0, "decompress": 0.0, "rebuild": 0.0}
    for file, data in files:
        try:
            content = _content(data)
        except PixzipError as e:
            refused.append({"file": file, "why": str(e)})
            continue
        rows.append({"file": file, "bytes": len(data), **_measured(data, content, options, work, seconds)})
    return {"set": name, "effort": effort, "files": rows, "refused": refused, "seconds": seconds}


def _content(data: bytes) -> Picture | Pages:
    """What is in a file.

    Raises:
        PixzipError: pixzip does not read it.
    """
    several = image.load_pages(data, None) if image.has_pages(io.BytesIO(data)) else None
    return several.pages if several else image.load(data, None).picture


class _Way(NamedTuple):
    """The functions for files of one image, or of several."""

    compress: Callable[..., bytes]
    make: Callable[..., Record]
    with_record: Callable[..., tuple[bytes, Record]]
    opened: Callable[[bytes], Any]
    decompress: Callable[..., Any]
    rebuild: Callable[..., None]


_ONE = _Way(
    lambda picture, options: codec.compress([picture], options)[0],
    lambda file, picture, work: originals.make(file, originals.of_picture(picture), work),
    original.with_record, codec.Opening, lambda opening, options: codec.decompress([opening], options)[0],
    original.rebuild,
)  # fmt: skip
_SEVERAL = _Way(
    compress_pages, page_originals.make, pages_original.with_record, PagesOpening, decompress_pages,
    pages_original.rebuild,
)  # fmt: skip


def _measured(
    data: bytes, content: Picture | Pages, options: codec.Options, work: int, seconds: dict[str, float]
) -> dict[str, Any]:
    """The results of one file; adds to the seconds."""
    way = _SEVERAL if isinstance(content, Pages) else _ONE
    plain, spent = _timed(way.compress, content, options)
    seconds["compress"] += spent
    record, spent = _timed(way.make, io.BytesIO(data), content, work)
    seconds["make"] += spent
    packed, record = way.with_record(plain, record, len(data), options)
    opening = way.opened(packed)
    again, spent = _timed(way.decompress, opening, options)
    seconds["decompress"] += spent
    if again != content:
        raise SystemExit("a picture did not come back")
    if record.is_kept:
        out = io.BytesIO()
        seconds["rebuild"] += _timed(way.rebuild, opening, again, options, out)[1]
        if out.getvalue() != data:
            raise SystemExit("an original did not come back")
    return {
        "content": record.content_bytes if record.is_kept else 0,
        "kept": record.is_kept, "why_not": record.why_not, "format": originals.family_of(io.BytesIO(data)).name,
        "without": len(plain), "with": len(packed),
    }  # fmt: skip


def _timed(function: Any, *args: Any) -> tuple[Any, float]:
    began = time.process_time()
    return function(*args), time.process_time() - began


def summary(result: dict[str, Any]) -> dict[str, Any]:
    """The results of a set without the files that come back."""
    rows = result["files"]
    sums = {key: sum(row[key] for row in rows) for key in ("bytes", "without", "with", "kept", "content")}
    sums["within_1_percent"] = sum(row["kept"] and 100 * _record_bytes(row) <= row["bytes"] for row in rows)
    sums["larger_without"] = sum(row["without"] > row["bytes"] for row in rows)
    sums["larger_with"] = sum(row["with"] > row["bytes"] for row in rows)
    formats = {name: sum(row["format"] == name for row in rows) for name in sorted({row["format"] for row in rows})}
    return {**result, "files": len(rows), **sums, "formats": formats, "not_kept": [r for r in rows if not r["kept"]]}


def _record_bytes(row: dict[str, Any]) -> int:
    """What a record takes besides content of the original."""
    return int(row["with"]) - int(row["without"]) - int(row["content"])


def label(result: dict[str, Any]) -> str:
    """The name of a set, with its effort unless that is the least."""
    effort = result["effort"]
    return str(result["set"]) if effort == 1 else f"{result['set']}, -e {effort}"


def sizes(results: list[dict[str, Any]]) -> Iterator[str]:
    """The lines of the table of what another rule for the size of records would keep."""
    heads = ("set", "byte for byte", "within 1 %", "pxz larger than the original", "with records")
    yield f"| {' | '.join(heads)} |"
    yield "| --- " + "| ---: " * (len(heads) - 1) + "|"
    for result in results:
        keys = ("kept", "within_1_percent", "larger_without", "larger_with")
        yield f"| {' | '.join([label(result), *(str(result[key]) for key in keys)])} |"


def table(results: list[dict[str, Any]]) -> Iterator[str]:
    """The lines of the table of all sets."""
    heads = (
        "set",
        "files",
        "byte for byte",
        "originals",
        "pxz without",
        "with",
        "added a file",
        "compress",
        "decompress",
    )
    yield f"| {' | '.join(heads)} |"
    yield "| --- " + "| ---: " * (len(heads) - 1) + "|"
    for result in results:
        seconds = result["seconds"]
        count, kept = result["files"], result["kept"]
        added = (result["with"] - result["without"]) / max(1, count)
        cells = [
            label(result), str(count), f"{kept} ({kept / max(1, count):.1%})",
            *(f"{result[key]:,}" for key in ("bytes", "without", "with")), f"{added:.0f}",
            f"+{seconds['make'] / seconds['compress']:.1%}", f"+{seconds['rebuild'] / seconds['decompress']:.1%}",
        ]  # fmt: skip
        yield f"| {' | '.join(cells)} |"


def others(results: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each file that does not come back."""
    for result in results:
        for row in result["not_kept"]:
            yield f"- {label(result)}: `{row['file']}`: {row['why_not']}"
        if result["refused"]:
            yield f"- {label(result)}: {len(result['refused'])} files are no images that pixzip reads"


#: Parts of the page.
_PARTS = {"table": table, "sizes": sizes, "others": others}


@click.command()
@click.argument("sets", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--effort", default=1, show_default=True)
@click.option("--limit", type=int, help="Most files of a set, or nearly so.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file; standard output without it.")
@click.option("--page", type=click.Path(path_type=Path), help="Markdown page to write the tables to.")
@click.option(
    "--beside", type=click.Path(exists=True, path_type=Path), multiple=True,
    help="JSON file with further sets for the page.",
)  # fmt: skip
def main(
    sets: tuple[Path, ...], effort: int, limit: int | None, out: Path | None, page: Path | None,
    beside: tuple[Path, ...],
) -> None:  # fmt: skip
    """Exit code 1 if a picture, or an original that is said to be kept, does not come back."""
    origin = provenance(list(sets), [], 1)
    arguments = " ".join(
        [*(path.name for path in sets), f"--effort {effort}", *([f"--limit {limit}"] if limit else [])]
    )
    results, commands = [], []
    if sets or not beside:
        origin["command"] = f"python -m bench.originals {arguments}"
        results, commands = _all(sets, effort, limit), [origin["command"]]
        write(out, {"benchmark": "originals", **origin, "results": results})
    for file in beside:
        other = json.loads(file.read_text("utf-8"))
        names = {label(result) for result in results}
        results += [result for result in other["results"] if label(result) not in names]
        commands.append(other["command"])
    if page:
        parts = {name: "\n".join(lines(results)) for name, lines in _PARTS.items()}
        text = _PAGE.read_text("utf-8").format(command="`, `".join(commands), **parts)
        page.write_text(text, "utf-8")


def _all(sets: tuple[Path, ...], effort: int, limit: int | None) -> list[dict[str, Any]]:
    """The results of the encoders, of one image and of several, and of all sets."""
    warm = image.load(next(encoders())[1]).picture
    codec.compress([warm], codec.Options.of(effort=effort))
    results = [summary(measure(ENCODERS, encoders(), effort)), summary(measure(PAGES, files_of_pages(), effort))]
    return results + [summary(measure(path.stem, files_of(path, limit), effort)) for path in sets]


if __name__ == "__main__":
    main()
