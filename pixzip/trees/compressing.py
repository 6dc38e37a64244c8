"""Compress the files of a shard, from path to path, for `pixzip.compress_tree`."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

from pixcodecs import threads
from pixcodecs.container.references import Reference
from pixcodecs.errors import PixzipError

from pixzip import codec, image, originals
from pixzip.codec import by_rows, kept, original
from pixzip.engine.batching import halving
from pixzip.image.formats.base import HEAD_BYTES
from pixzip.image.picture import Picture
from pixzip.io import files, streams
from pixzip.originals import Record
from pixzip.trees import large
from pixzip.trees.model_files import ModelFiles
from pixzip.trees.places import between, write
from pixzip.trees.pools import Event
from pixzip.trees.records import FULL, Proof, up_to_date
from pixzip.trees.shards import SOON_PIXELS, Task

Result = TypeVar("Result")

#: Errors of one file that do not affect the others.
FILE_ERRORS = (PixzipError, OSError, MemoryError)


class _Full(Exception):  # noqa: N818 (the error of the file is told)
    """There is no space for more outputs."""


class _Read(NamedTuple):
    """An image that is read; `stat` is the status of its file."""

    picture: Picture
    dropped: list[str]
    record: Record
    stat: os.stat_result | None
    size_bytes: int
    task: Task


@dataclass(frozen=True)
class Compressing:
    """Compresses shards; goes to workers by value.

    Attributes:
        model, device, effort, max_pixels: see `pixzip.Codec`.
        force: overwrite outputs that exist.
        models_in: the folder of model files, to which outputs refer; None to refer to models by id.
    """

    model: str | None
    device: str
    effort: int
    max_pixels: int | None
    force: bool
    models_in: str | None

    def __call__(self, tasks: Sequence[Task], tell: Callable[[Event], None]) -> None:
        """Work on the files; those that another worker wrote before it died are done."""
        _Shard(self, tell).run(tasks)


class _Shard:
    """One shard."""

    def __init__(self, how: Compressing, tell: Callable[[Event], None]) -> None:
        self._how, self._tell = how, tell
        self._thoroughness = original.thoroughness(how.effort)
        self._options = codec.Options.of(
            how.model, codec.coding_device(how.device), how.effort, max_pixels=how.max_pixels,
            reference=Reference.BESIDE if how.models_in else Reference.ID,
        )  # fmt: skip
        self._models = how.models_in and ModelFiles([how.models_in], self._options.model_by_id, how.force)

    def run(self, tasks: Sequence[Task]) -> None:
        """Work on all files; once a disk is full, the others are not tried."""
        left = {task.name: task for task in tasks}
        tell = self._tell

        def told(event: Event) -> None:
            del left[event["name"]]
            tell(event)

        self._tell = told
        try:
            read: list[_Read] = []
            enough = SOON_PIXELS * threads.get_threads()
            for task in tasks:
                if (item := self._attempt(task, self._read)) is not None:
                    read.append(item)
                if sum(item.picture.pixels for item in read) >= enough:
                    self._batch(read)
                    read = []
            self._batch(read)
        except _Full as full:
            for name in list(left):
                self._fail(name, PixzipError(f"not tried: no space was left for the output of {full}"))

    def _batch(self, found: list[_Read]) -> None:
        def compressed(items: list[_Read]) -> list[bytes | BaseException]:
            return [*codec.compress([item.picture for item in items], self._options)]

        files_of = halving(compressed, found, FILE_ERRORS, lambda _, error: error.with_traceback(None)) if found else []
        for item, data in zip(found, files_of, strict=True):
            self._attempt(item.task, partial(self._write, item, data))

    def _attempt(self, task: Task, action: Callable[[Task], Result]) -> Result | None:
        """The result of an action; None after telling its error."""
        try:
            return action(task)
        except FILE_ERRORS as e:
            if isinstance(e, PixzipError) and self._find_written(task):  # by another worker, meanwhile
                return None
            self._fail(task.name, e)
            if isinstance(e, OSError) and e.errno in FULL:
                raise _Full(task.name) from None
            return None

    def _read(self, task: Task) -> _Read | None:
        """Read an image; None if it is compressed already."""
        output = task.output or ""
        if self._find_written(task):
            return None
        if not between(task.name, output):
            files.check_writable(output, self._how.force, make=True)
        with streams.Input(task.name) as source_file:
            if kept.is_jpeg(source_file.head(HEAD_BYTES)):
                data = kept.keep(source_file.read(), self._how.max_pixels)
                write(task.name, output, data, self._how.force, source_file.stat)
                self._done(task, Proof.of(data, source_file.stat))
                return None
            rows = image.open_large(source_file.file(), by_rows.LARGE_PIXELS, self._how.max_pixels)
            if rows is None:
                picture, dropped = image.load(source_file.read(), self._how.max_pixels)
                record = originals.make(source_file.file(), originals.of_picture(picture), self._thoroughness)
                return _Read(picture, dropped, record, source_file.stat, source_file.size_bytes, task)
            self._large(task, source_file, rows)
        return None

    def _large(self, task: Task, source: streams.Input, rows: image.RowReader) -> None:
        """Compress an image band by band."""
        output = task.output or ""
        proofs = []

        def written(data: BinaryIO) -> None:
            self._put(task, data, source.stat)
            proofs.append(Proof.of(data, source.stat))

        record = large.compress(
            source, rows, output, self._options, strip=False, thoroughness=self._thoroughness, write=written
        )
        self._done(task, proofs[0], rows.dropped, record)

    def _find_written(self, task: Task) -> bool:
        """Tell that an output is there and has the time of its input; return whether it is so.

        Outputs of and in stores have no times: they are made again, and found to be the same.
        """
        output = Path(task.output or "")
        if self._how.force or between(task.name, str(task.output)) or not output.is_file():
            return False
        source = Path(task.name).stat()
        if not up_to_date(source, output.stat()):
            return False
        with output.open("rb") as written:
            self._done(task, Proof.of(written, source))
        return True

    def _write(self, item: _Read, data: bytes | BaseException, task: Task) -> None:
        if isinstance(data, BaseException):
            raise data
        data, record = original.with_record(data, item.record, item.size_bytes)
        self._put(task, data, item.stat)
        self._done(task, Proof.of(data, item.stat), item.dropped, record)

    def _put(self, task: Task, data: bytes | BinaryIO, like: os.stat_result | None) -> None:
        """Write an output, after the model files that it refers to."""
        output = task.output or ""
        if self._models:
            self._models.before(data, output)
        write(task.name, output, data, self._how.force, like)

    def _done(self, task: Task, proof: Proof, dropped: Sequence[str] = (), record: Record | None = None) -> None:
        lost = dropped and not (record and record.is_kept)
        warnings = [f"not kept: {', '.join(dropped)}"] if lost else []
        self._tell({"name": task.name, "proof": list(proof), "error": "", "warnings": warnings})

    def _fail(self, name: str, error: BaseException) -> None:
        text = str(error) or ("not enough memory" if isinstance(error, MemoryError) else type(error).__name__)
        if isinstance(error, OSError):
            text = error.strerror or text
        self._tell({"name": name, "proof": None, "error": text, "warnings": []})
