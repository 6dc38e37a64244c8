"""`--workers` and `--scheduler`: the work of a command in other processes, told to its one ledger."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from pixcodecs.errors import PixzipError

from pixzip.cli.errors import FILE_ERRORS
from pixzip.cli.ledger import Ledger, Work
from pixzip.cli.options import Manner
from pixzip.cli.work.relay import OnShard
from pixzip.io import signals, stores, streams
from pixzip.trees import clusters, shards, sizes
from pixzip.trees.clusters import Cluster
from pixzip.trees.places import check_shared
from pixzip.trees.shards import Task


def carry_out(ledger: Ledger, work: Work, names: list[str]) -> None:
    """Work on files in other processes.

    Args:
        work: the command's.
    Raises:
        PixzipError: Dask is not installed, there is no scheduler, or it is lost; workers do not reach the files.
    """
    manner = ledger.manner
    there: dict[str, str] = {}
    given: list[sizes.Given] = []
    for name in names:
        check_shared(name, ledger[name].output or "")
        try:
            if not stores.is_url(name) and streams.status_of(name) is None:
                raise PixzipError("is a pipe or device, and workers open files by their names")
        except FILE_ERRORS as e:
            ledger.fail(name, e)
            continue
        given.append(sizes.Given(name, ledger[name].bytes_before, ledger.work_of.get(name)))
    tasks = []
    for found, pixels in zip(given, sizes.work(given), strict=True):
        tasks.append(task := _task(ledger, found.name, pixels))
        there[task.name] = found.name

    def heard(event: dict[str, Any]) -> None:
        ledger.hear({**event, "name": there[event["name"]]})

    def lost(place: str, why: str) -> None:
        ledger.fail(there[place], PixzipError(why))

    in_workers = replace(manner, quiet=True, verbose=False, json_lines=False, threads=1, workers=None, scheduler=None)
    with _pool(manner) as pool:
        if not pool.ready and not manner.quiet:
            ledger.bar.say(f"pixzip: {manner.scheduler} has no workers yet: waiting")
        pool.run(OnShard(work, in_workers), shards.cut(tasks, pool.workers), heard, lost)


def _task(ledger: Ledger, name: str, pixels: int) -> Task:
    """A file as workers see it, whose current folder may be another one."""
    entry = ledger[name]
    return Task(_absolute(name), entry.output and _absolute(entry.output), entry.bytes_before, pixels)


def _absolute(path: str) -> str:
    if os.path.isabs(path) or stores.is_url(path):  # noqa: PTH117 (a million calls)
        return path
    return str(Path(path).absolute())


@contextmanager
def _pool(manner: Manner) -> Iterator[Cluster]:
    if manner.scheduler is not None:
        with clusters.connected(manner.scheduler) as pool:
            yield pool
        return
    embedded = clusters.Embedded(manner.workers or 1)
    signals.set_last(click.get_current_context(), embedded.abandon)
    with embedded as pool:
        yield pool
