"""What the finished trials of a study amount to, gathered one by one: each is read and solved once."""

from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from dynsearch.data.catalogue import get_metrics
from dynsearch.errors import ScoresError
from dynsearch.frontier import Merging, hypervolume
from dynsearch.frontier.choose_confidence import AUTO
from dynsearch.plan import Plan, family_name
from dynsearch.plugins import require
from dynsearch.scores import ExitScores
from dynsearch.scores.overlap import of_same_videos
from dynsearch.study.data_record import OwnVideos
from dynsearch.study.folder import StudyFolder
from dynsearch.study.predictions import one_shot_folder, read_prediction
from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.record import MADE, finished, is_shared, plan_of
from dynsearch.study.saved_frontiers import SavedFrontiers, SavedScores, costed
from dynsearch.thresholds import full_inference
from dynsearch.training.made import SCORES, key_in


@dataclass
class Part:
    """Trials' plans, by number, and the points of their common frontier."""

    plans: dict[int, Plan] = field(default_factory=dict)
    merging: Merging[int] = field(default_factory=Merging)


class Gathering:
    """Takes in finished trials; what one costs does not grow with their number.

    Attributes:
        whole: All trials.
        families: The same by network family, in the order of their first trials.

    The others are those of :class:`dynsearch.study.results.StudyResults`. ``under`` is the study's recipe with another
    measure, or other limits, by which all is costed anew.
    """

    def __init__(
        self, study: optuna.Study, folder: StudyFolder, solver: str, under: StudyRecipe | None = None
    ) -> None:
        self.study, self.folder = study, folder
        recipe = folder.recipe()
        self.under = under or recipe
        self.measure = under.measure if under else None
        require(recipe.plugins, str(folder.study_file))
        self.confidence = None if recipe.confidence == AUTO else recipe.confidence
        self.metrics = tuple(name for name in get_metrics(recipe.dataset) if name != "top1")
        self.whole = Part()
        self.families: dict[str, Part] = {}
        self.scores = SavedScores(folder, self.whole.plans, self.measure)
        self.curves = SavedFrontiers(
            folder, self.scores, solver, recipe.confidence, recipe.solver_options, self.under
        )
        self.predictions: dict[int, ExitScores] = {}
        self.shared: set[int] = set()
        self.most_accurate = -1
        self._best_full = (-1.0, 0.0)
        self.hypervolumes: list[tuple[int, float]] = []
        self.left_out: dict[int, str] = {}
        self.known: dict[Any, Any] = {}
        self._own: OwnVideos | None = None

    def update(self) -> None:
        """Take in the trials that have finished since the last time; ScoresError where scores can't be read."""
        new = [
            trial
            for trial in finished(self.study)
            if trial.number not in self.whole.plans.keys() | self.left_out
        ]
        if new and self._own is None:
            self._own = OwnVideos(self.folder, [trial.number for trial in new])
        for trial in new:
            if self._own and (differences := self._own.differences(trial.number)):
                self.left_out[trial.number] = "; ".join(differences)
            else:
                self._add(trial)

    @property
    def in_order(self) -> bool:
        """Whether the trials came in by their numbers: which of equals stands for both hangs on it."""
        numbers = list(self.whole.plans)
        return numbers == sorted(numbers)

    def _add(self, trial: FrozenTrial) -> None:
        number, plan = trial.number, plan_of(trial)
        self.whole.plans[number] = plan
        calibration = self.scores.of(number, "calibration")
        made = trial.user_attrs.get(MADE)
        for path in (self.folder.trial(number) / name for name in SCORES.values()):
            if calibration.plan_id != plan.plan_id or made not in (None, key_in(path)):
                raise ScoresError(
                    f"is of another training than the record's trial {number}",
                    where=str(path),
                    hint="Put the trial's own files back, or run the study under another --name",
                )
        curve = self.curves[number]
        for part in (self.whole, self.families.setdefault(family_name(plan), Part())):
            part.merging.add(number, curve)
            part.plans[number] = plan
        full = full_inference(calibration)
        if (full.top1, -full.cost) > self._best_full:
            self.most_accurate, self._best_full = number, (full.top1, -full.cost)
        cost, top1 = zip(*self.whole.merging.pairs, strict=True)
        budget = self.under.budget
        dominated = hypervolume(cost, top1, reference_cost=budget) / budget
        self.hypervolumes.append((number, dominated))
        if is_shared(trial):
            self.shared.add(number)
            return
        predicted = read_prediction(one_shot_folder(self.folder), plan)
        if predicted is not None and of_same_videos(predicted, calibration):
            same = self.measure is None
            self.predictions[number] = predicted if same else costed(predicted, plan, calibration.measure)
