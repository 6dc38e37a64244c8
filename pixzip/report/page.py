"""The report as one self-contained HTML page: styles, script, plots and pictures are inline."""

from collections.abc import Sequence
from typing import Any

import jinja2
from markupsafe import Markup

from pixzip.io.text import escaped
from pixzip.report import heat, plot
from pixzip.report.codecs import OURS
from pixzip.report.heat import Heat
from pixzip.report.measure import LOSSLESS

_LAYOUTS = {1: "grey", 2: "grey + alpha", 3: "RGB", 4: "RGBA"}
#: Table entries for codecs without a size.
_SHORT = {"not lossless": "lossy", "unsupported": "n/a", "failed": "failed"}


def render(result: dict[str, Any], heats: Sequence[Heat]) -> str:
    """
    Args:
        result: content of `report.json`.
        heats: images with their bits per pixel.
    """
    result = _escaped(result)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pixzip.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"figure": _figure, "count": lambda n: f"{n:,}", "ratio": lambda x: f"{x:.3f}"}
    return environment.get_template("page.html").render(
        r=result,
        totals=_ranked(result),
        reference=next(t["name"] for t in result["totals"] if t["codec"] == result["reference"]),
        megapixels=sum(i["width"] * i["height"] for i in result["images"]) / 1e6,
        pixels=[i["width"] * i["height"] for i in result["images"]],
        layouts=_LAYOUTS,
        short=_SHORT,
        ours=OURS,
        best=[_best(i["results"]) for i in result["images"]],
        plots=_plots(result),
        figures=_figures(result),
        maps=_maps(heats),
    )


def _escaped(value: Any) -> Any:
    """A value of JSON whose texts hold no characters that hide, or turn the direction of writing."""
    if isinstance(value, dict):
        return {_escaped(key): _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return escaped(value) if isinstance(value, str) else value


def _ranked(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Totals, smallest first; those without a size are last."""
    return sorted(result["totals"], key=lambda t: t.get("ratio", float("inf")))


def _figure(number: float) -> str:
    """A number with three significant digits: 0.0421, 5.75, 30.6, 1,234."""
    return f"{number:,.0f}" if number >= 100 else f"{number:#.3g}"


def _best(results: dict[str, Any]) -> int:
    """The size in bytes of the smallest file."""
    return min((o["bytes"] for o in results.values() if o["status"] == LOSSLESS), default=0)


def _plots(result: dict[str, Any]) -> list[Markup]:
    """Plots of both directions, for the codecs that can be compared with the reference."""
    shown = [t for t in result["totals"] if "ratio" in t]
    reference = next(t["name"] for t in result["totals"] if t["codec"] == result["reference"])
    found = []
    for direction, verb in (("decode", "Decoding"), ("encode", "Encoding")):
        points = [plot.Point(t["name"], t[f"{direction}_mps"], t["ratio"], t["codec"].startswith(OURS)) for t in shown]
        if not points:
            continue
        panel = plot.Panel(
            f"{verb} speed", points, "megapixels a second (log scale)", f"size / {reference} (less is better)"
        )
        label = f"Size against {verb.lower()} speed, a point for each codec; the table above has the figures."
        found.append(Markup(plot.inline_svg(plot.rate_speed([panel]), direction, label)))
    return found


def _figures(result: dict[str, Any]) -> list[list[Any]]:
    """Figures that the table of images shows on demand: four for each image and codec, or none."""
    keys = [t["codec"] for t in _ranked(result)]
    return [[_four(i, i["results"][key]) for key in keys] for i in result["images"]]


def _four(image: dict[str, Any], outcome: dict[str, Any]) -> list[float] | None:
    if outcome["status"] != LOSSLESS:
        return None
    megapixels = image["width"] * image["height"] / 1e6
    speeds = [float(f"{megapixels / outcome[key]:.3g}") for key in ("encode_s", "decode_s")]
    return [round(outcome["bpsp"], 4), outcome["bytes"], *speeds]


def _maps(heats: Sequence[Heat]) -> dict[str, Any] | None:
    if not heats:
        return None
    top = heat.scale_top(heats)
    images = [
        {
            "name": escaped(h.name),
            "thumbnail": h.thumbnail,
            "map": heat.map_uri(h.bits, top),
            "width": h.bits.shape[1],
            "height": h.bits.shape[0],
            "mean": h.mean,
        }
        for h in heats
    ]
    return {"images": images, "gradient": Markup(heat.gradient()), "ticks": range(0, top + 1, top // 4)}
