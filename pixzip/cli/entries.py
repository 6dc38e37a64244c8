"""What is known of one file of a command."""

from dataclasses import dataclass, field
from typing import Literal

Status = Literal["planned", "done", "skipped", "failed", "would", "left"]


@dataclass(slots=True)
class Entry:
    """One file; unknown fields are None; `model_bytes` are those of models embedded in the output."""

    name: str
    output: str | None = None
    status: Status = "planned"
    bytes_before: int | None = None
    bytes_after: int | None = None
    pixels: int | None = None
    seconds: float = 0.0
    error: str | None = None
    warnings: list[str] = field(default_factory=list)
    original_removed: bool = False
    original_kept: str | None = None
    byte_for_byte: bool | None = None
    why_not: str | None = None
    model_bytes: int | None = None

    @property
    def ratio(self) -> float | None:
        """Bytes before divided by bytes after."""
        return self.bytes_before / self.bytes_after if self.bytes_before and self.bytes_after else None

    def line(self) -> str:
        """The line of `-v` about the file when it is done."""
        after = "" if self.bytes_after is None else f" -> {self.bytes_after:,}"
        ratio = f", ratio {self.ratio:.3f}" if self.ratio else ""
        what = f"{self.name}: ok" if self.output is None else f"{self.name} -> {self.output}"
        model = f" ({self.model_bytes:,} of them the model)" if self.model_bytes else ""
        removed = ", original removed" if self.original_removed else ""
        size = "" if self.bytes_before is None else f"{self.bytes_before:,}"
        return f"{what}: {size}{after} bytes{model}{ratio}, {self.seconds:.2f} s{removed}"
