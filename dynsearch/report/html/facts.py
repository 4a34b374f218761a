"""What a report is made of."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dynsearch.frontier import MergedPoint
from dynsearch.frontier.merge import Saving
from dynsearch.measures import COUNTED, CostMeasure
from dynsearch.plan import Plan
from dynsearch.scores import ExitScores
from dynsearch.thresholds import OperatingPoint


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
class OneShotFacts:
    """What the one-shot network promised.

    Attributes:
        tau: Kendall's tau between promised and reached top-1 at equal budgets; None if unknown.
        screened: Cost and expected top-1 of each plan that was screened, on calibration.
        promised: By number of a trial, what was promised of its plan at the cost of its best point under the budget.
    """

    tau: float | None
    screened: Sequence[tuple[float, float]]
    promised: Mapping[int, float]


@dataclass(frozen=True, kw_only=True)
class OtherStudy:
    """A study that this one is shown beside.

    Attributes:
        plans: By trial number, in words.
        remark: What speaks against a comparison; may be empty.
    """

    name: str
    dataset: str
    points: Sequence[MergedPoint[int]]
    plans: Mapping[int, str]
    saving: Saving
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class StudyFacts:
    """A study, as its files tell it.

    Attributes:
        source: What commands call it: its name, or its folder where that is not below ``studies``.
        settings: Every field of the recipe, by dotted name.
        versions: Of the libraries that made it, by name.
        commands: The commands that ran it, oldest first; empty where not recorded.
        class_names: K names, in label order; empty where not recorded.
        num_videos: By split; empty where not recorded.
        plans: By trial number, of finished trials.
        points: The frontier, rising in calibration cost and top-1.
        chosen: The best point under the budget, chosen on calibration.
        scores: By trial number, exit scores on calibration and test.
        saving: What early exits save against full inference.
        trials: Every trial, by number.
        hypervolume: For each finished trial in turn its number, and the share of the rectangle from nothing to
            (budget, 100%) that all trials so far dominate, on calibration.
        metrics: Of each point in turn its further metrics on test by name, for instance ``top-5`` (0..1).
        families: By network family, the points of its own frontier; empty where there is one family only.
        thumbnails: JPEG pictures by video id.
        curves: By trial number, points of the plan's own frontier, measured on test.
        learning: By what was trained, epoch, loss and top-1 on the training videos.
        one_shot: None where no one-shot network was trained.
        made: When, where and in what time, by name.
        others: Studies that it is shown beside.
        shared: The trials whose networks have the one-shot network's own weights.
    """

    name: str
    source: str
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
    scores: Mapping[int, tuple[ExitScores, ExitScores]]
    saving: Saving
    trials: Sequence[TrialFacts]
    hypervolume: Sequence[tuple[int, float]]
    metrics: Sequence[Mapping[str, float]] = ()
    measure: CostMeasure = COUNTED
    families: Mapping[str, Sequence[MergedPoint[int]]] = field(default_factory=dict)
    thumbnails: Mapping[str, bytes] = field(default_factory=dict)
    curves: Mapping[int, Sequence[OperatingPoint]] = field(default_factory=dict)
    learning: Mapping[str, Sequence[tuple[int, float, float]]] = field(default_factory=dict)
    one_shot: OneShotFacts | None = None
    made: Mapping[str, str] = field(default_factory=dict)
    others: Sequence[OtherStudy] = ()
    shared: Collection[int] = ()

    @property
    def shown(self) -> list[int]:
        """The trials whose plans are shown: those of the frontier, most of it first, then others, a dozen if that."""
        on_frontier = [point.key for part in (self.points, *self.families.values()) for point in part]
        own = sorted(set(on_frontier), key=lambda number: (-on_frontier.count(number), number))
        rest = [number for number in self.plans if number not in own]
        return own + rest[: max(0, NUM_PLANS - len(own))]


NUM_PLANS = 12
"""Shown of a study; more only if more are on the frontier."""
