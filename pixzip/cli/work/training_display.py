"""The progress of a training run on standard error."""

import math
from typing import Any

import click

from pixzip.cli.work import terminal
from pixzip.io import streams


class Display:
    """A bar on a terminal, or a line per evaluation elsewhere; nothing if display is off."""

    def __init__(self, megapixels: float, shown: bool) -> None:
        self._total, self._shown = megapixels, shown
        self._evaluations: int | None = None
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> "Display":
        if self._shown and streams.is_terminal():
            self._bar = terminal.training_bar()
            self._task = self._bar.add_task("", total=self._total, text="reading images")
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, status: Any) -> None:
        """Show a `pixzip.train.loop.Status`."""
        if self._bar is not None:
            left_s = max(0.0, self._total - status.megapixels) / max(status.megapixels_per_s, 1e-9)
            text = (
                f"{status.megapixels:.1f}/{self._total:g} MP  {status.bits_per_dim:.4f} bits/dim"
                f"  lr {status.learning_rate:.1e}  {status.megapixels_per_s:.3f} MP/s  {_duration(left_s)} left"
                + (f"  held out {status.held_out:.4f}" if not math.isnan(status.held_out) else "")
                + (f"  MFU {status.mfu:.1%}" if status.mfu is not None else "")
                + ("  int8" if status.quantise else "")
            )
            self._bar.update(self._task, completed=status.megapixels, text=text)
        elif self._shown and self._evaluations is not None and len(status.log) > self._evaluations:
            click.echo(" ".join(f"{key} {value}" for key, value in status.log[-1].items()), err=True)
        self._evaluations = len(status.log)


def _duration(seconds: float) -> str:
    minutes, s = divmod(int(min(seconds, 359999)), 60)
    h, m = divmod(minutes, 60)
    return f"{h}:{m:02}:{s:02}"
