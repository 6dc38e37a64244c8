"""The work of a command in a worker: a ledger that prints nothing and tells the command's ledger everything."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pixzip.cli.entries import Entry, Status
from pixzip.cli.errors import FILE_ERRORS
from pixzip.cli.ledger import Ledger, Work
from pixzip.cli.options import Manner
from pixzip.cli.progress import FilesBar
from pixzip.trees.pools import Event
from pixzip.trees.records import Proof, up_to_date
from pixzip.trees.shards import Task


class _Silent(FilesBar):
    """A bar that is not shown and prints nothing: warnings and errors travel with the files."""

    def say(self, text: str) -> None:
        pass


class _Relay(Ledger):
    """The ledger of a shard."""

    relays = True

    def __init__(self, manner: Manner, tell: Callable[[Event], None]) -> None:
        super().__init__("", manner)
        self.bar = _Silent("", 0, False)
        self._tell = tell

    def _close(self, entry: Entry, status: Status) -> None:
        entry.status = status
        proof = self.proofs.pop(entry.name, None)
        self._tell({**asdict(entry), "proof": proof and list(proof)})


@dataclass(frozen=True)
class OnShard:
    """The work of a command on a shard; goes to workers by value.

    Attributes:
        work: the command's, see `spreading`.
        manner: the command's, as workers keep to it.
    """

    work: Work
    manner: Manner

    def __call__(self, tasks: Sequence[Task], tell: Callable[[Event], None]) -> None:
        """Work on the files; those that another worker wrote before it died are done."""
        ledger = _Relay(self.manner, tell)
        for task in tasks:
            ledger.plan(task.name, task.output, task.size_bytes)
        if not self.manner.force:
            for task in tasks:
                try:
                    _find_written(ledger, task)
                except FILE_ERRORS as e:
                    ledger.fail(task.name, e)
        ledger.work(self.work, ledger.planned())


def _find_written(ledger: Ledger, task: Task) -> None:
    """Close a file whose output is there."""
    if task.output is None or not Path(task.output).is_file():
        return
    source = Path(task.name).stat()
    if up_to_date(source, Path(task.output).stat()):
        with Path(task.output).open("rb") as file:
            proof = ledger.proofs[task.name] = Proof.of(file, source)
        ledger[task.name].bytes_after = proof.output_bytes
        ledger.done(task.name)
