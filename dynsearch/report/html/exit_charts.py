"""Exits one by one: accuracy, and how far their probabilities can be believed."""

from collections.abc import Sequence

from markupsafe import Markup

from dynsearch.display.words import cost_text, percent
from dynsearch.report.html.axes import Axes, padded, picture
from dynsearch.report.html.grid_chart import exit_class
from dynsearch.report.html.measures import ExitFigures, Reliability
from dynsearch.report.html.tag import tag
from dynsearch.thresholds.groups import GroupView

_ROW, _BAR = 44.0, 18.0


def accuracy_chart(exits: Sequence[ExitFigures], unit: str) -> Markup:
    """Return top-1 of every exit against its cost: of all videos there, and of those that stop there."""
    values = [100 * end for figure in exits for end in figure.interval]
    values += [100 * figure.top1_stopping for figure in exits if figure.top1_stopping is not None]
    low, high = padded(values)
    axes = Axes.over(
        padded([figure.cost for figure in exits]), (max(0.0, low), min(100.0, max(high, low + 1)))
    )
    parts = [axes.frame(f"{unit} up to the exit", "top-1 on test (%)")]
    parts.append(axes.line([(figure.cost, 100 * figure.top1_all) for figure in exits], "line"))
    for k, figure in enumerate(exits):
        ends = [(figure.cost, 100 * end) for end in figure.interval]
        parts.append(axes.line(ends, "whisker"))
        name = f"exit {k + 1} ({figure.name})"
        tip = f"{name}: {percent(figure.top1_all)} if all videos stopped here, at {cost_text(figure.cost)} {unit}"
        parts.append(axes.point(figure.cost, 100 * figure.top1_all, "dot", tip, radius=5))
        if figure.top1_stopping is not None:
            tip = f"{name}: {percent(figure.top1_stopping)} of the {percent(figure.share)} that stop here"
            parts.append(axes.point(figure.cost, 100 * figure.top1_stopping, "stopping", tip, radius=5))
    description = "; ".join(f"exit {k}: {percent(f.top1_all)}" for k, f in enumerate(exits, start=1))
    return axes.picture("Accuracy of each exit", f"Top-1 of all videos at {description}.", *parts)


def reliability_chart(name: str, before: Reliability, after: Reliability) -> Markup:
    """Return accuracy against confidence for one exit, before and after temperature scaling."""
    axes = Axes.over((0.0, 100.0), (0.0, 100.0), width=360, height=340)
    parts = [axes.frame("confidence (%)", "accuracy (%)"), axes.line([(0, 0), (100, 100)], "ideal")]
    for reliability, word in ((before, "before"), (after, "after")):
        places = [(100 * confidence, 100 * accuracy) for confidence, accuracy, _ in reliability.bins]
        parts.append(axes.line(places, f"line {word}"))
        for (x, y), (_, _, count) in zip(places, reliability.bins, strict=True):
            tip = f"{word} scaling: {count} videos, confidence {x:.0f}%, right {y:.0f}%"
            parts.append(axes.point(x, y, word, tip))
    description = (
        f"Expected calibration error {percent(before.error)} before and {percent(after.error)} after "
        f"temperature {after.temperature:.2f}."
    )
    return axes.picture(f"Reliability of {name}", description, *parts)


def class_chart(classes: Sequence[GroupView], unit: str) -> Markup:
    """Return for each class a bar divided by the exits at which its videos stop."""
    width, height = 560.0, len(classes) * _ROW
    parts = []
    for row, figure in enumerate(classes):
        parts.append(tag("text", figure.group, x=0, y=row * _ROW + 16))
        parts += _class_bar(figure, row * _ROW + 22, width)
    cheapest, dearest = classes[0], classes[-1]
    description = (
        f"The cheapest class is {cheapest.group} with {cost_text(cheapest.cost)} {unit} a video, the dearest "
        f"{dearest.group} with {cost_text(dearest.cost)}."
    )
    return picture("Exits by class", description, width, height, *parts, hover=True)


def _class_bar(figure: GroupView, y: float, width: float) -> list[Markup]:
    parts = []
    x = 0.0
    for k, share in enumerate(figure.exit_share):
        length = share * width
        if share > 0:
            tip = f"{figure.group}: {percent(share, 0)} of {figure.num_videos} videos stop at exit {k + 1}"
            colour = exit_class(k)
            parts.append(
                tag("rect", x=x, y=y, width=length, height=_BAR, class_=f"pt bar {colour}", data_tip=tip)
            )
        if length > 22:
            middle = {"x": x + length / 2, "y": y + _BAR / 2, "dy": "0.35em"}
            parts.append(tag("text", k + 1, text_anchor="middle", class_="oncell", **middle))
        x += length
    return parts
