"""Plots of rate against speed: every codec is a point with its name beside it."""

import io
import re
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

#: Colours of a figure; a page replaces them by its own, light or dark.
INK, OURS, PEER, LINE = "#1f2328", "#c2410c", "#57606a", "#d0d7de"
_VARIABLES = {INK: "var(--ink)", OURS: "var(--ours)", PEER: "var(--peer)", LINE: "var(--line)"}
#: Sizes of markers and text, in points.
_MARKER, _TEXT = 6, 9
#: Possible places of a name: direction, and distance from the marker in points; the first free place is used.
_SIDES = [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)]
_PLACES = [(side, distance) for distance in (6, 15, 24, 33) for side in _SIDES]


class Point(NamedTuple):
    """A codec with its speed in megapixels per second and its rate."""

    name: str
    speed: float
    rate: float
    ours: bool


class Panel(NamedTuple):
    """One set of images and one direction."""

    title: str
    points: Sequence[Point]
    speed_label: str
    rate_label: str


def rate_speed(panels: Sequence[Panel]) -> Figure:
    """A figure of all panels side by side; names overlap neither markers nor each other, if there is room."""
    figure = Figure(figsize=(4.2 * len(panels), 3.5), layout="constrained", facecolor="none")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, panel in zip(axes, panels, strict=True):
        _draw(axis, panel)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # characters missing in this font, but perhaps not in the reader's
        canvas.draw()  # type: ignore[no-untyped-call]
        for axis, panel in zip(axes, panels, strict=True):
            _write_names(axis, panel.points)
    return figure


def _draw(axis: Axes, panel: Panel) -> None:
    for point in panel.points:
        marker, colour = ("o", OURS) if point.ours else ("s", PEER)
        axis.plot(point.speed, point.rate, marker, color=colour, markersize=_MARKER, zorder=3)
    axis.set(xscale="log", facecolor="none")
    axis.set_xlabel(panel.speed_label, color=INK, fontsize=_TEXT)
    axis.set_ylabel(panel.rate_label, color=INK, fontsize=_TEXT, parse_math=False)
    axis.set_title(panel.title, color=INK, fontsize=_TEXT + 1, parse_math=False)
    axis.margins(x=0.16, y=0.14)
    low, high = axis.get_xlim()
    axis.xaxis.set_major_locator(LogLocator(subs=(1,) if high / low > 100 else (1, 2, 5)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.tick_params(colors=INK, labelsize=_TEXT - 1, which="both")
    axis.grid(color=LINE, linewidth=0.6)
    axis.set_axisbelow(True)
    for side, spine in axis.spines.items():
        spine.set(color=LINE, visible=side in ("left", "bottom"))


def _write_names(axis: Axes, points: Sequence[Point]) -> None:
    """Write names in the first free places, those of crowded points last."""
    scale = axis.figure.dpi / 72
    at = [tuple(axis.transData.transform((p.speed, p.rate))) for p in points]
    reach = _MARKER / 2 * scale + 1
    taken = [Bbox.from_extents(x - reach, y - reach, x + reach, y + reach) for x, y in at]

    def neighbours(i: int) -> int:
        return sum(abs(x - at[i][0]) < 60 * scale and abs(y - at[i][1]) < 14 * scale for x, y in at)

    for i in sorted(range(len(points)), key=neighbours):
        point = points[i]
        label = axis.annotate(
            point.name, (point.speed, point.rate), (0, 0), textcoords="offset points", fontsize=_TEXT - 1,
            color=OURS if point.ours else INK, parse_math=False, va="bottom",
        )  # fmt: skip
        label.set_in_layout(False)
        extent = label.get_window_extent()
        best, overlap, distance = None, float("inf"), 0
        for (dx, dy), away in _PLACES:
            box = _beside(at[i], dx, dy, away * scale, extent.width, extent.height)
            found = sum(_shared(box, other) for other in taken) + _outside(box, axis.bbox)
            if found < overlap:
                best, overlap, distance = box, found, away
            if not found:
                break
        assert best is not None
        label.set_position(((best.x0 - at[i][0]) / scale, (best.y0 - at[i][1]) / scale))
        taken.append(best)
        if distance > _PLACES[0][1]:  # a line to a name that is not beside its marker
            nearest = (min(max(at[i][0], best.x0), best.x1), min(max(at[i][1], best.y0), best.y1))
            line = axis.transData.inverted().transform([at[i], nearest])
            axis.plot(line[:, 0], line[:, 1], color=PEER, linewidth=0.5, zorder=2)


def _beside(at: tuple[float, ...], dx: int, dy: int, away: float, width: float, height: float) -> Bbox:
    """A box in a direction from a point, whose near edge or corner is `away` from the point."""
    x = at[0] + dx * away - (width if dx < 0 else width / 2 if dx == 0 else 0)
    y = at[1] + dy * away - (height if dy < 0 else height / 2 if dy == 0 else 0)
    return Bbox.from_bounds(x, y, width, height)


def _shared(a: Bbox, b: Bbox) -> float:
    """The area of the intersection, in square pixels."""
    w, h = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
    return w * h if min(w, h) > 0 else 0


def _outside(box: Bbox, frame: Bbox) -> float:
    """The area of a box outside a frame."""
    return box.width * box.height - _shared(box, frame)


def inline_svg(figure: Figure, name: str, label: str) -> str:
    """The figure as an element of a page, with the page's colours and font.

    Args:
        name: prefix that makes its ids differ from those of other figures.
        label: text alternative for screen readers; this function escapes it.
    """
    out = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figure.savefig(out, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    text = out.getvalue()
    text = text[text.index("<svg") :].strip()
    head, rest = text.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', head)
    assert box is not None
    rest = re.sub(r"<(metadata|style)\b.*?</\1>", "", rest, flags=re.DOTALL)  # its style would apply to the whole page
    rest = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", rest)
    rest = re.sub(r"font-family: [^;\"]*;? ?", "", rest)
    for colour, variable in _VARIABLES.items():
        rest = rest.replace(colour, variable)
    return f'<svg {box[0]} role="img" aria-label="{_attribute(label)}">{rest}'


def _attribute(text: str) -> str:
    return "".join(f"&#{ord(c)};" if c in "<>&\"'" else c for c in text)
