"""The program that `test_forking.py` starts: processes forked from one that has coded, or codes, give the same files.

It ends with 0 if all of them did.  A child that hangs is killed by its own alarm.
"""

import faulthandler
import multiprocessing
import os
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

#: Seconds after which a child is taken to hang.
LIMIT_S = 120


def work(seed: int) -> list[bytes]:
    """Files of every kind of block, with the models for drawings and photographs; each decodes to its image."""
    import numpy as np
    from pixcodecs.coders.registry import RANS

    import pixzip
    from pixzip.codec.stack import compress_stack, decompress_stack
    from pixzip.models import library
    from tests.helpers.support import noise, photo, photos

    drawing = (noise(3, 4, 4, seed) // 128 * 255).repeat(8, 0).repeat(8, 1)
    deep = photo(1, 16, 20, seed)[..., 0].astype(np.uint16) * 257
    images = [*photos(12, 20, 20), photo(3, 20, 24, seed), photo(1, 12, 12, seed), drawing, deep]
    files = pixzip.encode_batch(images, "fast")
    files += pixzip.Codec("fast", coder=RANS.name).encode_batch(images[:2])
    for image, back in zip([*images, *images[:2]], pixzip.decode_batch(files), strict=True):
        assert np.array_equal(image.squeeze(), back.squeeze())
    stack = compress_stack(list(photos(12, 20, 20)), library.resolve("base", 3))
    assert np.array_equal(np.stack(decompress_stack(stack).images), photos(12, 20, 20))
    return [*files, stack]


def family_work(seed: int) -> list[bytes]:
    """Payloads of the PixelRNN family."""
    import numpy as np

    from pixzip.engine.base import Job
    from pixzip.engine.device import engine
    from tests.helpers.family import mixture_of, pair, smooth

    found = []
    for name in ("pixelcnn-1", "diagonal-bilstm-1"):
        image = smooth(3, 5, 6, seed)
        ready = engine(pair(mixture_of(name))[1], "cpu")
        found += ready.encode([Job.encoding(image)])
        assert np.array_equal(ready.decode([Job.decoding(found[-1], 5, 6)])[0], image)
    return found


def in_child(task: Callable[[], bool]) -> bool:
    """Whether a task is true in a forked child."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            faulthandler.dump_traceback_later(LIMIT_S, exit=True)
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
    """Whether four threads of this process code as one does, and Zarr's threads too."""
    import numpy as np
    import zarr

    from pixzip.zarr import PixzipCodec
    from tests.helpers.support import photos

    with ThreadPoolExecutor(4) as pool:
        same = list(pool.map(work, [1] * 4)) == [expected] * 4
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
    """Children of a process that has used the threads of every library."""
    import numba
    import torch
    from torch.utils.data import DataLoader

    torch.set_num_threads(2)
    expected, of_family = work(1), family_work(1)
    torch.ones(1 << 20).sum()
    assert numba.threading_layer() in ("omp", "tbb", "workqueue")  # it raises if no kernel used threads

    assert in_child(lambda: work(1) == expected and family_work(1) == of_family), "a child"
    assert in_child(lambda: float(torch.ones(1 << 20).sum()) == 1 << 20), "PyTorch alone"
    assert in_child(lambda: in_child(lambda: work(1) == expected)), "a grandchild"
    assert in_child(lambda: work(1) == expected and in_child(lambda: work(1) == expected)), "a child that has coded"
    assert in_child(lambda: in_threads(expected)), "threads of a child"
    assert work(1) == expected, "the parent, afterwards"
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        assert pool.map_async(work, [1, 1]).get(LIMIT_S) == [expected] * 2
    with ProcessPoolExecutor(2, context) as executor:
        assert list(executor.map(work, [1, 1], timeout=LIMIT_S)) == [expected] * 2
    loader = DataLoader(
        Files(expected[0]), batch_size=2, num_workers=2, timeout=LIMIT_S, multiprocessing_context="fork"
    )  # type: ignore[arg-type,var-annotated]
    assert [batch.shape for batch in loader] == [(2, 20, 20, 3)] * 2


def parent_starts_others() -> None:
    """Processes started by spawn and by a server, which share nothing with their parent."""
    import torch

    torch.set_num_threads(2)
    expected = work(1)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map_async(work, [1]).get(LIMIT_S) == [expected]
    with ProcessPoolExecutor(1, multiprocessing.get_context("forkserver")) as executor:
        assert list(executor.map(work, [1], timeout=LIMIT_S)) == [expected]


def parent_is_coding(children: int = 12) -> None:
    """Children of a process in which another thread has begun: to import, to compile or load kernels, to code."""
    import numpy as np

    import pixzip  # imports neither NumPy nor PyTorch yet

    y, x = np.mgrid[:64, :64]
    image = np.stack([2 * x + y, x + 2 * y, x + y], -1).astype(np.uint8) ^ 1
    done = threading.Event()

    def code() -> list[bytes]:
        files = pixzip.encode_batch([image] * 4, "fast")
        assert all(np.array_equal(image, back) for back in pixzip.decode_batch(files))
        return files

    def code_on() -> None:
        while not done.is_set():
            code()

    thread = threading.Thread(target=code_on)
    thread.start()
    try:
        assert all(in_child(lambda: bool(code())) for _ in range(children))
    finally:
        done.set()
        thread.join()


def parent_never_imports() -> None:
    """Children of a process that uses OpenMP, but not pixzip."""
    import torch

    torch.set_num_threads(2)
    torch.ones(1 << 20).sum()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        (files,) = pool.map_async(work, [1]).get(LIMIT_S)
    assert "pixzip" not in sys.modules
    assert files == work(1)


CASES = {
    case.__name__: case for case in (parent_has_coded, parent_starts_others, parent_is_coding, parent_never_imports)
}

if __name__ == "__main__":
    CASES[sys.argv[1]]()
