"""The totals of a command on many files."""

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

from pixzip.cli.entries import Entry


def of(entries: Collection[Entry], left: int, seconds: float, *, removing: bool = False) -> dict[str, Any]:
    """Counts of files and sums over those that are done.

    Args:
        left: number of files that were left alone, which have no entries.
        removing: whether originals are removed; then those that are kept are counted.
    """
    done = [entry for entry in entries if entry.status == "done"]
    found = Counter(entry.status for entry in entries)
    counts = {status: found[status] for status in ("done", "skipped", "failed", "would")}
    if removing:
        counts["originals_kept"] = found["skipped"] + sum(not entry.original_removed for entry in done)
    sums = {name: sum(getattr(e, name) or 0 for e in done) for name in ("bytes_before", "bytes_after", "pixels")}
    return {"files": len(entries), **counts, "left": left, **sums, "seconds": round(seconds, 6)}


def lines_of_left(left: Collection[tuple[str, str]]) -> Iterator[str]:
    """A line for each reason to leave files alone, given as the kind and the reason of each."""
    for why in dict.fromkeys(why for _, why in left):
        kinds = Counter(kind for kind, found in left if found == why)
        counts = ", ".join(f"{n:,} {kind} {'file' if n == 1 else 'files'}" for kind, n in kinds.most_common())
        yield f"{counts} left alone: {why}"


def show(total: dict[str, Any], writes: bool) -> None:
    """Print the totals as a table on standard error.

    Args:
        writes: whether files have outputs.
    """
    from pixzip.cli.work import terminal

    before, after, pixels = total["bytes_before"], total["bytes_after"], total["pixels"]
    cells = {"files": f"{total['done']:,}", "bytes before": f"{before:,}", "bytes after": f"{after:,}"}
    cells["ratio"] = f"{before / after:.3f}" if after else "-"
    cells["seconds"] = f"{total['seconds']:,.1f}"
    cells["MP/s"] = f"{pixels / 1e6 / total['seconds']:.3f}" if pixels else "-"
    cells |= {"skipped": f"{total['skipped']:,}", "failed": f"{total['failed']:,}"}
    if "originals_kept" in total:
        cells["originals kept"] = f"{total['originals_kept']:,}"
    if not writes:
        cells["bytes"] = cells.pop("bytes before")
        cells = {name: cells[name] for name in ("files", "bytes", "seconds", "MP/s", "failed")}
    terminal.table([cells], cells, stderr=True)
