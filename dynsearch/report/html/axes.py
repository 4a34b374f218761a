"""Axes of a chart: from values to places in the picture, ticks, and the frame around them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dynsearch.report.html.tag import tag

LEFT, RIGHT, TOP, BOTTOM = 74.0, 14.0, 14.0, 54.0
_NARROW = 450  # drawn units; narrower pictures are not shrunk on a phone


@dataclass(frozen=True)
class Scale:
    """A straight line from values, ``low`` to ``high``, to places in picture units, ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the place of ``value``."""
        span = self.high - self.low or 1.0
        return self.start + (value - self.low) / span * (self.end - self.start)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return about ``count`` round values in [low, high], steps of 1, 2, 2.5 or 5 times a power of ten."""
    if not high > low:
        return [low]
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(step for factor in (1, 2, 2.5, 5, 10) if (step := factor * power) >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round((first + i) * step, 12) for i in range(int((high - first * step) / step + 1e-9) + 1)]


def padded(values: Sequence[float], share: float = 0.06) -> tuple[float, float]:
    """Return the range of ``values`` with a margin of ``share`` of it, and never an empty one."""
    low, high = min(values), max(values)
    margin = (high - low) * share or abs(high) * share or 1.0
    return low - margin, high + margin


@dataclass(frozen=True)
class Axes:
    """A chart's area, x from left to right and y from bottom to top, in a picture of a width and height."""

    x: Scale
    y: Scale
    width: float
    height: float

    @classmethod
    def over(
        cls, x: tuple[float, float], y: tuple[float, float], *, width: float = 560, height: float = 360
    ) -> Axes:
        """Return axes over two ranges of values."""
        return cls(
            Scale(*x, LEFT, width - RIGHT), Scale(*y, height - BOTTOM, TOP), float(width), float(height)
        )

    def frame(
        self, x_label: str, y_label: str, *, x_text: Callable[[float], str] = "{:.4g}".format
    ) -> Markup:
        """Return the grid lines, tick texts and axis names."""
        left, right, bottom, top = self.x.start, self.x.end, self.y.start, self.y.end
        parts = []
        for value in ticks(self.y.low, self.y.high):
            y = self.y(value)
            parts.append(tag("line", class_="grid", x1=left, x2=right, y1=y, y2=y))
            parts.append(tag("text", f"{value:g}", x=left - 8, y=y, text_anchor="end", dy="0.35em"))
        for value in ticks(self.x.low, self.x.high):
            x = self.x(value)
            parts.append(tag("line", class_="grid", x1=x, x2=x, y1=bottom, y2=top))
            parts.append(tag("text", x_text(value), x=x, y=bottom + 20, text_anchor="middle"))
        middle_x, middle_y = (left + right) / 2, (bottom + top) / 2
        parts.append(tag("text", x_label, class_="name", x=middle_x, y=self.height - 8, text_anchor="middle"))
        turned = f"rotate(-90 14 {middle_y:.1f})"
        parts.append(
            tag("text", y_label, class_="name", x=14.0, y=middle_y, text_anchor="middle", transform=turned)
        )
        return Markup("").join(parts)

    def line(self, points: Sequence[tuple[float, float]], class_: str) -> Markup:
        """Return a line through (x, y) values."""
        return tag("polyline", points=self._places(points), class_=class_)

    def area(self, points: Sequence[tuple[float, float]], class_: str) -> Markup:
        """Return a filled outline through (x, y) values."""
        return tag("polygon", points=self._places(points), class_=class_)

    def point(self, x: float, y: float, class_: str, tip: str, *, radius: float = 4) -> Markup:
        """Return a dot that says ``tip`` when the mouse or the keyboard is on it."""
        return tag("circle", cx=self.x(x), cy=self.y(y), r=float(radius), class_=f"pt {class_}", data_tip=tip)

    def budget(self, budget: float, *, named: bool = True) -> Markup:
        """Return the budget as a line, with its figure if ``named``."""
        x = self.x(budget)
        line = tag("line", class_="budget", x1=x, x2=x, y1=self.y.start, y2=self.y.end)
        if not named:
            return line
        shift, anchor = (-6, "end") if x > self.width - 130 else (6, "start")
        return line + tag("text", f"budget {budget:g}", x=x + shift, y=self.y.end + 12, text_anchor=anchor)

    def picture(self, title: str, description: str, *parts: Markup) -> Markup:
        """Return the chart as a picture whose points answer to the mouse and the keyboard; see :func:`picture`."""
        return picture(title, description, self.width, self.height, *parts, hover=True)

    def _places(self, points: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)


def picture(
    title: str, description: str, width: float, height: float, *parts: Markup, hover: bool = False
) -> Markup:
    """Return a picture with a name and a description, in a sentence, for screen readers.

    ``hover`` is whether its points answer to the mouse and to the arrow keys.
    """
    classes = ["chart", *(["narrow"] if width < _NARROW else []), *(["hover"] if hover else [])]
    return tag(
        "svg", tag("title", title), tag("desc", description), *parts, role="img",
        aria_label=f"{title}. {description}", viewBox=f"0 0 {width:.0f} {height:.0f}",
        class_=" ".join(classes), tabindex="0" if hover else None,
    )  # fmt: skip
