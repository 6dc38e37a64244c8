"""The work of a command in a worker: a ledger that prints nothing and tells the command's ledger everything."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pixcodecs.errors import PixzipError

from pixzip.cli.entries import Entry, Status
from pixzip.cli.errors import FILE_ERRORS
from pixzip.cli.ledger import Ledger, Work
from pixzip.cli.options import Manner
from pixzip.cli.progress import FilesBar
from pixzip.io import stores, streams
from pixzip.trees.places import between
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

    def fail(self, name: str, error: BaseException) -> None:
        """See `Ledger.fail`; done, if another worker has written the output meanwhile."""
        if self[name].status == "planned" and not (isinstance(error, PixzipError) and self.find_written(name)):
            super().fail(name, error)

    def find_written(self, name: str) -> bool:
        """Close a file whose output is there and has its time, or whose original is removed; return whether it is so.

        Outputs of and in stores have no times: they are made again, and found to be the same.

        Raises:
            OSError: the output cannot be read.
        """
        output = self[name].output
        if output is None or self.manner.force:
            return False
        removed = bool(self.manner.remove) and not (stores.is_url(name) or Path(name).exists())
        if not removed and between(name, output):
            return False
        if not (stores.exists(output) if stores.is_url(output) else Path(output).is_file()):
            return False
        source = None if removed else Path(name).stat()  # removed by a worker that died before it could tell
        if not removed and not up_to_date(source, Path(output).stat()):
            return False
        with streams.opened(output) as file:
            proof = self.proofs[name] = Proof.of(file, source)
        self[name].bytes_after, self[name].original_removed = proof.output_bytes, removed
        self.done(name)
        return True

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
        for task in tasks:
            try:
                ledger.find_written(task.name)
            except FILE_ERRORS as e:
                ledger.fail(task.name, e)
        ledger.work(self.work, ledger.planned())
