"""Measure what a plain installation takes on disk.

python bench/installed.py --out bench/results/installed.json
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from common import ROOT, provenance, write

#: Of every environment, not of pixzip.
TOOLS = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils-precedence")


def sizes(folder: Path) -> dict[str, int]:
    """Bytes of the files in each entry of a folder; libraries in `NAME.libs` count for NAME."""
    found: dict[str, int] = {}
    for entry in folder.iterdir():
        name = entry.name.removesuffix(".libs").partition("-")[0]
        files = [file for file in entry.rglob("*") if file.is_file()] if entry.is_dir() else [entry]
        found[name] = found.get(name, 0) + sum(file.stat().st_size for file in files)
    return {name: size for name, size in sorted(found.items(), key=lambda item: -item[1]) if name not in TOOLS}


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help="JSON file; standard output without it.")
def main(out: Path | None) -> None:
    """Install the plain package in a fresh environment, and add up its files."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = Path(folder) / "bin" / "python"
        constraints = str(ROOT / "constraints.txt")
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-c", constraints, str(ROOT)], check=True)
        (packages,) = (Path(folder) / "lib").glob("python3*/site-packages")
        found = sizes(packages)
    result: dict[str, Any] = {"benchmark": "installed", **provenance([], [], 1)}
    write(out, result | {"bytes": sum(found.values()), "of": found})


if __name__ == "__main__":
    main()
