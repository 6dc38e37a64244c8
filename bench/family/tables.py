"""Tables of `docs/family.md` from the JSON of `bench/family/measure.py`; nothing is measured here."""

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations, groupby
from typing import Any

from bench.common import origin, table

Row = dict[str, Any]

#: Model's name in configs -> title, in the order of the page.
TITLES = {
    "pixelcnn": "PixelCNN",
    "row-lstm": "Row LSTM",
    "diagonal-bilstm": "Diagonal BiLSTM",
    "gated-pixelcnn": "Gated PixelCNN",
    "multi-scale": "Multi-Scale PixelRNN",
    "pixelcnn-pp": "PixelCNN++",
}
SETS = {"cifar10": "CIFAR-10", "mnist-binary": "Binarised MNIST", "mnist": "MNIST of 8 bits"}
#: Number of images in the published training sets.
TRAINING_IMAGES = {"cifar10": 50_000, "mnist-binary": 60_000, "mnist": 60_000}

#: Ablations: title, models (all if empty), and fields that vary.
ABLATIONS: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    ("Layers", ("row-lstm",), ("layers",)),
    ("Residual and skip connections", ("pixelcnn", "row-lstm", "diagonal-bilstm"), ("residual", "skip")),
    ("Softmax against a mixture of logistics", (), ("head",)),
    ("Layers, kernel and learning rate of Gated PixelCNN", ("gated-pixelcnn",), ("layers", "kernel", "learning_rate")),
    ("Learning rate of Row LSTM", ("row-lstm",), ("learning_rate",)),
    ("PixelCNN++ without one of its features", ("pixelcnn-pp",), ("short_cuts", "scales", "blocks", "dropout", "head")),
]


def title_of(data: str) -> str:
    return SETS.get(data, data)


def _by(rows: Iterable[Row], key: Callable[[Row], Any]) -> list[tuple[Any, list[Row]]]:
    """Groups of rows, in the order of their first rows."""
    rows = list(rows)
    order = list(dict.fromkeys(map(key, rows)))
    return [(k, [r for r in rows if key(r) == k]) for k in order]


def _samples(row: Row) -> tuple[Any, ...]:
    """The key of a row's images, to group rows of the same images."""
    return row["data"], row["images"], row["sha256"]


def _number(value: float) -> str:
    return f"{round(value):,}"


def _rate(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.2f}" if unit == "nats" else f"{value:.3f}"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


def _config(row: Row) -> str:
    changes = "".join(f", {key} {value}" for key, value in row["changes"].items())
    return f"`{row['config']}`{changes}" + ("" if row["training"]["finished"] else " (not finished)")


def rates(result: dict[str, Any]) -> str:
    """The rates of models and other formats on each set."""
    parts = []
    for (data, images, sha256), rows in _by(result["rows"], _samples):
        unit, first = rows[0]["unit"], rows[0]
        comparable = all(r["published_comparable"] for r in rows) and any(r["published"] is not None for r in rows)
        head = ["model", "config", "parameters", "multiply-adds a pixel", "images seen", "trained for"]
        head += [f"model, {unit}", f"file, {unit}", "file over model", "weights, KB"]
        head += [f"published, {unit}"] if comparable else []
        lines = []
        for r in sorted(rows, key=lambda r: r["nll"]):
            t = r["training"]
            line = [TITLES[r["model"]], _config(r), _number(r["parameters"]), _number(r["multiply_adds"])]
            line += [_number(t["images_seen"]), f"{_minutes(t['seconds'])}, {t['device']}"]
            line += [_rate(r["nll"], unit), _rate(r["size"], unit), f"{100 * r['overhead']:.3f} %"]
            line += [_number(r["weights_bytes"] / 1e3)]
            lines.append(line + ([_rate(r["published"], unit)] if comparable else []))
        for peer in result["peers"]:
            if _samples(peer) == (data, images, sha256):
                for name, f in peer["formats"].items():
                    for how, words in (("each", "a file each"), ("joined", "up to 256 images a picture")):
                        lines.append([name, words, "", "", "", "", "", _rate(f[how], unit), "", ""] + [""] * comparable)
        which = f"all {images:,}" if images == first["of_images"] else f"{images:,} of the {first['of_images']:,}"
        about = f"{which} test images of {first['set']}."
        parts += [f"### {title_of(data)}", about[0].upper() + about[1:], table(head, lines)]
        if not comparable:
            parts.append(_elsewhere(data, rows))
    return "\n\n".join(parts)


def _elsewhere(data: str, rows: list[Row]) -> str:
    known = {TITLES[r["model"]]: r["published"] for r in rows if r["published"] is not None}
    if not known:
        return f"No published figures are for {title_of(data)} as it is here."
    listed = ", ".join(f"{name} {value:.2f}" for name, value in known.items())
    return (
        f"Published, in {rows[0]['unit']}: {listed}. These are for Salakhutdinov's fixed binarisation of the digits. "
        "Ours is another draw of the same pixels, so they stand apart from the table."
    )


def speeds(result: dict[str, Any]) -> str:
    """The speeds in images per second."""
    head = ["model", "config", "arithmetic", "device"]
    head += [f"{way}, {n}" for n in ("one by one", "together") for way in ("encode", "decode")]
    head += ["of them together", "verified"]
    lines = []
    for row in result["rows"]:
        kind = "exact, fixed point" if row["exact"] else "floats"
        line = [TITLES[row["model"]], _config(row), kind, row["measured"]["device"]]
        for how in ("one_by_one", "together"):
            line += [f"{row[how][f'{way}_images_per_s']:.3g}" for way in ("encode", "decode")]
        lines.append([*line, _number(row["together"]["batch"]), _number(row["verified_images"])])
    return table(head, lines)


def photographs(result: dict[str, Any]) -> str:
    """The results on a large image, coded by models for small ones."""
    rows = result.get("photographs", [])
    if not rows:
        return ""
    head = ["model", "run", "image", "bytes", "of WebP", "of PNG", "encoded in", "decoded in"]
    lines = [
        [
            TITLES[r["model"]], r["run"], f"{r['image']}, {r['side']} x {r['side']}", f"{r['file_bytes']:,}",
            f"{r['file_bytes'] / r['webp_bytes']:.3f}", f"{r['file_bytes'] / r['png_bytes']:.3f}",
            f"{r['encode_s']:.1f} s", f"{r['decode_s']:.1f} s",
        ]
        for r in rows
    ]  # fmt: skip
    return table(head, lines)


def _best(result: dict[str, Any], data: str) -> list[Row]:
    """The best finished run of each model on the most images, best first."""
    rows = [r for r in result["rows"] if r["data"] == data and r["training"]["finished"]]
    most = max((r["images"] for r in rows), default=0)
    rows = sorted((r for r in rows if r["images"] == most), key=lambda r: r["nll"])
    return [own[0] for _, own in _by(rows, lambda r: r["model"])]


def order(result: dict[str, Any]) -> str:
    """The ranking of the models beside the published one, for every set with two or more published figures."""
    parts = []
    for data in dict.fromkeys(r["data"] for r in result["rows"]):
        rows = _best(result, data)
        known = [r for r in rows if r["published"] is not None]
        if len(known) < 2:
            continue
        unit = rows[0]["unit"]
        places = sorted(known, key=lambda r: r["published"])
        head = ["model", "config", "here", f"model, {unit}", "images seen", "published", f"published, {unit}"]
        lines = []
        for i, r in enumerate(rows):
            line = [TITLES[r["model"]], _config(r), str(i + 1), _rate(r["nll"], unit)]
            line += [_number(r["training"]["images_seen"]), str(places.index(r) + 1) if r in places else ""]
            lines.append([*line, _rate(r["published"], unit)])
        if not known[0]["published_comparable"]:
            lines = [line[:-1] for line in lines]
            head = head[:-1]
        pairs = list(combinations(known, 2))  # known is in our order
        alike = sum(a["published"] < b["published"] for a, b in pairs)
        seen = {r["training"]["images_seen"] for r in rows}
        budget = f"each after {seen.pop():,} images" if len(seen) == 1 else "after different numbers of images"
        found = f"{alike} of the {len(pairs)} pairs of models with published figures stand in the published order"
        parts += [f"### {title_of(data)}", table(head, lines), f"{found}, {budget} and from one seed."]
    return "\n\n".join(parts)


def budget(result: dict[str, Any]) -> str:
    """The budgets of the runs beside those of the published models."""
    head = ["set", "model", "images seen", "passes over the training set", "trained for", "parameters"]
    head += ["of the published size", "share"]
    lines = []
    for data in dict.fromkeys(r["data"] for r in result["rows"]):
        for row in _best(result, data):
            seen, full = row["training"]["images_seen"], row["published_parameters"]
            passes = f"{seen / TRAINING_IMAGES[data]:.2f}" if data in TRAINING_IMAGES else ""
            line = [title_of(data), TITLES[row["model"]], _number(seen), passes, _minutes(row["training"]["seconds"])]
            line += [_number(row["parameters"]), _number(full) if full else ""]
            lines.append([*line, f"{100 * row['parameters'] / full:.2f} %" if full else ""])
    return table(head, lines)


def ablations(result: dict[str, Any]) -> str:
    """The effect of single changes, with everything else, including the images seen, equal."""
    parts = []
    for title, models, fields in ABLATIONS:
        chosen = [r for r in result["ablations"] if not models or r["model"] in models]
        chosen = [r for r in chosen if fields != ("head",) or r["model"] != "pixelcnn-pp"]
        chosen = [r for r in chosen if set(fields) & {*r["model_config"], "learning_rate"}]

        def same(row: Row, fields: tuple[str, ...] = fields) -> Any:
            config = {**row["model_config"], "learning_rate": row["training"]["learning_rate"]}
            rest = {k: v for k, v in config.items() if k not in fields}
            return *_samples(row), row["model"], row["training"]["images_seen"], json.dumps(rest, sort_keys=True)

        tables = [_ablation(rows, fields) for _, rows in _by(chosen, same) if len(rows) > 1]
        parts += [f"### {title}", *tables] if tables else []
    return "\n\n".join(parts)


def _ablation(rows: list[Row], fields: Sequence[str]) -> str:
    shown = [f for f in fields if len({json.dumps(r["model_config"].get(f)) for r in rows}) > 1]
    rows = sorted(rows, key=lambda r: [r["model_config"][f] for f in shown])
    first, best = rows[0], min(r["nll"] for r in rows)
    unit = first["unit"]
    trained = ("learning_rate", "batch", "optimiser", "schedule", "seed")
    other = [f for f in trained if len({r["training"][f] for r in rows}) > 1]
    head = ["model", "run", *(f.replace("_", " ") for f in (*shown, *other)), "parameters", "multiply-adds a pixel"]
    head += ["trained for", f"model, {unit}", f"file, {unit}", "more than the best"]
    lines = [
        [
            TITLES[r["model"]], r["run"] + ("" if r["training"]["finished"] else " (not finished)"),
            *(_value(r["model_config"][f]) for f in shown), *(_value(r["training"][f]) for f in other),
            _number(r["parameters"]), _number(r["multiply_adds"]), _minutes(r["training"]["seconds"]),
            _rate(r["nll"], unit), _rate(r["size"], unit), f"{100 * (r['nll'] / best - 1):.1f} %",
        ]
        for r in rows
    ]  # fmt: skip
    about = f"{first['images']:,} of the {first['of_images']:,} test images of {first['set']}, after"
    return f"{about} {first['training']['images_seen']:,} images:\n\n{table(head, lines)}"


def _value(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else f"{value}"


def origins(result: dict[str, Any]) -> str:
    """The provenance of the figures, without duplicates."""
    lists = [result.get(name, []) for name in ("rows", "ablations", "peers", "photographs", "stacks")]
    return "\n\n".join(line for line, _ in groupby(sorted(origin(r["measured"]) for rows in lists for r in rows)))


def stacks(result: dict[str, Any]) -> str:
    """The results on whole test sets as single files."""
    rows = result.get("stacks", [])
    if not rows:
        return ""
    lines = [
        [
            TITLES[r["model"]], r["run"], f"{r['images']:,} images of {r['set']}", f"{r['nll']:.4f} {r['unit']}",
            f"{r['file_bytes']:,}", f"{r['size']:.4f} {r['unit']}", f"{r['overhead']:.4%}".replace("%", " %"),
            f"{r['verified_images']:,}",
        ]
        for r in rows
    ]  # fmt: skip
    return table(["model", "run", "set", "model", "bytes", "file", "file over model", "verified"], lines)


SECTIONS: dict[str, Callable[[dict[str, Any]], str]] = {
    "rates": rates,
    "speeds": speeds,
    "photographs": photographs,
    "stacks": stacks,
    "order": order,
    "budget": budget,
    "ablations": ablations,
    "origins": origins,
}
