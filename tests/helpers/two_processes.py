"""The program that `test_processes.py` starts as two processes; each writes its results to its own file."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pixzip.engine import family as family_engine
from pixzip.train import checkpoint
from pixzip.train.execution import Execution
from pixzip.train.family import FamilyTask
from pixzip.train.loop import Status, Task, run
from pixzip.train.parallel import Processes, processes
from pixzip.train.wavefront import WavefrontTask
from tests.helpers.family import smooth
from tests.helpers.training import DATA, IMAGES, family_config, wavefront_config

#: Number of steps after which a process fails alone.
FAILS_AFTER = 8


class AloneError(Exception):
    """An error in only one process."""


def trained(task: Task[Any], out: Path, these: Processes) -> dict[str, Any]:
    """The weights of this process, and the losses that it reported."""
    losses: list[float] = []

    def report(status: Status) -> None:
        losses.append(status.bits_per_dim)

    run(task, out, report, Execution(these, precision="float32"))
    state = torch.cat([p.detach().flatten() for p in task.model.parameters()])
    return {"weights": state.numpy().tobytes().hex(), "losses": losses}


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    family_engine.known_answer_pattern = lambda channels: smooth(channels, 3, 4, 1)  # fast to decode
    saves: list[int] = []
    save = checkpoint.save

    def counted(path: Path, *args: Any) -> None:
        saves.append(args[-1]["step"])
        save(path, *args)

    checkpoint.save = counted
    with processes("cpu") as these:
        seen = {"wavefront": trained(WavefrontTask([folder / DATA], wavefront_config()), folder / "two", these)}
        rounded = replace(wavefront_config(), quantise_from=0.5)
        seen["rounded"] = trained(WavefrontTask([folder / DATA], rounded), folder / "two-rounded", these)
        seen["family"] = trained(FamilyTask([folder / IMAGES], family_config()), folder / "two-family", these)
        seen["saves"] = {"steps": saves}
        (folder / f"seen-{these.rank}.json").write_text(json.dumps(seen))

        task = WavefrontTask([folder / DATA], wavefront_config())
        draw, steps = task.draw, 0

        def failing(rng: np.random.Generator, part: slice) -> torch.Tensor:
            nonlocal steps
            if these.rank == 1 and steps == FAILS_AFTER:
                raise AloneError(f"only process {os.environ['RANK']} meets this")
            steps += 1
            return draw(rng, part)

        task.draw = failing  # type: ignore[method-assign]
        run(task, folder / "broken", execution=Execution(these, precision="float32"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
