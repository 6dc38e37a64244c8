"""Cut files into shards of about as many pixels each."""

import hashlib
import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from pixzip.engine.batching import batches
from pixzip.trees.manifest import Shard

#: Most pixels of a shard, some half a minute of work: what is lost when a worker dies.
SHARD_PIXELS = 16 << 20
#: Most files of a shard, so that what a worker is sent and answers stays small.
SHARD_FILES = 256
#: Pixels for each thread that make a batch worth its start on a CPU: more take as long a pixel, and outputs wait.
SOON_PIXELS = 1 << 20
#: Least number of shards for each worker, so that none waits long for the last.
SHARDS_A_WORKER = 4


class Task(NamedTuple):
    """A file to work on.

    Attributes:
        name: the input, as it is named in messages.
        output: path of the output; None if there is none.
        size_bytes: size of the input; None if not known.
        pixels: of the image, at least about.
    """

    name: str
    output: str | None
    size_bytes: int | None
    pixels: int


def cut(tasks: Sequence[Task], workers: int = 1) -> Iterator[list[Task]]:
    """Shards of consecutive files: at most `SHARD_PIXELS`, fewer for few files and many workers, or one file each."""
    total = sum(task.pixels for task in tasks)
    limit = max(1, min(SHARD_PIXELS, total // (SHARDS_A_WORKER * workers)))
    return batches(tasks, lambda task: max(task.pixels, limit // SHARD_FILES), limit)


def is_in(inner: str, shard: Shard) -> bool:
    """Whether a file is in one part of a job array that is cut by names: it does not matter which files are there.

    Args:
        inner: path of the file below the folder that the user named.
    """
    digest = hashlib.sha256(inner.replace(os.sep, "/").encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8]) % shard.count == shard.index - 1


def part_of(pixels: Sequence[int], shard: Shard) -> slice:
    """The consecutive files of one part of a job array; every file is in one part, whoever cuts.

    Args:
        pixels: of all files of the array, in the same order for all its parts.
    """
    weights = [max(1, n) for n in pixels]
    total = sum(weights)
    middles = [2 * end - n for n, end in zip(weights, accumulate(weights), strict=True)]  # of 2 * total
    parts = [middle * shard.count // (2 * total) for middle in middles]
    return slice(bisect_left(parts, shard.index - 1), bisect_right(parts, shard.index - 1))
