"""Block diagrams of boxes and arrows, as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

#: Kind of box -> colour.
_FILLS = {"data": "#ffffff", "layer": "#dbe9f6", "masked": "#fde3c8", "state": "#e3f1dd", "head": "#eadff2"}
PITCH = 0.66


@dataclass(frozen=True)
class Box:
    """The position of a box, by its centre."""

    x: float
    y: float
    w: float
    h: float

    @property
    def top(self) -> tuple[float, float]:
        return self.x, self.y + self.h / 2

    @property
    def bottom(self) -> tuple[float, float]:
        return self.x, self.y - self.h / 2

    @property
    def left(self) -> tuple[float, float]:
        return self.x - self.w / 2, self.y

    @property
    def right(self) -> tuple[float, float]:
        return self.x + self.w / 2, self.y


class Diagram:
    """A diagram of boxes and arrows; units are inches, and y points up."""

    def __init__(self, width: float, height: float) -> None:
        self.figure = Figure(figsize=(width, height))
        self._axis = self.figure.add_axes((0, 0, 1, 1))
        self._axis.set(xlim=(0, width), ylim=(0, height))
        self._axis.axis("off")

    def box(self, x: float, y: float, text: str, kind: str = "layer", w: float = 1.75, h: float = 0.4) -> Box:
        style = "round,pad=0,rounding_size=0.06"
        corner = (x - w / 2, y - h / 2)
        self._axis.add_patch(FancyBboxPatch(corner, w, h, style, facecolor=_FILLS[kind], edgecolor="#444444", lw=0.8))
        self._axis.text(x, y, text, ha="center", va="center", fontsize=7.5, linespacing=1.05)
        return Box(x, y, w, h)

    def plus(self, x: float, y: float, sign: str = "+") -> Box:
        self._axis.plot(x, y, "o", markersize=12, markerfacecolor="white", markeredgecolor="#444444", mew=0.8)
        self._axis.text(x, y - 0.01, sign, ha="center", va="center", fontsize=9)
        return Box(x, y, 0.18, 0.18)

    def text(self, x: float, y: float, text: str, ha: str = "left", weight: str = "normal") -> None:
        self._axis.text(x, y, text, ha=ha, va="center", fontsize=7.5, color="#222222", weight=weight)

    def arrow(self, *points: tuple[float, float], dashed: bool = False) -> None:
        """Draw an arrow along the points, with a head at the last one."""
        xs, ys = zip(*points, strict=True)
        line = {"color": "#444444", "lw": 0.8, "linestyle": "--" if dashed else "-"}
        self._axis.plot(xs[:-1], ys[:-1], solid_capstyle="butt", **line)
        arrow = {"arrowstyle": "-|>,head_width=0.15,head_length=0.3", "shrinkA": 0, "shrinkB": 0, **line}
        self._axis.annotate("", points[-1], points[-2], arrowprops=arrow)

    def column(self, x: float, y: float, steps: Sequence[tuple[str, str]], w: float = 1.75) -> list[Box]:
        """Draw (text, kind) boxes downwards from y, with arrows between them; "+" is a sum."""
        boxes: list[Box] = []
        for text, kind in steps:
            boxes.append(self.plus(x, y) if text in ("+", "\N{MULTIPLICATION SIGN}") else self.box(x, y, text, kind, w))
            if len(boxes) > 1:
                self.arrow(boxes[-2].bottom, boxes[-1].top)
            y -= PITCH
        return boxes

    def around(self, start: Box, end: Box, dx: float, dashed: bool = False) -> None:
        """Draw an arrow from below `start`, around the boxes that follow, into the side of `end`."""
        x, y = start.bottom
        side = end.right if dx > 0 else end.left
        self.arrow((x, y - 0.1), (x + dx, y - 0.1), (x + dx, side[1]), side, dashed=dashed)

    def save(self, out: Path) -> None:
        with mpl.rc_context({"svg.hashsalt": "pixzip", "svg.fonttype": "none"}):
            self.figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else {})
