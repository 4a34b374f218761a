"""The frontier of each network family alone, in one chart."""

from __future__ import annotations

from markupsafe import Markup

from dynsearch.display.words import cost_text, percent
from dynsearch.report.html.axes import Axes, padded
from dynsearch.report.html.facts import StudyFacts
from dynsearch.report.html.frontier_chart import point_tip


def family_class(place: int) -> str:
    """Return the CSS class that gives the family at ``place`` its colour and its dashes, of which there are six."""
    return f"f{place % 6}"


def families_chart(facts: StudyFacts) -> Markup:
    """Return every family's operating points on test, and the budget line."""
    points = [point for part in facts.families.values() for point in part]
    xs = [point.test.cost for point in points]
    budgets = facts.budget_near(xs)
    axes = Axes.over(padded([*xs, *budgets]), padded([100 * point.test.top1 for point in points]))
    parts = [axes.frame(facts.measure.per_video, "top-1 on test (%)"), *map(axes.budget, budgets)]
    said, radius = [], 3.5 if len(points) <= 60 else 2.5
    for place, (name, part) in enumerate(facts.families.items()):
        ordered = sorted(part, key=lambda point: point.test.cost)
        places = [(point.test.cost, 100 * point.test.top1) for point in ordered]
        parts.append(axes.line(places, f"line {family_class(place)}"))
        for point, (x, y) in zip(ordered, places, strict=True):
            tip = f"{name}\n{point_tip(point, facts.plans[point.key])}"
            parts.append(axes.point(x, y, f"dot {family_class(place)}", tip, radius=radius))
        best = max(ordered, key=lambda point: point.test.top1)
        said.append(f"{name} up to {percent(best.test.top1)} at {cost_text(best.test.cost)}")
    description = f"{facts.measure.per_video} and top-1 on test of {', '.join(said)}."
    return axes.picture("Frontier of each family", description, *parts)
