"""The record of a command's files: lines for people, JSON for programs, and totals at the end."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from functools import partial
from typing import Any, BinaryIO

import click

from pixzip.cli import totals
from pixzip.cli.entries import Entry, Status
from pixzip.cli.errors import EXIT_ERROR, text_of
from pixzip.cli.options import Manner
from pixzip.cli.progress import FilesBar
from pixzip.cli.say import say, show, show_json
from pixzip.io import files, signals, streams
from pixzip.io.signals import signals_wait
from pixzip.trees import places
from pixzip.trees.records import FULL, Proof, Records

UP_TO_DATE = "up to date"
NOT_COMPARED = "outputs that were up to date are not compared: -f --rm codes them again"
NOT_TRIED = "not tried"


class DiskFull(Exception):  # noqa: N818 (the error of the file is reported; this only ends the work on others)
    """There is no space for more outputs."""


class Ledger:
    """The files of a command and the messages about them.

    Every file is entered by `plan` and closed by `done`, `skip`, `fail`, `give_up`, `would` or `hear`.
    """

    #: Whether this ledger tells another one in another process what becomes of files.
    relays = False

    def __init__(self, label: str, manner: Manner, *, writes: bool = True) -> None:
        """
        Args:
            label: label of the bar.
            writes: whether files have outputs.
        """
        self.label, self.manner, self.writes = label, manner, writes
        self.entries: dict[str, Entry] = {}
        self.left: dict[str, tuple[str, str]] = {}
        self.written = self.untried = 0
        self.counts: dict[str, int] = {}  # more totals
        #: The manifest of the folder of outputs; None if there is none.
        self.records: Records | None = None
        self.bar = FilesBar(label, 0, False)
        #: What files that are written, but not yet closed, were made of.
        self.proofs: dict[str, Proof] = {}
        #: Pixels of files in stores, as far as their first bytes were asked for.
        self.work_of: dict[str, int] = {}
        self._credit: dict[str, float] = {}
        self._began = time.perf_counter()

    def carry_out(self, work: "Work", *, bar: bool = True) -> None:
        """Work on the planned files, or list them for a dry run; then print totals and exit with the right code.

        Args:
            work: called with this ledger and the names of the files.
            bar: whether to show a bar; False if the work has its own.
        """
        names = self.planned()
        if self.manner.dry_run:
            for name in names:
                self.would(name)
        else:
            self._adopt()
            if names:
                with self.at_work(bar):
                    self.work(work, names)
        if self.records:
            self._in_manifest("the last files", self.records.close)
        self.close()

    def _adopt(self) -> None:
        """Enter files that are up to date, but not in the manifest, because a command was killed."""
        if records := self.records:
            for name in records.unlisted:
                self._in_manifest(name, partial(records.adopt, name, self.target(name)))

    def _in_manifest(self, name: str, action: Callable[[], None]) -> None:
        """Enter something in the manifest, or warn of it."""
        try:
            action()
        except OSError as e:
            self.warn(name, f"not entered in the manifest: {text_of(e)}")

    def work(self, work: "Work", names: list[str]) -> None:
        """Work on files; once a disk is full, the others are left."""
        try:
            work(self, names)
        except DiskFull as full:
            for name in self.planned():
                self.give_up(name, f"{NOT_TRIED}: no space was left for the output of {full}")

    @contextmanager
    def at_work(self, bar: bool = True) -> Iterator[None]:
        """Show the bar if `bar`, and set the message for a signal that ends the work."""
        wanted = bar and not self.manner.quiet and not (self.manner.json_lines and sys.stdout.isatty())
        signals.set_text(click.get_current_context(), self._farewell)
        names = self.planned()
        size_bytes = sum(self[name].bytes_before or 0 for name in names)
        with FilesBar(self.label, size_bytes, wanted, len(names)) as self.bar:
            yield
        self.bar = FilesBar(self.label, 0, False)

    def _farewell(self) -> str:
        total = sum(1 for entry in self.entries.values() if entry.status != "skipped")
        what = f"{'file was' if total == 1 else 'files were'} {'written' if self.writes else 'checked'}"
        return f"interrupted: {self.written} of {total} {what}"

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

    def find_none(self, given: str, what: str) -> None:
        """Warn of a folder in which there is nothing to work on."""
        self.warn(given, f"no {what} in this folder")

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
        """Skip a file whose output is up to date; `close` counts the originals that `--rm` therefore keeps."""
        if self.manner.remove:
            self[name].original_kept = NOT_COMPARED
        self._close(self[name], "skipped")
        if self.manner.verbose:
            self.bar.say(f"{name}: {self[name].output} is {UP_TO_DATE}")

    def leave(self, name: str, kind: str, why: str) -> None:
        """Count an image in a folder that is left alone; the closing line names its kind and the reason."""
        if name not in self.left:
            self.left[name] = kind, why
            self._close(Entry(name, warnings=[f"{kind} file left alone: {why}"]), "left")

    def fail(self, name: str, error: BaseException) -> None:
        """Report the error of a file.

        Raises:
            DiskFull: it is that no space is left.
        """
        if name not in self.entries:
            self.plan(name)
        if self[name].status == "failed":  # already reported
            return
        self[name].error = text_of(error)
        self.bar.say(f"pixzip: {name}: {text_of(error)}")
        self._close(self[name], "failed")
        if isinstance(error, OSError) and error.errno in FULL:
            raise DiskFull(name)

    def give_up(self, name: str, why: str) -> None:
        """Close a file that is not tried; `close` counts such files in one line."""
        self[name].error, self.untried = why, self.untried + 1
        if self.manner.verbose:
            self.bar.say(f"pixzip: {name}: {why}")
        self._close(self[name], "failed")

    def write(self, name: str, data: bytes | BinaryIO, like: os.stat_result | None, *, whole: bool = True) -> None:
        """Write the output of a file, with the file's times and permissions.

        Args:
            whole: whether the output has all of the file; otherwise it gets no times, and a later run makes it anew.
        Raises:
            PixzipError, OSError: the output cannot be written.
        """
        with signals_wait():  # so that a written file is counted
            places.write(name, self.target(name), data, self.manner.force, like, whole=whole)
            self.written += 1
        if self.records or self.relays:
            self.proofs[name] = Proof.of(data, like, whole=whole)
        self[name].bytes_after = len(data) if isinstance(data, bytes) else data.tell()

    def take_back(self, name: str) -> None:
        """Remove an output that turned out to be wrong."""
        with signals_wait():
            files.remove_output(self.target(name))
            self.written -= 1
            self.proofs.pop(name, None)
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
            self.bar.say(entry.line())

    def hear(self, event: dict[str, Any]) -> None:
        """Close a file as the ledger of a worker did.

        Args:
            event: the fields of its entry but the output, and its proof.
        """
        entry, proof, status = self[event["name"]], event["proof"], event["status"]
        if proof:
            self.proofs[entry.name] = Proof(*proof)
        for name in {field.name for field in fields(Entry)} - {"name", "output", "status", "warnings"}:
            setattr(entry, name, event[name])
        for text in event["warnings"]:
            self.warn(entry.name, text)
        if status == "done":
            self.written += 1
            self.done(entry.name)
        elif event["error"].startswith(NOT_TRIED):
            self.give_up(entry.name, event["error"])
        else:
            self.bar.say(f"pixzip: {entry.name}: {entry.error}")
            self._close(entry, "failed")

    def _close(self, entry: Entry, status: Status) -> None:
        entry.status = status
        if status in ("done", "failed"):
            self.bar.files += 1
            self.credit(entry.name, 1.0)
            self._enter(entry)
        if self.manner.json_lines:
            show_json({**asdict(entry), "seconds": round(entry.seconds, 6)})

    def _enter(self, entry: Entry) -> None:
        """Enter a file in the manifest."""
        proof = self.proofs.pop(entry.name, None)
        if self.records:
            self._in_manifest(entry.name, partial(self.records.enter, entry.name, entry.output, proof, entry.error))

    def close(self) -> None:
        """Print the totals, and end the program with the right code."""
        seconds = time.perf_counter() - self._began
        removing = bool(self.manner.remove)
        total = totals.of(self.entries.values(), len(self.left), seconds, removing=removing) | self.counts
        if self.untried:
            say(f"pixzip: no space was left: {self.untried} of {len(self.entries)} files were not tried")
        if self.manner.json_lines:
            show_json({"total": total})
        for line in totals.lines_of_left(self.left.values()) if not self.manner.quiet else ():
            self.bar.say(f"pixzip: {line}")
        if removing and total["skipped"] and not self.manner.quiet:
            originals = "original" if total["skipped"] == 1 else "originals"
            self.bar.say(f"pixzip: {total['skipped']:,} {originals} kept: {NOT_COMPARED}")
        terminal = streams.is_terminal() and not self.manner.quiet
        if len(self.entries) > 1 and (terminal or self.manner.verbose) and not self.manner.dry_run:
            totals.show(total, self.writes)
        if total["failed"]:
            sys.exit(EXIT_ERROR)


#: The work of a command on some files of a ledger.
Work = Callable[[Ledger, list[str]], None]
