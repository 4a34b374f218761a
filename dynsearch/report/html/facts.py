"""What a report is made of."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dynsearch.frontier import MergedPoint
from dynsearch.frontier.merge import Saving
from dynsearch.measures import COUNTED, CostMeasure
from dynsearch.plan import Plan
from dynsearch.scores import ExitScores


@dataclass(frozen=True, kw_only=True)
class TrialFacts:
    """One trial of the search.

    Attributes:
        state: ``finished``, ``failed``, ``refused`` or ``running``.
        plan: In words.
        top1: Of its best point under the budget, on calibration (0..1); None unless finished.
        cost: Of the same.
        minutes: How long it took; None while it runs.
        reason: Why it failed or was refused.
    """

    number: int
    state: str
    plan: str
    top1: float | None = None
    cost: float | None = None
    minutes: float | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class StudyFacts:
    """A study, as its files tell it.

    Attributes:
        settings: Every field of the recipe, by dotted name.
        versions: Of the libraries that made it, by name.
        commands: The commands that ran it, oldest first; empty where not recorded.
        class_names: K names, in label order; empty where not recorded.
        num_videos: By split; empty where not recorded.
        plans: By trial number, of finished trials.
        points: The frontier, rising in calibration cost and top-1.
        chosen: The best point under the budget, chosen on calibration.
        calibration: Exit scores of the chosen point's network on calibration.
        test: The same on test.
        saving: What early exits save against full inference.
        trials: Every trial, by number.
        hypervolume: For each finished trial in turn its number, and the share of the rectangle from nothing to
            (budget, 100%) that all trials so far dominate, on calibration.
        metrics: Of each point in turn its further metrics on test by name, for instance ``top-5`` (0..1).
        families: By network family, the points of its own frontier; empty where there is one family only.
        thumbnails: JPEG pictures by video id.
    """

    name: str
    dataset: str
    budget: float
    seed: int
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    commands: Sequence[str]
    class_names: Sequence[str]
    num_videos: Mapping[str, int]
    plans: Mapping[int, Plan]
    points: Sequence[MergedPoint[int]]
    chosen: MergedPoint[int]
    calibration: ExitScores
    test: ExitScores
    saving: Saving
    trials: Sequence[TrialFacts]
    hypervolume: Sequence[tuple[int, float]]
    metrics: Sequence[Mapping[str, float]] = ()
    measure: CostMeasure = COUNTED
    families: Mapping[str, Sequence[MergedPoint[int]]] = field(default_factory=dict)
    thumbnails: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def plan(self) -> Plan:
        """The chosen point's plan."""
        return self.plans[self.chosen.key]

    def budget_near(self, costs: Sequence[float]) -> list[float]:
        """Return the budget, if a chart of these costs has room for it; otherwise nothing."""
        return [self.budget] if self.budget < 1.5 * max(costs) else []

    def growth(self) -> list[tuple[int, int, float]]:
        """Return plans trained, trial and hypervolume of each trial whose point made the hypervolume grow."""
        best = [-1.0, *itertools.accumulate((volume for _, volume in self.hypervolume), max)]
        return [
            (place, number, volume)
            for place, (number, volume) in enumerate(self.hypervolume, start=1)
            if volume > best[place - 1]
        ]

    def class_name(self, label: int) -> str:
        """Return the name of a class, or its number where names are not recorded."""
        return self.class_names[label] if label < len(self.class_names) else f"class {label}"
