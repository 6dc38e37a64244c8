"""Write the tables of README.md and docs/, and the plot, from bench/results; nothing is measured here.

The sizes of a set of images come from `pixzip bench SET -o bench/results/SET`; each other benchmark has one file.

python bench/report.py
"""

import json
from pathlib import Path
from typing import Any

import click
import matplotlib as mpl
from common import JXL, RESULTS, ROOT, costs_table, origin, rewrite, table
from jpeg_page import jpegs

from pixzip.codec.tiles import tile_sides
from pixzip.engine.schedule import count_steps
from pixzip.report.codecs import REFERENCE
from pixzip.report.plot import Panel, Point, rate_speed

START, END = "<!-- bench:start -->", "<!-- bench:end -->"
PLOT = Path("docs/rate-speed.svg")


def rate_table(result: dict[str, Any]) -> str:
    """The rates of all codecs on all sets."""
    head = ["images", "codec", "bytes", "bits/sub-pixel", f"size / {JXL}", "encode MP/s", "decode MP/s"]
    rows = []
    for name, of in result["sets"].items():
        for i, (codec, r) in enumerate(of["codecs"].items()):
            label = f"{name} ({of['images']} images, {of['megapixels']:.3g} MP)" if i == 0 else ""
            figures = [f"{r['bytes']:,}", f"{r['bpsp']:.3f}", f"{r['bytes_ratio']:.3f}"]
            speeds = [f"{r['encode_mps']:.3g}", f"{r['decode_mps']:.3g}"]
            rows.append([label, codec, *figures, *speeds])
    return table(head, rows)


def speed_table(results: list[dict[str, Any]]) -> str:
    """Median times of one photograph under each measured instruction set."""
    head = ["instructions", "codec", "encode s", "decode s", f"encode / {JXL} encode", f"decode / {JXL} encode"]
    head.append("decode MP/s and thread")
    rows = []
    for result in results:
        for i, (codec, r) in enumerate(result["codecs"].items()):
            times = [f"{r['encode_s']:.2f}", f"{r['decode_s']:.2f}"]
            ratios = [f"{r['encode_ratio']:.2f}", f"{r['decode_ratio']:.2f}"]
            rate = r.get("decode_mps_per_thread")
            each = "" if rate is None or codec == JXL else f"{rate:.2f}"
            rows.append([result["isa"] if i == 0 else "", codec, *times, *ratios, each])
    return table(head, rows)


def versus_table(result: dict[str, Any]) -> str:
    """Figures of an older commit and of this one."""
    units = {"encode_s": "encode, s", "decode_s": "decode, s", "processor_s": "processor s", "bytes": "bytes"}
    rows = [
        [name, units[key], *(f"{r[side]:,.0f}" if key == "bytes" else f"{r[side]:.2f}" for side in ("before", "after")),
         f"{r['ratio']:.3f}"]
        for name, figures in result["figures"].items()
        for key, r in figures.items()
    ]  # fmt: skip
    return table(["what", "figure", "before", "after", "ratio"], rows)


def profile_table(result: dict[str, Any]) -> str:
    """The parts of the time of decoding, and the trunk beside the limit of its products."""
    rows = []
    for name, of in result["models"].items():
        for i, (part, spent) in enumerate(of["parts_ns"].items()):
            rate = of["trunk_multiply_adds"] / spent
            reached = (
                f"{rate:.0f} G/s, {rate * 1e9 / result['limit_multiply_adds_per_s']:.0%}" if part == "trunk" else ""
            )
            share = f"{spent / of['total_ns']:.0%}"
            rows.append([name if i == 0 else "", part, f"{spent:.0f}", share, reached])
    return table(["model", "part", "ns/pixel", "share", "multiply-adds, of the limit"], rows)


def scaling_table(result: dict[str, Any]) -> str:
    """Time per pixel by image size."""
    head = ["model", "pixels", "megapixels", "steps", "encode us/pixel", "decode us/pixel"]
    rows = []
    for name, of in result["results"].items():
        for i, r in enumerate(of["sizes"]):
            shape = [f"{r['width']} x {r['height']}", f"{r['width'] * r['height'] / 1e6:.1f}", str(r["steps"])]
            times = [f"{r['encode_ns_per_pixel'] / 1e3:.2f}", f"{r['decode_ns_per_pixel'] / 1e3:.2f}"]
            rows.append([name if i == 0 else "", *shape, *times])
    return table(head, rows)


def parts_table(result: dict[str, Any]) -> str:
    """What is left of each set's bits by the stages, whole and with a part left out."""
    found = result["variants"]
    plain = found["no stage"]["bits_per_subpixel"]
    rows = []
    for label, r in found.items():
        bits = [f"{b:.3f} ({b / plain[name] - 1:+.2%})" for name, b in r["bits_per_subpixel"].items()]
        rows.append([label, "", *bits, f"{r['us_per_pixel']:.2f}"])
    return table(["stage", "", *plain, "us/pixel"], rows)


def stacks_table(result: dict[str, Any]) -> str:
    """Bytes and times of stacks by each model and stage, and their relation to no stage."""
    rows = []
    for name, of in result["sets"].items():
        for model, stages in of["models"].items():
            none = stages["none"]
            for stage, found in stages.items():
                share, encode, decode = (found[key] / none[key] for key in ("bytes", "encode_s", "decode_s"))
                first = [f"{name}, {of['images']:,} of {of['side']}", model] if stage == "none" else ["", ""]
                rows.append(
                    [*first, stage, f"{found['bytes']:,}", f"{share - 1:+.2%}", f"{encode:.2f}", f"{decode:.2f}"]
                )
    return table(["images", "model", "stage", "bytes", "beside none", "encode, x none", "decode, x none"], rows)


def memory_table(result: dict[str, Any]) -> str:
    """Peak memory of whole processes."""
    ways = ("compress", "decompress")
    rows = [
        [
            name, f"{m['width']} x {m['height']}", *(f"{m[f'{way}_peak_bytes'] / 2**20:,.0f} MiB" for way in ways)
        ]
        for name, rows in result["results"].items()
        for m in rows
    ]  # fmt: skip
    return table(["codec", "pixels", *(f"{way}, peak" for way in ways)], rows)


def plot(result: dict[str, Any], out: Path) -> None:
    """Plot rate against decoding speed, with one panel per set and one point per codec."""
    panels = [
        Panel(
            name,
            [Point(codec, r["decode_mps"], r["bpsp"], codec.startswith("pixzip")) for codec, r in of["codecs"].items()],
            "decoding, megapixels/s",
            "bits per sub-pixel (less is better)",
        )
        for name, of in result["sets"].items()
    ]
    out.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "pixzip"}):  # equal figures give equal files
        rate_speed(panels).savefig(out, metadata={"Date": None}, facecolor="white")


def as_rate(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Combine the reports of `pixzip bench` on several sets into one result.

    Raises:
        SystemExit: a codec does not hold all images of a set, so that totals cannot be compared.
    """
    sets = {}
    for report in reports:
        (name,) = (Path(data).stem for data in report["data"])
        images = len(report["images"])
        if partial := [t["name"] for t in report["totals"] if t["images"] < images]:
            raise SystemExit(f"{name}: not all images are held by {', '.join(partial)}: leave them out with --codecs")
        if report["reference"] != REFERENCE:
            raise SystemExit(f"{name}: measure {REFERENCE} too, which the table's ratios are to")
        codecs = {t["name"]: {**t, "bytes_ratio": t["ratio"]} for t in report["totals"]}
        sets[name] = {"images": images, "megapixels": report["totals"][0]["megapixels"], "codecs": codecs}
    return {"sets": sets}


def rate_of(results: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Sizes of whole sets, if `pixzip bench` measured any."""
    reports = [r for r in results if r["benchmark"] == "bench"]
    return as_rate(reports) if reports else None


def sizes(results: list[dict[str, Any]]) -> str:
    """The text of the README: sizes of sets of images by codec."""
    rate = rate_of(results)
    if not rate:
        return ""
    origins = [origin(r) for r in results if r["benchmark"] == "bench"]
    return "\n\n".join(
        [f"![Rate against decoding speed]({PLOT.as_posix()})", rate_table(rate), *dict.fromkeys(origins)]
    )


def times(results: list[dict[str, Any]]) -> str:
    """The text of `docs/figures.md`: speed, scaling and memory."""
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        by_kind.setdefault(result["benchmark"], []).append(result)
    parts = []
    if speeds := by_kind.get("speed"):
        for found in ([s for s in speeds if "joined" not in s], [s for s in speeds if "joined" in s]):
            for first in found[:1]:
                parts.append("## Photographs joined to one" if "joined" in first else "## One photograph")
                width, height = first["width"], first["height"]
                steps = count_steps(*reversed(tile_sides(width, height)))  # tiles run in parallel
                sides = f"{width} x {height} pixels, {steps} steps"
                parts.append(f"{sides}, medians in seconds:")
                parts += [speed_table(found), *map(origin, found)]
    for result in by_kind.get("profile", [])[:1]:
        parts.append("## Where the time of decoding goes")
        limit = result["limit_multiply_adds_per_s"] / 1e9
        about = (
            f"One thread. Products whose operands stay in the first cache do {limit:.0f} G multiply-adds a second here:"
        )
        parts += [about, profile_table(result), origin(result)]
    for result in by_kind.get("versus", []):
        limits = " ".join(f"{name}={value}" for name, value in result["variables"].items())
        parts.append(f"## Before and after{', ' + limits if limits else ''}")
        parts.append(f"This version beside commit {result['before']}, in turn; medians:")
        parts += [versus_table(result), origin(result)]
    for result in by_kind.get("parts", [])[:1]:
        about = "Bits a sub-pixel of `base` on middles of 512 x 512 of some images, and their relation to no stage;"
        about += " one thread:"
        parts += ["## What the parts of the stages bring", about, parts_table(result), origin(result)]
    for result in by_kind.get("stacks", [])[:1]:
        about = "Stacks of small images, each stage beside none; times are of the processor, in one thread:"
        parts += ["## Stages of stacks", about, stacks_table(result), origin(result)]
    for result in by_kind.get("scaling", [])[:1]:
        parts += ["## Time per pixel as images grow", scaling_table(result), origin(result)]
    for result in by_kind.get("installed", [])[:1]:
        megabytes = {name: round(size / 1e6) for name, size in result["of"].items()}
        named = ", ".join(f"{name} {size}" for name, size in megabytes.items() if size >= 5)
        parts += ["## Installed size", f"The plain package takes {result['bytes'] / 1e6:.0f} MB: {named}."]
        parts += ["Before PyTorch became optional it took 1,415 MB, of which PyTorch 757.", origin(result)]
    for i, result in enumerate(by_kind.get("memory", [])):
        about = "Peak memory of a whole process, reading and writing included, from PNG to pxz and back:"
        parts += [*(() if i else ("## Memory", about)), memory_table(result), origin(result)]
    return "\n\n".join(parts)


def robustness(results: list[dict[str, Any]]) -> str:
    """The text of `docs/robustness.md`: outcomes of the fuzzer, and costs of the worst files."""
    by_kind = {result["benchmark"]: result for result in results}
    parts = []
    if fuzz := by_kind.get("fuzz"):
        slowest_s, peak = fuzz["slowest"]["cpu_s"], fuzz["peak_over_start_mib"]
        about = f"Of {fuzz['count']:,} damaged and forged files, {len(fuzz['findings'])} broke a promise."
        about += f" The slowest took {slowest_s} s of processor time, and memory grew by at most {peak} MiB:"
        outcomes = sorted(fuzz["outcomes"].items(), key=lambda outcome: -outcome[1])
        parts += [about, table(["outcome", "files"], [[name, f"{n:,}"] for name, n in outcomes]), origin(fuzz)]
    if costs := [result for result in results if result["benchmark"] == "costs"]:
        parts += ["The costliest files of 1 MB that are known, and of each the most that a reader took:"]
        parts += [costs_table([row for result in costs for row in result["results"]]), *map(origin, costs)]
    return "\n\n".join(parts)


def scale(results: list[dict[str, Any]]) -> str:
    """The text of `docs/scale.md`: workers, shards, batches and planning."""
    found = next((r for r in results if r["benchmark"] == "scale"), None)
    if found is None:
        return ""
    planning, workers, batches = found["planning"], found["workers"], found["batches"]
    rates = workers["images_a_second"]
    shared = found["machine"]["load_before"] >= 0.5  # others worked, too
    cores, meanwhile = (", on two cores that others used too", ", while others worked") if shared else ("", "")
    head = ["what", "of what", "figure"]
    rows = [
        [f"two workers beside one{cores}", f"{workers['files']} crops, in turns",
         f"{workers['two_workers_over_one']:.2f} times the images a second ({rates['2']} and {rates['1']})"],
        ["a shard without work", f"{workers['empty_shards']:,} shards, one worker", f"{workers['empty_shard_ms']} ms"],
        ["batches of `-r` beside one of all, by the clock", f"{batches['files']} crops, {batches['threads']} threads",
         f"{batches['clock_ratio']:.3f}"],
        ["the same, of processor time", f"batches of {batches['batch_pixels'] / 2**20:.0f} megapixels",
         f"{batches['processor_ratio']:.3f}"],
        ["planning: processor time", f"{planning['files']:,} files, half of them done", f"{planning['processor_s']} s"],
        [f"planning: by the clock{meanwhile}", f"{planning['shards']:,} shards", f"{planning['clock_s']} s"],
        ["planning: memory of the process", f"manifest of {planning['manifest_bytes'] / 1e6:.0f} MB",
         f"{planning['peak_bytes'] / 1e6:.0f} MB"],
    ]  # fmt: skip
    return f"{table(head, rows)}\n\n{origin(found)}"


@click.command()
@click.option("--results", default=RESULTS, type=click.Path(exists=True, path_type=Path), help="Folder of JSON files.")
@click.option("--root", default=ROOT, type=click.Path(exists=True, path_type=Path), help="Where README.md is.")
def main(results: Path, root: Path) -> None:
    """Rewrite README.md and pages of docs/ between their markers, and the plot."""
    paths = sorted([*results.glob("*.json"), *results.glob("*/report.json")])
    found = [read for path in paths if "benchmark" in (read := json.loads(path.read_text()))]  # others have their pages
    # The plain run of a benchmark precedes its variants.
    found.sort(key=lambda r: r.get("isa", "all") != "all")
    rewrite(root / "README.md", START, END, sizes(found))
    rewrite(root / "docs" / "figures.md", START, END, times(found))
    for page, write in {"robustness": robustness, "jpeg": jpegs, "scale": scale}.items():
        if text := write(found):
            rewrite(root / "docs" / f"{page}.md", START, END, text)
    if rate := rate_of(found):
        plot(rate, root / PLOT)


if __name__ == "__main__":
    main()
