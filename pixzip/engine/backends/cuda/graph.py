"""Repeat a step: as a captured CUDA graph on a GPU, by plain calls elsewhere.

A graph replays its kernels with the captured shapes and addresses, in one launch instead of about five hundred.
`MaskedStep` fits this: everything that changes from step to step is in tensors.
"""

from collections.abc import Callable

import torch
from pixcodecs import forking

from pixzip.engine.backends.cuda.step import MaskedStep

Again = Callable[[], None]

#: Steps between two calls of the progress callback; each call waits for the device.
STEPS_AT_ONCE = 64
#: Steps before capturing, because libraries allocate memory in their first calls.
_WARM_UP = 2
#: PyTorch captures on one stream per process, so calling threads take turns.
_CAPTURING = forking.Lock()


def run(step: MaskedStep, progress: Callable[[int, int], None] | None = None) -> None:
    """Run all steps of a batch, from the current state of `step`."""
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
    """Run `total` steps.

    Args:
        captured: runs the given number of first steps and returns a function that runs one more step per call.
        wait: waits until all steps so far are done.
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
    """Run the first steps on a side stream and capture the next one."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(warm_up):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    # records without running; "thread_local" lets other threads allocate meanwhile
    with _CAPTURING, torch.cuda.graph(graph, capture_error_mode="thread_local"):
        step()
    replay: Again = graph.replay
    return replay
