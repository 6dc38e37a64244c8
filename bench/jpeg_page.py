"""The tables of `docs/jpeg.md`, which `bench/report.py` writes."""

from collections.abc import Iterator
from typing import Any

from common import origin, table


def jpeg_rows(name: str, of: dict[str, Any]) -> Iterator[list[str]]:
    """One row for each quality of a set."""
    label = f"{name} ({of['images']} images, {of['megapixels']:.3g} MP)"
    for quality in dict.fromkeys(row["quality"] for row in of["rows"]):
        same = [row for row in of["rows"] if row["quality"] == quality]
        yield [label, str(quality), f"{sum(r['jpeg_bytes'] for r in same):,}", *(f"{r['ratio']:.3f}" for r in same)]
        label = ""


def jpegs(results: list[dict[str, Any]]) -> str:
    """The text of `docs/jpeg.md`: kept JPEG files beside the JPEGs."""
    parts = []
    for result in [r for r in results if r["benchmark"] == "jpeg-files"][:1]:
        total = result["total"]
        about = (
            f"{total['files']:,} JPEGs made of photographs take {total['bytes']:,} bytes of {total['jpeg_bytes']:,},"
        )
        about += f" {total['ratio']:.3f} of them;"
        about += " " + ", ".join(f"{of['ratio']:.3f} of the {mode} ones" for mode, of in result["modes"].items())
        about += ". By quality, subsampling and mode:"
        rows = [row for name, of in result["sets"].items() for row in jpeg_rows(name, of)]
        modes = dict.fromkeys(f"{r['subsampling']} {r['mode']}" for of in result["sets"].values() for r in of["rows"])
        parts += [about, table(["images", "quality", "JPEGs, bytes", *modes], rows), origin(result)]
    return "\n\n".join(parts)
