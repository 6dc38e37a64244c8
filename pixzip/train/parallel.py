"""Several processes of one run, started by torchrun: each makes its part of every batch and learns from it.

DistributedDataParallel averages gradients, so that weights are equal in all processes, and only the first process
writes.  A common failure (a config, a non-finite loss) raises in all processes, and so does a failure of the first
one's writing.  If a process ends alone, torchrun ends the others.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from pixcodecs.errors import PixzipError
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Processes:
    """This process among the processes of a run.

    Attributes:
        device: device of this process, e.g. "cpu" or "cuda:1".
    """

    rank: int = 0
    count: int = 1
    device: str = "cpu"

    @property
    def first(self) -> bool:
        """Whether this process measures, writes and reports."""
        return self.rank == 0

    def part(self, batch: int) -> slice:
        """This process's part of a batch.

        Raises:
            ValueError: the batch cannot be divided into equal parts.
        """
        each, rest = divmod(batch, self.count)
        if rest:
            raise ValueError(f"a batch of {batch} is not divisible among {self.count} processes")
        return slice(self.rank * each, (self.rank + 1) * each)

    def share(self, objective: nn.Module) -> nn.Module:
        """A loss whose gradients are averaged over all processes."""
        if self.count == 1:
            return objective
        device = torch.device(self.device)
        ids = [device.index] if device.type == "cuda" else None
        return DistributedDataParallel(objective, device_ids=ids)

    def mean(self, value: Tensor) -> float:
        """The mean of a scalar over all processes."""
        total = value.detach().clone()
        if self.count == 1:
            return float(total)
        distributed.all_reduce(total)
        return float(total) / self.count

    def take_from_first(self, value: Tensor) -> None:
        """Replace a tensor by that of the first process, in place."""
        if self.count > 1:
            distributed.broadcast(value, 0)

    def same(self, number: int) -> bool:
        """Whether all processes have the same number."""
        return self.count == 1 or self._largest(number) == -self._largest(-number)

    def first_alone(self, action: Callable[[], None]) -> None:
        """Run an action in the first process while the others wait.

        Raises:
            PixzipError: the action failed; the first process gives the reason.
        """
        done = False
        try:
            if self.first:
                action()
            done = True
        finally:
            failed = self.count > 1 and self._largest(not done)
        if failed:
            raise PixzipError("the first process failed")

    def _largest(self, number: int) -> int:
        found = torch.tensor(int(number), device=self.device)
        distributed.all_reduce(found, distributed.ReduceOp.MAX)
        return int(found)


@contextmanager
def processes(device: str) -> Iterator[Processes]:
    """The connected processes that torchrun started, or this process alone.

    Args:
        device: "cpu" or "cuda"; each process takes the CUDA device of its local rank.
    Raises:
        PixzipError: there are fewer devices than processes.
    """
    if not distributed.is_torchelastic_launched() or int(os.environ["WORLD_SIZE"]) == 1:
        yield Processes(device=device)
        return
    if device == "cuda":
        local, there = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= there:
            raise PixzipError(f"process {local} of this machine has no CUDA device, there are {there}")
        where = torch.device("cuda", local)
        torch.cuda.set_device(where)
        distributed.init_process_group("nccl", device_id=where)
    else:
        where = torch.device("cpu")
        distributed.init_process_group("gloo")
    yield Processes(distributed.get_rank(), distributed.get_world_size(), str(where))
    # not after an error: the others may wait for ever, so this process ends, and torchrun ends them
    distributed.barrier()
    distributed.destroy_process_group()
