"""The progress of a training run on standard error."""

import math
from typing import Any

from pixzip.cli.options import Manner
from pixzip.cli.say import say
from pixzip.cli.work import terminal
from pixzip.io import streams


class Display:
    """A bar on a terminal, or a line for each measurement elsewhere; `log.jsonl` has all figures."""

    def __init__(self, megapixels: float, shown: bool, manner: Manner, seconds: float = 0.0) -> None:
        """
        Args:
            megapixels: length of the run.
            seconds: time after which it ends anyway; 0 for no such.
            shown: whether this process reports; with `-q` none does.
            manner: with `-v` every figure of a measurement is printed.
        """
        self._total, self._shown, self._verbose = megapixels, shown and not manner.quiet, manner.verbose
        self._seconds = seconds
        self._measurements: int | None = None
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
        measured = self._measurements is not None and len(status.log) > self._measurements
        self._measurements = len(status.log)
        if not self._shown:
            return
        if self._bar is not None:
            self._bar.update(self._task, completed=status.megapixels, text=self._text(status, status.bits_per_dim))
        elif measured:
            say(self._text(status, status.training))
        if measured and self._verbose:
            figures = "  ".join(f"{key} {value}" for key, value in status.log[-1].items())
            say(figures, self._bar and self._bar.console)

    def _text(self, status: Any, bits: float) -> str:
        """The state of the run, in less than 80 columns; a narrow terminal shows its first part.

        Args:
            bits: bits per sub-pixel of training images.
        """
        speed = max(status.megapixels_per_s, 1e-9)
        left_s = max(0.0, self._total - status.megapixels) / speed
        if self._seconds:
            left_s = min(left_s, max(0.0, self._seconds - status.megapixels / speed))
        held_out = "" if math.isnan(status.held_out) else f" ({status.held_out:.4f} held out)"
        return (
            f"{_figure(status.megapixels)}/{self._total:g} MP  {_duration(left_s)} left"
            f"  {bits:.4f} bits/dim{held_out}  {_figure(status.megapixels_per_s)} MP/s"
        )


def _figure(number: float) -> str:
    """Three digits, and all before the point: 0.0421, 5.75, 30.6, 1234."""
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"


def _duration(seconds: float) -> str:
    minutes, s = divmod(int(min(seconds, 359999)), 60)
    h, m = divmod(minutes, 60)
    return f"{h}:{m:02}:{s:02}"
