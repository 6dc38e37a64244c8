"""`compress_tree`: the images of a folder and below it to a folder of `.pxz` files, here or on a cluster."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pixcodecs.container.image import MAX_PIXELS
from pixcodecs.errors import PixzipError

from pixzip.api.codec import Codec, Name
from pixzip.codec.efforts import DEFAULT_EFFORT
from pixzip.image import sources
from pixzip.image.left_alone import is_opened, left_alone
from pixzip.io import arguments, stores
from pixzip.io.names import pxz_name
from pixzip.trees import clusters, looking, shards, sizes
from pixzip.trees.compressing import Compressing
from pixzip.trees.manifest import Shard
from pixzip.trees.places import FileStatus, Place, check_shared
from pixzip.trees.pools import Event, Here, Pool
from pixzip.trees.records import Proof, Records
from pixzip.trees.shards import Task


class TreeResult(NamedTuple):
    """What `compress_tree` did.

    Attributes:
        done: number of files that were written.
        skipped: number of files that were there already.
        bytes_before, bytes_after: total sizes of the inputs and outputs of the files that were written.
        failed: path of an input below the source -> why it has no output.
        warnings: path of an input below the source -> what its output does not hold, in words.
        left: path of an image below the source that was left alone -> its kind, and why.
    """

    done: int
    skipped: int
    bytes_before: int
    bytes_after: int
    failed: dict[str, str]
    warnings: dict[str, list[str]]
    left: dict[str, str]


def compress_tree(
    src: Name,
    dst: Name,
    client: Any = None,
    *,
    workers: int | None = None,
    shard: tuple[int, int] | None = None,
    model: Name | None = None,
    device: str = "auto",
    effort: int = DEFAULT_EFFORT,
    embed_model: bool = False,
    force: bool = False,
    max_pixels: int | None = MAX_PIXELS,
) -> TreeResult:
    """Compress all images in a folder and below it, as `pixzip compress -r SRC -o DST` does.

    Outputs appear as they are finished, and each is entered in `DST/pixzip-manifest.jsonl` (`docs/scale.md`).  Called
    again, it does what is missing.  The bytes of a file do not depend on where it is compressed.

    Args:
        src: path or URL of the folder of images.
        dst: path or URL of the folder of `.pxz` files, which is created if missing.
        client: `distributed.Client` of a Dask cluster whose workers see both folders; None to work in this process.
        workers: instead of a client, 1 to 1024 processes of one thread each on this machine, started for this call.
        shard: (i, n), to take only part i, from 1, of n parts of the files: for job arrays.
        model, device, effort, max_pixels: see `pixzip.Codec`.
        embed_model: put each model into one file in `dst`, `pixzip-model-ID.pxz`, so that no reader needs to have it.
        force: overwrite outputs that exist; otherwise those that are up to date are skipped, and others are errors.
    Raises:
        TypeError, ValueError: an argument is of another type, or out of range.
        PixzipError: the source is no folder; Dask is not installed; the scheduler is lost; a folder is in this
            process's memory and others do the work; fsspec or the package of a URL's store is missing.
        OSError: a store does not answer, or does not take the manifest.
        ModelMismatchError: there is no such model.

    >>> import numpy as np, pixzip
    >>> from PIL import Image
    >>> folder = getfixture("tmp_path")
    >>> for i in range(3):
    ...     Image.fromarray(np.full((8, 8, 3), i, np.uint8)).save(folder / f"{i}.png")
    >>> pixzip.compress_tree(folder, folder / "archive", model="fast").done
    3
    >>> pixzip.compress_tree(folder, folder / "archive", model="fast").skipped
    3
    """
    codec = Codec(model, device, max_pixels=max_pixels, effort=effort)
    workers = None if workers is None else arguments.workers(workers)
    force, embed_model = arguments.flag(force, "force"), arguments.flag(embed_model, "embed_model")
    if client is not None and workers is not None:
        raise ValueError("client and workers do not go together: each says where the work is done")
    if client is not None:
        clusters.check_client(client)
    part = None if shard is None else Shard(*arguments.part(shard))
    source, target = _place(src, "src"), _place(dst, "dst")
    if not source.is_folder:
        raise PixzipError(f"{source.name} is not a folder")
    if client is not None or workers is not None:
        check_shared(source.name, target.name)
    given = None if model is None else clusters.reachable(codec.model)
    root = target.name if embed_model else None
    work = Compressing(given, arguments.text(device, "device"), codec.effort, codec.max_pixels, force, root)
    tree = _Tree(source, target, part, force)
    with contextlib.ExitStack() as stack:
        stack.callback(tree.records.close)
        tasks = tree.tasks(counted=client is not None or workers is not None)
        pool = _pool(client, workers, stack)
        cut = [tasks] if isinstance(pool, Here) else shards.cut(tasks, pool.workers)
        pool.run(work, cut, tree.hear, tree.lose)
    return tree.result()


def _place(value: Name, what: str) -> Place:
    """A folder by its absolute path or its URL.

    Raises:
        TypeError: the value is something else.
    """
    name = stores.plain(arguments.text(value, what))
    return Place(name if stores.is_url(name) else str(Path(name).absolute()))


def _pool(client: Any, workers: int | None, stack: contextlib.ExitStack) -> Pool:
    if client is not None:
        return clusters.Cluster(client, "the client")
    return Here() if workers is None else stack.enter_context(clusters.Embedded(workers))


class _Tree:
    """The files of one call, and what becomes of them."""

    def __init__(self, source: Place, target: Place, shard: Shard | None, force: bool) -> None:
        self._source, self._target, self._shard, self._force = source, target, shard, force
        self.records = Records(target.name, [source.name], shard)
        self._tasks: dict[str, Task] = {}
        self._found = self._done = self._before = self._after = 0
        self._failed: dict[str, str] = {}
        self._warnings: dict[str, list[str]] = {}
        self._left: dict[str, str] = {}

    def tasks(self, counted: bool) -> list[Task]:
        """What is missing.

        Args:
            counted: whether their pixels count; otherwise they are 0.
        """
        suffixes = sources.folder_suffixes()
        found: list[tuple[str, FileStatus | None]] = []
        for inner, opened in looking.walked(self._source, is_opened):
            if left := left_alone(inner, opened):
                self._left[Path(inner).as_posix()] = f"{left.kind} file: {left.why}"
            elif Path(inner).suffix.lower() in suffixes:
                found.append((inner, self._source.status(inner)))
        missing: list[tuple[str, FileStatus | None]] = []
        for inner, status in found[self._part(found)]:
            self._found += 1
            name = self._source.prefix + inner
            if status and self._source.remote:
                self.records.learn(name, status)
            if self._force or not self._is_done(name, inner, status):
                missing.append((inner, status))
        pixels = sizes.work(self._given(missing)) if counted else [0] * len(missing)
        for (inner, status), n in zip(missing, pixels, strict=True):
            name, output = self._source.prefix + inner, self._target.prefix + pxz_name(inner)
            self._tasks[name] = Task(name, output, status.st_size if status else None, n)
        for name in self.records.unlisted:
            self.records.adopt(name, self._target.prefix + pxz_name(name.removeprefix(self._source.prefix)))
        return list(self._tasks.values())

    def _given(self, files: Sequence[tuple[str, FileStatus | None]]) -> list[sizes.Given]:
        return [sizes.Given(self._source.prefix + inner, status.st_size if status else None) for inner, status in files]

    def _part(self, files: Sequence[tuple[str, FileStatus | None]]) -> slice:
        """The files of this part of a job array; all if there is none."""
        if self._shard is None:
            return slice(None)
        return shards.part_of(sizes.work(self._given(files), all_agree=True), self._shard)

    def _is_done(self, name: str, inner: str, status: FileStatus | None) -> bool:
        written = self._target.status(pxz_name(inner))
        output = self._target.prefix + pxz_name(inner)
        return bool(status and written and self.records.is_done(name, output, status, written))

    def hear(self, event: Event) -> None:
        """Enter what became of a file."""
        task, proof = self._tasks[event["name"]], event["proof"] and Proof(*event["proof"])
        if proof:
            self._done += 1
            self._before += proof.size
            self._after += proof.output_bytes
        else:
            self._failed[self._inner(task.name)] = event["error"]
        if event["warnings"]:
            self._warnings[self._inner(task.name)] = event["warnings"]
        self.records.enter(task.name, task.output, proof, event["error"])

    def lose(self, name: str, why: str) -> None:
        """Enter that workers died of a file."""
        self.hear({"name": name, "proof": None, "error": why, "warnings": []})

    def _inner(self, name: str) -> str:
        return Path(name.removeprefix(self._source.prefix)).as_posix()

    def result(self) -> TreeResult:
        """What was done."""
        skipped = self._found - len(self._tasks)
        return TreeResult(self._done, skipped, self._before, self._after, self._failed, self._warnings, self._left)
