"""Repeating a step: as a captured CUDA graph on a GPU, as it is elsewhere.

A graph replays its kernels with the shapes and addresses they were captured with, for one launch instead of
one for each of some five hundred operations.  `MaskedStep` is made for that: what changes from step to step is in
tensors.
"""

from collections.abc import Callable

import torch

from pixzip.device.step import MaskedStep

#: Steps between two calls of a progress callback, each of which waits for the device.
STEPS_AT_ONCE = 64


def run(step: MaskedStep, progress: Callable[[int, int], None] | None = None) -> None:
    """Take a batch through all its steps, from the state that `step` is in."""
    total, done = step.slots.schedule.steps, 0
    again: Callable[[], None] = step
    if step.t.device.type == "cuda":
        done = _WARM_UP
        again = _captured(step, min(done, total))
    for t in range(min(done, total), total):
        again()
        if progress and (t + 1) % STEPS_AT_ONCE == 0:
            if step.t.device.type == "cuda":
                torch.cuda.current_stream().synchronize()
            progress(t + 1, total)


#: Steps taken before capturing: libraries allocate what they need at their first calls.
_WARM_UP = 2


def _captured(step: MaskedStep, warm_up: int) -> Callable[[], None]:
    """Take the first steps, on a side stream, and capture the next one."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(warm_up):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):  # records and runs nothing
        step()
    replay: Callable[[], None] = graph.replay
    return replay
