"""Combine the progress of parts."""

from pixzip.engine.base import Progress


class Share:
    """Combines the progress of parts, in pixels."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self.total, self.done = progress, total, 0
        self._shown = 0

    def show(self, done: int) -> None:
        """Report progress, which never decreases even if a part is coded in several rounds."""
        if self._progress and done > self._shown:
            self._shown = done
            self._progress(done, self.total)

    def part(self, pixels: int) -> Progress:
        """The progress callback of the next part."""
        start = self.done
        self.done += pixels
        return lambda done, total: self.show(start + pixels * done // total)
