"""The program that `test_forking.py` starts: processes forked from one that has coded, or codes, give the same files.

It ends with 0 if all of them did.  A child that hangs is killed by its own alarm.
"""

import faulthandler
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

#: Seconds after which a child is taken to hang.
LIMIT_S = 120


def work(_: int = 0) -> list[bytes]:
    """The files of a batch with enough pixels a step for several threads; each decodes to its image."""
    import numpy as np

    import pixzip

    y, x = np.mgrid[:24, :24]
    images = [np.stack([3 * x + y, i * x + 2 * y, x + i * y], -1).astype(np.uint8) ^ 1 for i in range(8)]
    files = pixzip.encode_batch(images, "fast")
    assert all(map(np.array_equal, images, pixzip.decode_batch(files)))
    return files


def other_work() -> list[bytes]:
    """The bytes of other kinds of blocks and models: WebP, rANS, 16 bits, a stack, the PixelRNN family."""
    import numpy as np
    from pixcodecs.coders.registry import RANS

    import pixzip
    from pixzip.codec.stack import compress_stack, decompress_stack
    from pixzip.engine.base import Job
    from pixzip.engine.device import engine
    from pixzip.models import library
    from tests.helpers.family import mixture_of, pair, smooth
    from tests.helpers.support import noise, photo, photos

    drawing = (noise(3, 4, 4, 1) // 128 * 255).repeat(4, 0).repeat(4, 1)
    deep = photo(1, 12, 12)[..., 0].astype(np.uint16) * 257
    files = [pixzip.encode(image, "fast") for image in (drawing, deep)]
    files.append(pixzip.Codec("fast", coder=RANS.name).encode(drawing))
    for image, back in zip([drawing, deep, drawing], pixzip.decode_batch(files), strict=True):
        assert np.array_equal(image, back)

    files.append(compress_stack(list(photos(8, 20, 20)), library.resolve("fast", 3)))
    assert np.array_equal(np.stack(decompress_stack(files[-1]).images), photos(8, 20, 20))

    image = smooth(3, 3, 4, 1)
    ready = engine(pair(mixture_of("diagonal-bilstm-1"))[1], "cpu")
    files += ready.encode([Job.encoding(image)])
    assert np.array_equal(ready.decode([Job.decoding(files[-1], 3, 4)])[0], image)
    return files


def in_child(task: Callable[[], bool]) -> bool:
    """Whether a task is true in a forked child."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            faulthandler.register(signal.SIGALRM, chain=True)  # says where it hangs
            signal.alarm(LIMIT_S)
            code = 0 if task() else 1
        except BaseException:  # noqa: BLE001 (a child must not go on as its parent does)
            traceback.print_exc()
        finally:
            os._exit(code)
    status = os.waitpid(pid, 0)[1]
    if status:
        print(f"child ended with {os.waitstatus_to_exitcode(status)}", file=sys.stderr)  # noqa: T201
    return status == 0


def in_threads(expected: list[bytes]) -> bool:
    """Whether threads of this process code as one does, and Zarr's threads too."""
    import numpy as np
    import zarr

    from pixzip.zarr import PixzipCodec
    from tests.helpers.support import photos

    with ThreadPoolExecutor(3) as pool:
        same = list(pool.map(work, range(3))) == [expected] * 3
    images = photos(4, 8, 8)
    array = zarr.create_array(
        {}, shape=images.shape, chunks=(1, 8, 8, 3), dtype="u1", serializer=PixzipCodec("fast"), compressors=None
    )
    array[:] = images
    return same and np.array_equal(array[:], images)


class Files:
    """A data set for PyTorch's loader."""

    def __init__(self, file: bytes) -> None:
        self.file = file

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        import pixzip

        return pixzip.decode(self.file)


def parent_has_coded() -> None:
    """Children, forked and spawned, of a process that has used the threads of every library."""
    import torch
    from torch.utils.data import DataLoader

    torch.set_num_threads(2)
    expected, of_others = work(), other_work()
    torch.ones(1 << 20).sum()

    assert in_child(lambda: work() == expected and other_work() == of_others), "a child"
    assert in_child(lambda: float(torch.ones(1 << 20).sum()) == 1 << 20), "PyTorch alone"
    assert in_child(lambda: in_child(lambda: work() == expected)), "a grandchild"
    assert in_child(lambda: work() == expected and in_child(lambda: work() == expected)), "a child that has coded"
    assert in_child(lambda: in_threads(expected)), "threads of a child"
    assert work() == expected, "the parent, afterwards"
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        assert pool.map_async(work, range(2)).get(LIMIT_S) == [expected] * 2
    with ProcessPoolExecutor(2, context) as executor:
        assert list(executor.map(work, range(2), timeout=LIMIT_S)) == [expected] * 2
    files: Any = Files(expected[0])
    loader = DataLoader(files, batch_size=2, num_workers=2, timeout=LIMIT_S, multiprocessing_context="fork")
    assert [batch.shape for batch in loader] == [(2, 24, 24, 3)] * 2

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map_async(work, [0]).get(LIMIT_S) == [expected]
    with ProcessPoolExecutor(1, multiprocessing.get_context("forkserver")) as executor:
        assert list(executor.map(work, [0], timeout=LIMIT_S)) == [expected]


def parent_is_coding(children: int = 4) -> None:
    """Children of a process in which another thread has begun: to import, to compile or load kernels, to code."""
    import numpy as np  # noqa: F401

    import pixzip  # noqa: F401 (imports no large library until it codes)

    done = threading.Event()

    def code() -> None:
        while not done.is_set():
            work()

    thread = threading.Thread(target=code)
    thread.start()
    try:
        assert all(in_child(lambda: bool(work())) for _ in range(children))
    finally:
        done.set()
        thread.join()


def parent_never_imports() -> None:
    """Children of a process that uses OpenMP, but not pixzip."""
    import torch

    torch.set_num_threads(2)
    torch.ones(1 << 20).sum()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.map_async(work, [0]).get(LIMIT_S)
    assert "pixzip" not in sys.modules


CASES = {case.__name__: case for case in (parent_has_coded, parent_is_coding, parent_never_imports)}

if __name__ == "__main__":
    CASES[sys.argv[1]]()
