"""A data loader of PyTorch whose workers decode `.pxz` files: python -m tests.helpers.loaders METHOD DIR."""

import functools
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

import pixzip
from pixzip.torch import Images


def brighter(array: Any, by: int) -> torch.Tensor:
    """A transform: the array as a tensor with the process that made it in its first value."""
    found = torch.from_numpy(array.astype(np.int64) + by)
    found[0, 0] = os.getpid()
    return found


def main(method: str, folder: Path) -> None:
    """Read a folder and a stack by two workers that are forked or spawned, after this process has coded itself."""
    from tests.helpers.support import photos  # not in spawned workers, which import this module

    images = photos(6, 12, 14)
    (folder / "in" / "below").mkdir(parents=True)
    for i, image in enumerate(images):
        pixzip.save(image, folder / "in" / ("below" if i % 2 else "") / f"{i}.pxz", "fast", effort=1)
    (folder / "all.pxz").write_bytes(pixzip.encode_stack(images, "fast"))
    order = [0, 2, 4, 1, 3, 5]  # of the paths below a folder: those in it come first
    one_up = functools.partial(brighter, by=1)
    found = Images(folder / "in", one_up) + Images(folder / "all.pxz", one_up)
    loader = DataLoader(found, batch_size=2, num_workers=2, multiprocessing_context=method)
    read = torch.cat(list(loader)).numpy()
    assert len(set(read[:, 0, 0, 0])) == 2  # both workers decoded, and not this process
    assert os.getpid() not in read[:, 0, 0]
    np.testing.assert_array_equal(read[:, 1:], np.concatenate([images[order], images])[:, 1:].astype(np.int64) + 1)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
