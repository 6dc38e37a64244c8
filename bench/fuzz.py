"""Decode damaged and forged files, and report the outcomes.

python -m bench.fuzz --count 100000 --out bench/results/fuzz.json

Every finding is a bug of the decoder: `--first NUMBER --count 1` decodes one file again.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import click

from bench.common import provenance, write
from tests.helpers import fuzzing, golden


@click.command()
@click.option("--count", default=100_000, show_default=True, help="Mutations to decode.")
@click.option("--seed", default=0, show_default=True)
@click.option("--first", default=0, show_default=True, help="Number of the first mutation.")
@click.option("--keep", type=click.Path(exists=True, path_type=Path), help="Folder for the files that are findings.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file; standard output without it.")
def main(count: int, seed: int, first: int, keep: Path | None, out: Path | None) -> None:
    """Exit code 1 if a file gave wrong pixels or an unexpected exception, or took too much time or memory."""
    origin = provenance([golden.FOLDER], [], 1)
    arguments = f"--count {count} --seed {seed}" + (f" --first {first}" if first else "")
    origin["command"] = f"python -m bench.fuzz {arguments}" + (f" --out {out}" if out else "")

    def progress(done: int) -> None:
        if done % 1000 == 0:
            click.echo(f"{done} of {count}", err=True)

    report = fuzzing.run(count, seed, first, keep, progress)
    result: dict[str, Any] = {
        "benchmark": "fuzz",
        **origin,
        "count": report.count,
        "findings": report.findings,
        "elapsed_s": round(report.elapsed_s, 1),
        "slowest": report.slowest,
        "limit_cpu_s": fuzzing.LIMIT_S,
        "peak_over_start_mib": report.peak_over_start_bytes >> 20,
        "limit_mib": fuzzing.LIMIT_BYTES >> 20,
        "outcomes": dict(sum(report.by_seed.values(), start=Counter())),
        "by_mutation": {name: dict(outcomes) for name, outcomes in sorted(report.by_mutation.items())},
        "by_seed": {name: dict(outcomes) for name, outcomes in report.by_seed.items()},
    }
    write(out, result)
    for found in report.findings:
        click.echo(f"finding: {found}", err=True)
    raise SystemExit(1 if report.findings else 0)


if __name__ == "__main__":
    main()
