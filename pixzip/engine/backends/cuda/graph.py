"""Repeating a step: as a captured CUDA graph on a GPU, as it is elsewhere.

A graph replays its kernels with the shapes and addresses they were captured with, for one launch instead of
one for each of some five hundred operations.  `MaskedStep` is made for that: what changes from step to step is in
tensors.
"""

import threading
from collections.abc import Callable

import torch

from pixzip.engine.backends.cuda.step import MaskedStep

Again = Callable[[], None]

#: Steps between two calls of a progress callback, each of which waits for the device.
STEPS_AT_ONCE = 64
#: Steps taken before capturing: libraries allocate what they need at their first calls.
_WARM_UP = 2
#: PyTorch captures on one stream for the whole process: threads of callers take turns.
_CAPTURING = threading.Lock()


def run(step: MaskedStep, progress: Callable[[int, int], None] | None = None) -> None:
    """Take a batch through all its steps, from the state that `step` is in."""
    total = step.slots.schedule.steps
    if step.t.device.type == "cuda":
        repeat(step, total, _captured, progress, lambda: torch.cuda.current_stream().synchronize())
    else:
        repeat(step, total, None, progress)


def repeat(
    step: Again,
    total: int,
    captured: Callable[[Again, int], Again] | None = None,
    progress: Callable[[int, int], None] | None = None,
    wait: Again = lambda: None,
) -> None:
    """Take `total` steps.

    Args:
        captured: takes as many first steps as it is told to, and gives what takes one more whenever it is called.
        wait: until all steps so far are done.
    """
    done = 0 if captured is None else min(_WARM_UP, total)
    again = step if captured is None else captured(step, done)
    for t in range(done, total):
        again()
        if progress and (t + 1) % STEPS_AT_ONCE == 0 and t + 1 < total:
            wait()
            progress(t + 1, total)
    if progress:
        wait()
        progress(total, total)


def _captured(step: Again, warm_up: int) -> Again:
    """Take the first steps, on a side stream, and capture the next one."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(warm_up):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    # records and runs nothing; what other threads do meanwhile, such as allocating, is no part of it
    with _CAPTURING, torch.cuda.graph(graph, capture_error_mode="thread_local"):
        step()
    replay: Again = graph.replay
    return replay
