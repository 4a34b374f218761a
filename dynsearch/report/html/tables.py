"""The tables of the report: each is what a chart shows, in figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dynsearch.display.words import cost_text, percent, threshold_text
from dynsearch.frontier import MergedPoint
from dynsearch.measures import COUNTED
from dynsearch.plan import family_name
from dynsearch.report.html.facts import StudyFacts
from dynsearch.report.html.frontier_chart import thresholds_text
from dynsearch.report.html.measures import ExitFigures, Reliability
from dynsearch.report.html.videos import ShownVideo
from dynsearch.report.references import Reference
from dynsearch.thresholds.groups import GroupView

Row = Mapping[str, object]
"""The cells of a row by their column; names of columns that begin with ``#`` stand above numbers."""


@dataclass(frozen=True)
class Table:
    """Rows with the same columns, under a caption."""

    caption: str
    rows: Sequence[Row]

    @property
    def heading(self) -> list[str]:
        """The columns; none of a table without rows."""
        return list(self.rows[0]) if self.rows else []


def frontier(facts: StudyFacts) -> Table:
    """Return every operating point."""
    rows = [
        {
            **_on_test(facts, point),
            **{f"#{name}": percent(value) for name, value in metrics.items()},
            "#on calibration": percent(point.calibration.top1),
            "#expected": _expected(point),
            "#trial": point.key,
            **({"family": family_name(facts.plans[point.key])} if facts.families else {}),
            "exits": facts.plans[point.key].exits,
            "frame order": facts.plans[point.key].frame_order,
            "thresholds": thresholds_text(point),
            "": "chosen" if point is facts.chosen else "",
        }
        for point, metrics in zip(facts.points, facts.metrics or [{}] * len(facts.points), strict=True)
    ]
    return Table("Operating points: top-1 on test with its 95% interval", rows)


def families(facts: StudyFacts) -> Table:
    """Return the operating points of each family's own frontier."""
    rows = [
        {
            "family": name,
            **_on_test(facts, point),
            "#on calibration": percent(point.calibration.top1),
            "#expected": _expected(point),
            "#trial": point.key,
            "exits": facts.plans[point.key].exits,
            "thresholds": thresholds_text(point),
        }
        for name, points in facts.families.items()
        for point in points
    ]
    return Table("Operating points of each family alone, likewise", rows)


def _expected(point: MergedPoint[int]) -> str:
    expected = point.calibration.expected
    return "" if expected is None else percent(expected) + "?" * bool(point.calibration.doubt)


def _on_test(facts: StudyFacts, point: MergedPoint[int]) -> Row:
    return {
        f"#{facts.measure.unit}": cost_text(point.test.cost),
        "#top-1": percent(point.test.top1),
        "#from": percent(point.test_interval.low),
        "#to": percent(point.test_interval.high),
    }


def exits(figures: Sequence[ExitFigures], unit: str) -> Table:
    """Return the chosen plan's exits."""
    rows = [
        {
            "#exit": k,
            "cell": figure.name,
            "#frames": figure.frames,
            "#depth": figure.depth,
            f"#{unit} up to here": cost_text(figure.cost),
            "#threshold": "takes the rest" if k == len(figures) else threshold_text(figure.threshold),
            "#videos stopping": percent(figure.share),
            "#top-1 of all": percent(figure.top1_all),
            "#top-1 of those": "" if figure.top1_stopping is None else percent(figure.top1_stopping),
        }
        for k, figure in enumerate(figures, start=1)
    ]
    return Table("Exits of the chosen plan, on test", rows)


def reliability(before: Reliability, after: Reliability) -> Table:
    """Return the bins of one exit."""
    rows = [
        {
            "scaling": word,
            "#confidence": percent(confidence),
            "#accuracy": percent(accuracy),
            "#videos": count,
        }
        for word, part in (("before", before), ("after", after))
        for confidence, accuracy, count in part.bins
    ]
    return Table("Bins of confidence, on test", rows)


def videos(shown: Sequence[ShownVideo], unit: str) -> Table:
    """Return the videos shown."""
    rows = [
        {
            "video": video.video_id,
            "class": video.label,
            "answer": video.answer,
            "": "right" if video.right else "wrong",
            "#exit": video.exit,
            f"#{unit}": cost_text(video.cost),
            "#confidence at the first exit": f"{video.confidence:.3f}",
        }
        for video in shown
    ]
    return Table("Videos shown", rows)


def classes(figures: Sequence[GroupView], unit: str) -> Table:
    """Return every class."""
    rows = [
        {
            "class": figure.group,
            "#videos": figure.num_videos,
            f"#{unit}": cost_text(figure.cost),
            "#top-1": percent(figure.top1),
            **{f"#exit {k}": percent(share, 0) for k, share in enumerate(figure.exit_share, start=1)},
        }
        for figure in figures
    ]
    return Table("Classes, the cheapest first", rows)


def history(facts: StudyFacts) -> Table:
    """Return the hypervolume wherever it grew."""
    rows = [
        {"#plans trained": place, "#trial": number, "#hypervolume": percent(volume, 2)}
        for place, number, volume in facts.growth()
    ]
    return Table("Hypervolume where it grew", rows)


def trials(facts: StudyFacts) -> Table:
    """Return every trial."""
    rows = [
        {
            "#trial": trial.number,
            "state": trial.state,
            "#top-1": "" if trial.top1 is None else percent(trial.top1),
            f"#{facts.measure.unit}": "" if trial.cost is None else cost_text(trial.cost),
            "#minutes": "" if trial.minutes is None else f"{trial.minutes:.1f}",
            "plan": trial.plan,
            "reason": trial.reason,
        }
        for trial in facts.trials
    ]
    return Table("Trials: the best point under the budget, on calibration", rows)


def references(points: Sequence[Reference]) -> Table:
    """Return the published points."""
    rows = [
        {
            "system": point.name,
            "#top-1 (%)": f"{point.top1:g}",
            f"#{COUNTED.unit}": f"{point.cost:g}",
            "source": point.source,
            "conditions": point.conditions,
        }
        for point in points
    ]
    return Table("Published points", rows)


def settings(facts: StudyFacts) -> Table:
    """Return the recipe and the versions."""
    versions = {f"version of {name}": value for name, value in facts.versions.items()}
    fields = [*facts.settings.items(), *versions.items()]
    return Table("Settings and versions", [{"field": name, "value": value} for name, value in fields])
