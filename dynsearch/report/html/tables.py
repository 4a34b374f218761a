"""The tables of the report: each is what a chart shows, in figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dynsearch.display.words import cost_text, percent, threshold_text
from dynsearch.measures import COUNTED
from dynsearch.plan import family_name
from dynsearch.report.html.facts import StudyFacts
from dynsearch.report.html.frontier_chart import thresholds_text
from dynsearch.report.html.measures import ClassFigures, ExitFigures, Reliability
from dynsearch.report.html.videos import ShownVideo
from dynsearch.report.references import Reference


@dataclass(frozen=True)
class Table:
    """A heading and rows of texts.

    Attributes:
        caption: What it shows.
        heading: One name a column; those that begin with ``#`` hold numbers.
        rows: The cells.
    """

    caption: str
    heading: Sequence[str]
    rows: Sequence[Sequence[object]]


def frontier(facts: StudyFacts) -> Table:
    """Return every operating point."""
    further = list(facts.metrics[0]) if facts.metrics else []
    rows = [
        (
            cost_text(point.test.cost),
            percent(point.test.top1),
            percent(point.test_interval.low),
            percent(point.test_interval.high),
            *(percent(facts.metrics[place][name]) for name in further),
            percent(point.calibration.top1),
            point.key,
            *([family_name(facts.plans[point.key])] if facts.families else []),
            facts.plans[point.key].exits,
            facts.plans[point.key].frame_order,
            thresholds_text(point),
            "chosen" if point is facts.chosen else "",
        )
        for place, point in enumerate(facts.points)
    ]
    heading = (
        f"#{facts.measure.unit}", "#top-1", "#from", "#to", *(f"#{name}" for name in further),
        "#on calibration", "#trial", *(["family"] if facts.families else []), "exits", "frame order",
        "thresholds", "",
    )  # fmt: skip
    return Table("Operating points: top-1 on test with its 95% interval", heading, rows)


def families(facts: StudyFacts) -> Table:
    """Return the operating points of each family's own frontier."""
    rows = [
        (
            name,
            cost_text(point.test.cost),
            percent(point.test.top1),
            percent(point.test_interval.low),
            percent(point.test_interval.high),
            percent(point.calibration.top1),
            point.key,
            facts.plans[point.key].exits,
            thresholds_text(point),
        )
        for name, points in facts.families.items()
        for point in points
    ]
    heading = (
        "family", f"#{facts.measure.unit}", "#top-1", "#from", "#to", "#on calibration", "#trial", "exits",
        "thresholds",
    )  # fmt: skip
    return Table("Operating points of each family alone, likewise", heading, rows)


def exits(figures: Sequence[ExitFigures], unit: str) -> Table:
    """Return the chosen plan's exits."""
    last = len(figures)
    rows = [
        (
            k,
            figure.name,
            figure.frames,
            figure.depth,
            cost_text(figure.cost),
            "takes the rest" if k == last else threshold_text(figure.threshold),
            percent(figure.share),
            percent(figure.top1_all),
            "" if figure.top1_stopping is None else percent(figure.top1_stopping),
        )
        for k, figure in enumerate(figures, start=1)
    ]
    heading = (
        "#exit", "cell", "#frames", "#depth", f"#{unit} up to here", "#threshold", "#videos stopping",
        "#top-1 of all", "#top-1 of those",
    )  # fmt: skip
    return Table("Exits of the chosen plan, on test", heading, rows)


def reliability(before: Reliability, after: Reliability) -> Table:
    """Return the bins of one exit."""
    rows = [
        (word, percent(confidence), percent(accuracy), count)
        for word, part in (("before", before), ("after", after))
        for confidence, accuracy, count in part.bins
    ]
    return Table("Bins of confidence, on test", ("scaling", "#confidence", "#accuracy", "#videos"), rows)


def videos(shown: Sequence[ShownVideo], unit: str) -> Table:
    """Return the videos shown."""
    rows = [
        (
            v.video_id,
            v.label,
            v.answer,
            "right" if v.right else "wrong",
            v.exit,
            cost_text(v.cost),
            f"{v.confidence:.3f}",
        )
        for v in shown
    ]
    heading = ("video", "class", "answer", "", "#exit", f"#{unit}", "#confidence at the first exit")
    return Table("Videos shown", heading, rows)


def classes(figures: Sequence[ClassFigures], unit: str) -> Table:
    """Return every class."""
    num_exits = len(figures[0].share) if figures else 0
    rows = [
        (
            f.name,
            f.num_videos,
            cost_text(f.cost),
            percent(f.top1),
            *(percent(share, 0) for share in f.share),
        )
        for f in figures
    ]
    heading = ("class", "#videos", f"#{unit}", "#top-1", *(f"#exit {k + 1}" for k in range(num_exits)))
    return Table("Classes, the cheapest first", heading, rows)


def history(facts: StudyFacts) -> Table:
    """Return the hypervolume wherever it grew."""
    rows: list[tuple[object, ...]] = []
    best = -1.0
    for place, (number, volume) in enumerate(facts.hypervolume, start=1):
        if volume > best:
            rows.append((place, number, percent(volume, 2)))
            best = volume
    return Table("Hypervolume where it grew", ("#plans trained", "#trial", "#hypervolume"), rows)


def trials(facts: StudyFacts) -> Table:
    """Return every trial."""
    rows = [
        (
            trial.number,
            trial.state,
            "" if trial.top1 is None else percent(trial.top1),
            "" if trial.cost is None else cost_text(trial.cost),
            "" if trial.minutes is None else f"{trial.minutes:.1f}",
            trial.plan,
            trial.reason,
        )
        for trial in facts.trials
    ]
    heading = ("#trial", "state", "#top-1", f"#{facts.measure.unit}", "#minutes", "plan", "reason")
    return Table("Trials: the best point under the budget, on calibration", heading, rows)


def references(points: Sequence[Reference]) -> Table:
    """Return the published points."""
    rows = [(p.name, f"{p.top1:g}", f"{p.cost:g}", p.source, p.conditions) for p in points]
    return Table(
        "Published points", ("system", "#top-1 (%)", f"#{COUNTED.unit}", "source", "conditions"), rows
    )


def settings(facts: StudyFacts) -> Table:
    """Return the recipe and the versions."""
    rows = [(name, value) for name, value in facts.settings.items()]
    rows += [(f"version of {name}", value) for name, value in facts.versions.items()]
    return Table("Settings and versions", ("field", "value"), rows)
