"""Measure processor time and peak memory of the files that cost most for their size, by all that reads them.

python -m bench.costs --out bench/results/costs.json
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Any, NamedTuple

import click
from pixcodecs.container import kept, stack

from bench.common import costs_table, provenance, write
from tests.helpers import costly, costly_originals

#: The promise for a file of 1 MB: processor seconds and bytes of memory.
LIMIT_S, LIMIT_BYTES = 60, 1 << 30
_SIZE_BYTES = 1 << 20
#: Processor seconds after which a process is ended.
_GIVE_UP_S = 120
_LIFT = "lifts the limit"

# A process's peak includes its parent's memory at the fork, so a small process is in between.
LAUNCHER = """
import json, os, resource, subprocess, sys
limit = int(sys.argv[1])
ended = lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
done = subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=ended)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
said = [line for line in done.stderr.splitlines() if line.strip()]
print(json.dumps([done.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss, said[-1] if said else ""]))
"""
_API = "import pathlib, sys, pixzip; pixzip.decode(pathlib.Path(sys.argv[1]).read_bytes(), device='cpu')"
_PILLOW = "import sys, pixzip; pixzip.open(sys.argv[1]).load()"
#: Name of what reads a file -> arguments of Python, in which FILE and OUT stand for paths.
READERS: dict[str, list[str]] = {
    "info": ["-m", "pixzip", "info", "FILE"],
    "info --json": ["-m", "pixzip", "info", "--json", "FILE"],
    "verify": ["-m", "pixzip", "verify", "FILE"],
    **{
        f"to {form}": ["-m", "pixzip", "decompress", "--device", "cpu", "FILE", "-o", f"OUT/x.{form}"]
        for form in ("png", "tif", "ppm", "webp", "jpg")
    },
    "to a folder": ["-m", "pixzip", "decompress", "--device", "cpu", "FILE", "-o", "OUT/x"],
    "--salvage": ["-m", "pixzip", "decompress", "--device", "cpu", "FILE", "--salvage", "-o", "OUT/x.png"],
    "--region": ["-m", "pixzip", "decompress", "--device", "cpu", "FILE", "--region", "0,0,1,1", "-o", "OUT/x.png"],
    "heatmap": ["-m", "pixzip", "heatmap", "--device", "cpu", "FILE", "-o", "OUT/x.png"],
    "pixzip.decode": ["-c", _API, "FILE"],
    "Image.open": ["-c", _PILLOW, "FILE"],
}


#: Readers of stacks and of kept files; those that read only these.
_OF_STACKS = {"info", "info --json", "verify", "to a folder"}
_OF_KEPT = {"info", "verify", "to png", "to jpg", "pixzip.decode", "Image.open"}
_OF_NO_IMAGE = {"to a folder", "info --json", "to jpg"}


class Run(NamedTuple):
    """One process."""

    code: int
    cpu_s: float
    peak_bytes: int
    said: str

    @property
    def outcome(self) -> str:
        """How the process ended: done, refused with the option that lifts the limit, an error, or gave up."""
        if self.code == 0:
            return "done"
        if self.code < 0:
            return "gave up"
        return "refused" if _LIFT in self.said else "error"


def run(arguments: list[str], file: Path, folder: Path) -> Run:
    """Run Python on a file."""
    given = [word.replace("FILE", str(file)).replace("OUT", str(folder)) for word in arguments]
    command = [sys.executable, "-c", LAUNCHER, str(_GIVE_UP_S), sys.executable, *given]
    code, cpu_s, peak, said = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return Run(code, round(cpu_s, 2), peak * (1 if sys.platform == "darwin" else 1024), said.replace(str(file), "FILE"))


def _able(data: bytes) -> Set[str]:
    """The readers of a file."""
    if stack.is_stack(data):
        return _OF_STACKS
    return _OF_KEPT if kept.is_kept(data) else READERS.keys() - _OF_NO_IMAGE


def measure(only: list[str], readers: list[str]) -> Iterator[dict[str, Any]]:
    """Yield a row for each file, of all readers."""
    with tempfile.TemporaryDirectory() as temporary:
        for name, make in (*costly.cases(_SIZE_BYTES), *costly_originals.cases(_SIZE_BYTES)):
            if not any(part in name for part in only):
                continue
            file, folder = Path(temporary) / "x.pxz", Path(temporary) / "out"
            file.write_bytes(make())
            row: dict[str, Any] = {"file": name, "bytes": file.stat().st_size, "readers": {}}
            able = _able(file.read_bytes())
            for reader in readers:
                if reader not in able:
                    continue
                folder.mkdir()
                found = run(READERS[reader], file, folder)
                row["readers"][reader] = {**found._asdict(), "outcome": found.outcome}
                click.echo(
                    f"{name}: {reader}: {found.outcome} {found.cpu_s} s {found.peak_bytes >> 20} MiB {found.said}",
                    err=True,
                )
                shutil.rmtree(folder)
            yield row


def broken(rows: list[dict[str, Any]]) -> list[str]:
    """The files and readers that break the promise."""
    return [
        f"{row['file']}: {reader}: {run['cpu_s']} s, {run['peak_bytes'] >> 20} MiB, {run['outcome']}"
        for row in rows
        for reader, run in row["readers"].items()
        if run["cpu_s"] > LIMIT_S or run["peak_bytes"] > LIMIT_BYTES or run["code"] not in (0, 1, 2)
    ]


@click.command()
@click.option("--only", multiple=True, default=[""], help="Files with this in their name.")
@click.option("--readers", default=",".join(READERS), help="Comma-separated.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file; standard output without it.")
def main(only: tuple[str, ...], readers: str, out: Path | None) -> None:
    """Read the costliest files of 1 MB by all commands, and print a table."""
    rows = list(measure(list(only), readers.split(",")))
    limits = {"limit_s": LIMIT_S, "limit_bytes": LIMIT_BYTES}
    write(out, {"benchmark": "costs", **provenance([], [], 1), **limits, "results": rows})
    click.echo(costs_table(rows))
    if found := broken(rows):
        raise SystemExit("\n".join(["The promise is broken:", *found]))


if __name__ == "__main__":
    main()
