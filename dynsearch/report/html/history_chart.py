"""How the search went."""

from markupsafe import Markup

from dynsearch.display.words import cost_text, percent
from dynsearch.report.html.axes import Axes, padded
from dynsearch.report.html.facts import StudyFacts


def history_chart(facts: StudyFacts) -> Markup:
    """Return the hypervolume against the number of plans trained."""
    values = [100 * volume for _, volume in facts.hypervolume]
    axes = Axes.over((0.5, len(values) + 0.5), padded([*values], 0.1), width=400, height=300)
    steps: list[tuple[float, float]] = []
    for place, value in enumerate(values, start=1):
        if steps:
            steps.append((place, steps[-1][1]))
        steps.append((place, value))
    parts = [axes.frame("plans trained", "hypervolume (%)", x_text="{:g}".format), axes.line(steps, "line")]
    for place, number, volume in facts.growth():
        tip = f"trial {number}: {percent(volume, 2)} after {place} plans"
        parts.append(axes.point(place, 100 * volume, "dot", tip, radius=3.5))
    first, last = facts.hypervolume[0][1], facts.hypervolume[-1][1]
    description = f"From {percent(first)} after the first plan to {percent(last)}."
    return axes.picture("Hypervolume over the search", description, *parts)


def trials_chart(facts: StudyFacts) -> Markup:
    """Return every finished trial's best point under the budget, on calibration."""
    done = [trial for trial in facts.trials if trial.top1 is not None and trial.cost is not None]
    xs = [trial.cost or 0.0 for trial in done]
    ys = [100 * (trial.top1 or 0.0) for trial in done]
    budgets = facts.budget_near(xs)
    axes = Axes.over(padded([*xs, *budgets]), padded(ys), width=400, height=300)
    parts = [axes.frame(facts.measure.per_video, "top-1 on calibration (%)")]
    parts += [axes.budget(budget, named=False) for budget in budgets]
    radius = 4 if len(done) <= 200 else 2
    for trial, cost, top1 in zip(done, xs, ys, strict=True):
        tip = f"trial {trial.number}: {top1:.1f}% at {cost_text(cost)}\n{trial.plan}"
        chosen = "dot best" if trial.number == facts.chosen.key else "dot"
        parts.append(axes.point(cost, top1, chosen, tip, radius=radius))
    description = f"{len(done)} trials, each plan's best point within {facts.measure.text(facts.budget)}."
    return axes.picture("Trials", description, *parts)
