"""Groups of the results of `bench/pictures/measure.py`, and the Markdown page."""

from collections import Counter
from pathlib import PurePosixPath
from typing import Any

from bench.common import origin, table
from bench.pictures.sheets import trained_on

#: Compared sizes of a row or group -> names of their columns.
_SIZES = {"png_bytes": "PNG", "webp_bytes": "WebP", "jxl_bytes": "JPEG XL", "bare_bytes": "pxz"}

_LEGEND = """\
Sizes are bytes, without metadata: PNG optimised (the smallest of the source's own compression and of deflate at
level 9 with and without filters), WebP lossless at its slowest setting, JPEG XL lossless at effort 9, pxz without
metadata. WebP and JPEG XL have no palettes as such and got the colours, in an order of their own: PNG and pxz keep
the palette's. WebP has no 16-bit samples. A ratio is over the files of the group that both formats hold."""


def mode(row: dict[str, Any]) -> str:
    return f"{row['layout']} {row['depth']}"


def folder(row: dict[str, Any]) -> str:
    return str(PurePosixPath(row["name"]).parent)


def blocks(counts: dict[str, int]) -> str:
    return " ".join(f"{n} {kind}" if n > 1 else kind for kind, n in counts.items())


def half(row: dict[str, Any]) -> str:
    """The half of the set, see `bench/pictures/sheets.py`."""
    return "trained on" if trained_on(row["name"]) else "held out"


def groups(rows: list[dict[str, Any]], halves: bool = False) -> dict[str, list[dict[str, Any]]]:
    """Totals of every mode, of every folder if there are several, of both halves if requested, and of all files."""
    by_mode, by_folder, by_half = (
        {name: [r for r in rows if of(r) == name] for name in map(of, rows)} for of in (mode, folder, half)
    )
    parts = {
        "mode": by_mode,
        "folder": by_folder if len(by_folder) > 1 else {},
        "half": by_half if halves else {},
        "all": {"all": rows},
    }
    return {what: [_group(name, of[name]) for name in sorted(of, key=_by_number)] for what, of in parts.items() if of}


def _by_number(name: str) -> tuple[str, int]:
    """The sort key that puts GREY 2 before GREY 16."""
    head, _, number = name.rpartition(" ")
    return (head, int(number)) if number.isdigit() else (name, 0)


def _group(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    totals = {key: sum(r[key] or 0 for r in rows) for key in _SIZES}
    ratios = {}
    for peer in ("webp", "jxl"):
        both = [r for r in rows if r[f"{peer}_bytes"]]
        ratios[f"{peer}_ratio"] = (
            sum(r["bare_bytes"] for r in both) / sum(r[f"{peer}_bytes"] for r in both) if both else None
        )
    kinds = sum((Counter(r["blocks"]) for r in rows), Counter[str]())
    return {"name": name, "files": len(rows), **totals, **ratios, "blocks": dict(sorted(kinds.items()))}


def page(result: dict[str, Any]) -> str:
    """Totals by group, then every file."""
    total = ", ".join(f"{count:,} {what}" for what, count in result["summary"].items())
    parts = [f"# {result['title']}", f"{total}.", _LEGEND]
    parts += [_group_table(what, found) for what, found in result["groups"].items() if what != "all"]
    parts += [_group_table("all", result["groups"]["all"]), _file_table(result["files"]), origin(result)]
    return "\n\n".join(parts) + "\n"


def _figure(number: int | None) -> str:
    return f"{number:,}" if number else ""


def _group_table(what: str, found: list[dict[str, Any]]) -> str:
    head = [what, "blocks", "files", *_SIZES.values(), "pxz / WebP", "pxz / JPEG XL"]
    rows = [
        [
            g["name"], blocks(g["blocks"]), f"{g['files']:,}", *(_figure(g[key]) for key in _SIZES),
            *(f"{g[key]:.3f}" if g[key] else "" for key in ("webp_ratio", "jxl_ratio")),
        ]
        for g in found
    ]  # fmt: skip
    return table(head, rows)


def _file_table(files: list[dict[str, Any]]) -> str:
    head = ["file", "mode", "size", "source", *_SIZES.values(), "pxz, most allowed", "pxz with metadata"]
    head += ["coded as", "back"]
    rows = []
    for r in files:
        if "refused" in r:
            rows.append([r["name"], f"refused: {r['refused']}".replace("|", "/"), *[""] * (len(head) - 2)])
            continue
        notes = "same" if r["same"] else "CHANGED"
        notes += f"; not kept: {', '.join(r['dropped'])}" if r["dropped"] else ""
        notes += "".join(f"; {error}" for error in r["peer_errors"])
        rows.append(
            [
                r["name"], mode(r), f"{r['width']} x {r['height']}", _figure(r["source_bytes"]),
                *(_figure(r[key]) for key in _SIZES), f"{r['peer']} {r['most_bytes']:,}", _figure(r["file_bytes"]),
                blocks(r["blocks"]), notes,
            ]
        )  # fmt: skip
    return table(head, rows)
