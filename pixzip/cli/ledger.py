"""The record of a command's files: lines for people, JSON for programs, and totals at the end."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO, Literal

import click

from pixzip.cli.errors import EXIT_ERROR, text_of
from pixzip.cli.options import Manner
from pixzip.cli.progress import FilesBar
from pixzip.cli.say import show, show_json
from pixzip.io import files, signals, streams
from pixzip.io.signals import signals_wait

Status = Literal["planned", "done", "skipped", "failed", "would"]
UP_TO_DATE = "up to date"


@dataclass
class Entry:
    """One file; unknown fields are None."""

    name: str
    output: str | None = None
    status: Status = "planned"
    bytes_before: int | None = None
    bytes_after: int | None = None
    pixels: int | None = None
    seconds: float = 0.0
    error: str | None = None
    warnings: list[str] = field(default_factory=list)
    original_removed: bool = False
    original_kept: str | None = None
    byte_for_byte: bool | None = None
    why_not: str | None = None

    @property
    def ratio(self) -> float | None:
        """Bytes before divided by bytes after."""
        return self.bytes_before / self.bytes_after if self.bytes_before and self.bytes_after else None


class Ledger:
    """The files of a command and the messages about them.

    Every file is entered by `plan` and closed by `done`, `skip`, `fail` or `would`, each of which prints a line.
    """

    def __init__(self, label: str, manner: Manner, *, writes: bool = True) -> None:
        """
        Args:
            label: label of the bar.
            writes: whether files have outputs.
        """
        self.label, self.manner, self.writes = label, manner, writes
        self.entries: dict[str, Entry] = {}
        self.written = 0
        self.bar = FilesBar(label, 0, False)
        self._credit: dict[str, float] = {}
        self._began = time.perf_counter()

    def carry_out(self, work: Callable[[list[str]], None], *, bar: bool = True) -> None:
        """Work on the planned files, or list them for a dry run; then print totals and exit with the right code.

        Args:
            work: called with the names of the files.
            bar: whether to show a bar; False if the work has its own.
        """
        names = self.planned()
        if self.manner.dry_run:
            for name in names:
                self.would(name)
        elif names:
            with self.at_work(bar):
                work(names)
        self.close()

    @contextmanager
    def at_work(self, bar: bool = True) -> Iterator[None]:
        """Show the bar if `bar`, and set the message for a signal that ends the work."""
        wanted = bar and not self.manner.quiet and not (self.manner.json_lines and sys.stdout.isatty())
        signals.set_text(click.get_current_context(), self._farewell)
        with FilesBar(self.label, sum(self[name].bytes_before or 0 for name in self.planned()), wanted) as self.bar:
            yield
        self.bar = FilesBar(self.label, 0, False)

    def _farewell(self) -> str:
        total = sum(1 for entry in self.entries.values() if entry.status != "skipped")
        what = "written" if self.writes else "checked"
        return f"interrupted: {self.written} of {total} {'file was' if total == 1 else 'files were'} {what}"

    def plan(self, name: str, output: str | None = None, size_bytes: int | None = None) -> None:
        """Enter a file."""
        self.entries[name] = Entry(name, output, bytes_before=size_bytes)

    def planned(self) -> list[str]:
        """The names of the files to work on."""
        return [name for name, entry in self.entries.items() if entry.status == "planned"]

    def __getitem__(self, name: str) -> Entry:
        return self.entries[name]

    def pixels(self, name: str) -> int:
        """The number of pixels of a file; 0 before it is read."""
        return self.entries[name].pixels or 0

    def target(self, name: str) -> str:
        """The output of a file.

        Raises:
            ValueError: the file has no output.
        """
        output = self.entries[name].output
        if output is None:
            raise ValueError(f"{name} has no output")
        return output

    def part(self, names: list[str], share: float = 1.0) -> Callable[[int, int], None]:
        """The progress callback of some files, or of a share of the work on them."""
        entries = [self.entries[name] for name in names]
        size = sum(entry.bytes_before or 0 for entry in entries)
        return self.bar.part(share * size, share * sum(entry.pixels or 0 for entry in entries))

    def credit(self, name: str, share: float) -> None:
        """Count a share of the work on a file as done."""
        more = share - self._credit.get(name, 0.0)
        self._credit[name] = share
        self.bar.advance(more * (self[name].bytes_before or 0), more * (self[name].pixels or 0))

    def warn(self, name: str, text: str) -> None:
        """Print a warning about a file."""
        if name in self.entries:
            self[name].warnings.append(text)
        if not self.manner.quiet:
            self.bar.say(f"pixzip: {name}: warning: {text}")

    def keep(self, name: str, why: str) -> None:
        """Say that `--rm` does not remove an original."""
        self[name].original_kept = why
        self.warn(name, f"original kept: {why}")

    def would(self, name: str) -> None:
        """Print what would be done with a file."""
        entry = self[name]
        self._close(entry, "would")
        if not self.manner.quiet and not self.manner.json_lines:
            show(f"{entry.name} -> {entry.output}")

    def skip(self, name: str) -> None:
        """Skip a file whose output is up to date."""
        self._close(self[name], "skipped")
        if self.manner.verbose:
            self.bar.say(f"{name}: {self[name].output} is {UP_TO_DATE}")

    def fail(self, name: str, error: BaseException) -> None:
        """Report the error of a file."""
        if name not in self.entries:
            self.plan(name)
        if self[name].status == "failed":  # already reported
            return
        self[name].error = text_of(error)
        self.bar.say(f"pixzip: {name}: {text_of(error)}")
        self._close(self[name], "failed")

    def write(self, name: str, data: bytes | BinaryIO, like: os.stat_result | None) -> None:
        """Write the output of a file, with the file's times and permissions.

        Raises:
            PixzipError, OSError: the output cannot be written.
        """
        target = self.target(name)
        with signals_wait():  # so that a written file is counted
            files.write(target, data, self.manner.force, like, make=True)
            self.written += 1
        self[name].bytes_after = len(data) if isinstance(data, bytes) else data.tell()

    def take_back(self, name: str) -> None:
        """Remove an output that turned out to be wrong."""
        with signals_wait():
            files.remove_output(self.target(name))
            self.written -= 1
        self[name].bytes_after = None

    def done(self, name: str) -> None:
        """Close a file, unless it has failed meanwhile."""
        entry = self[name]
        if entry.status == "failed":
            return
        self.bar.before += entry.bytes_before or 0
        self.bar.after += entry.bytes_after or 0
        self._close(entry, "done")
        if self.manner.verbose:
            self.bar.say(_line(entry))

    def _close(self, entry: Entry, status: Status) -> None:
        entry.status = status
        if status in ("done", "failed"):
            self.credit(entry.name, 1.0)
        if self.manner.json_lines:
            show_json({**asdict(entry), "seconds": round(entry.seconds, 6)})

    def close(self) -> None:
        """Print the totals, and end the program with the right code."""
        total = self._total()
        if self.manner.json_lines:
            show_json({"total": total})
        terminal = streams.is_terminal() and not self.manner.quiet
        if len(self.entries) > 1 and (terminal or self.manner.verbose) and not self.manner.dry_run:
            self._table(total)
        if total["failed"]:
            sys.exit(EXIT_ERROR)

    def _total(self) -> dict[str, Any]:
        done = [entry for entry in self.entries.values() if entry.status == "done"]
        counts = {s: sum(e.status == s for e in self.entries.values()) for s in ("done", "skipped", "failed", "would")}
        sums = {n: sum(getattr(e, n) or 0 for e in done) for n in ("bytes_before", "bytes_after", "pixels")}
        if self.manner.remove:
            counts["originals_kept"] = sum(not entry.original_removed for entry in done)
        return {"files": len(self.entries), **counts, **sums, "seconds": round(time.perf_counter() - self._began, 6)}

    def _table(self, total: dict[str, Any]) -> None:
        from pixzip.cli.work import terminal

        before, after, pixels = total["bytes_before"], total["bytes_after"], total["pixels"]
        cells = {"files": f"{total['done']:,}", "bytes before": f"{before:,}", "bytes after": f"{after:,}"}
        cells["ratio"] = f"{before / after:.3f}" if after else "-"
        cells["seconds"] = f"{total['seconds']:,.1f}"
        cells["MP/s"] = f"{pixels / 1e6 / total['seconds']:.3f}" if pixels else "-"
        cells |= {"skipped": f"{total['skipped']:,}", "failed": f"{total['failed']:,}"}
        if self.manner.remove:
            cells["originals kept"] = f"{total['originals_kept']:,}"
        if not self.writes:
            cells["bytes"] = cells.pop("bytes before")
            cells = {name: cells[name] for name in ("files", "bytes", "seconds", "MP/s", "failed")}
        terminal.table([cells], cells, stderr=True)


def _line(entry: Entry) -> str:
    after = "" if entry.bytes_after is None else f" -> {entry.bytes_after:,}"
    ratio = f", ratio {entry.ratio:.3f}" if entry.ratio else ""
    what = f"{entry.name}: ok" if entry.output is None else f"{entry.name} -> {entry.output}"
    removed = ", original removed" if entry.original_removed else ""
    size = "" if entry.bytes_before is None else f"{entry.bytes_before:,}"
    return f"{what}: {size}{after} bytes{ratio}, {entry.seconds:.2f} s{removed}"
