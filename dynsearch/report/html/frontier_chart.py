"""The frontier, its band, the budget, and what the study is compared with."""

from collections.abc import Sequence

from markupsafe import Markup

from dynsearch.display.words import cost_text, percent, threshold_text
from dynsearch.frontier import MergedPoint
from dynsearch.plan import Plan
from dynsearch.report.html.axes import Axes, padded
from dynsearch.report.html.facts import StudyFacts
from dynsearch.report.html.tag import tag
from dynsearch.report.references import Reference


def thresholds_text(point: MergedPoint[int]) -> str:
    """Return the thresholds of all exits but the last."""
    return " ".join(map(threshold_text, point.test.thresholds[:-1])) or "none"


def frontier_chart(facts: StudyFacts) -> Markup:
    """Return the frontier on test with its interval, the budget line, the chosen point and full inference."""
    points = sorted(facts.points, key=lambda point: point.test.cost)
    full_cost, full_top1 = facts.saving.full_cost, 100 * facts.saving.full_top1
    xs = [point.test.cost for point in points] + [full_cost]
    budgets = facts.budget_near(xs)
    ends = [100 * end for point in points for end in point.test_interval]
    maps = _mean_precisions(facts)
    axes = Axes.over(padded([*xs, *budgets]), padded([*ends, full_top1, *(value for _, value in maps)]))
    upper = [(point.test.cost, 100 * point.test_interval.high) for point in points]
    lower = [(point.test.cost, 100 * point.test_interval.low) for point in points]
    parts = [
        axes.frame(facts.measure.per_video, f"top-1{' and mAP' if maps else ''} on test (%)"),
        axes.area(upper + lower[::-1], "band"),
        *map(axes.budget, budgets),
        axes.line([(point.test.cost, 100 * point.test.top1) for point in points], "line"),
    ]
    if maps:
        parts.append(axes.line(maps, "line map"))
    radius = 4 if len(points) <= 60 else 2.5
    for point in points:
        tip = point_tip(point, facts.plans[point.key])
        parts.append(axes.point(point.test.cost, 100 * point.test.top1, "dot", tip, radius=radius))
    parts += [_full(axes, facts), _chosen(axes, facts)]
    chosen = facts.chosen.test
    description = (
        f"{len(points)} operating points from {cost_text(points[0].test.cost)} to "
        f"{cost_text(points[-1].test.cost)} {facts.measure.per_video}. The point chosen under the budget of "
        f"{cost_text(facts.budget)} reaches {percent(chosen.top1)} at {cost_text(chosen.cost)}."
    )
    return axes.picture("Frontier on test", description, *parts)


def reference_chart(facts: StudyFacts, references: Sequence[Reference]) -> Markup:
    """Return the study's frontier among published points for the same data set."""
    points = sorted(facts.points, key=lambda point: point.test.cost)
    xs = [point.test.cost for point in points] + [ref.cost for ref in references]
    ys = [100 * point.test.top1 for point in points] + [ref.top1 for ref in references]
    axes = Axes.over(padded(xs), padded(ys))
    parts = [
        axes.frame(facts.measure.per_video, "top-1 (%)"),
        axes.line([(point.test.cost, 100 * point.test.top1) for point in points], "line"),
    ]
    for point in points:
        tip = "this study\n" + point_tip(point, facts.plans[point.key])
        parts.append(axes.point(point.test.cost, 100 * point.test.top1, "dot", tip, radius=3))
    for system in dict.fromkeys(ref.system for ref in references):
        series = [ref for ref in references if ref.system == system]
        parts.append(axes.line([(ref.cost, ref.top1) for ref in series], "line other"))
        for ref in series:
            what = f"top-1 {ref.top1:g}% at {ref.cost:g} {facts.measure.unit}"
            tip = f"{ref.name}\n{what}\n{ref.source}\n{ref.conditions}"
            parts.append(axes.point(ref.cost, ref.top1, "other", tip))
    description = f"The study's frontier and {len(references)} published points."
    return axes.picture("Published points", description, *parts)


def point_tip(point: MergedPoint[int], plan: Plan) -> str:
    """Return what is said of an operating point: figures, plan and thresholds."""
    low, high = point.test_interval
    return (
        f"top-1 {percent(point.test.top1)} ({100 * low:.1f} to {100 * high:.1f}) at "
        f"{point.test.measure.text(point.test.cost)}\ntrial {point.key}: {plan}\n"
        f"thresholds {thresholds_text(point)}\n"
        f"leaving {' '.join(percent(share, 0) for share in point.test.exit_share)}"
    )


def _mean_precisions(facts: StudyFacts) -> list[tuple[float, float]]:
    """Return the points' cost and mAP in percent, on test, where the data set is measured by it."""
    rows = zip(facts.points, facts.metrics, strict=False)
    return sorted((point.test.cost, 100 * row["mAP"]) for point, row in rows if "mAP" in row)


def _full(axes: Axes, facts: StudyFacts) -> Markup:
    saving = facts.saving
    x, y = axes.x(saving.full_cost), axes.y(100 * saving.full_top1)
    tip = (
        f"full inference, trial {saving.full_trial}: every video to the last exit\n"
        f"top-1 {percent(saving.full_top1)} at {facts.measure.text(saving.full_cost)}"
    )
    cross = f"M{x - 6:.1f},{y - 6:.1f}l12,12m0,-12l-12,12"
    ghost = axes.point(saving.full_cost, 100 * saving.full_top1, "ghost", tip, radius=7)
    return tag("path", d=cross, class_="full") + ghost


def _chosen(axes: Axes, facts: StudyFacts) -> Markup:
    x, y = axes.x(facts.chosen.test.cost), axes.y(100 * facts.chosen.test.top1)
    return tag("path", d=f"M{x:.1f},{y - 8:.1f}l8,8l-8,8l-8,-8z", class_="chosen")


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
