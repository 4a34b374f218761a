"""Trials added one by one give what all together give, and each is read once, however many there are."""

from collections import Counter

import numpy as np
import pytest
from optuna.trial import TrialState

from dynsearch.errors import StudyError
from dynsearch.frontier import hypervolume, merge, solve_thresholds
from dynsearch.measures import COUNTED
from dynsearch.scores import ExitScores
from dynsearch.search.proposals import KnownTrials
from dynsearch.study.folder import StudyFolder
from dynsearch.study.frontier_files import LiveFrontier
from dynsearch.study.gathering import Gathering
from dynsearch.study.record import describe_plan, finished, open_record
from dynsearch.study.results import StudyResults, read_results
from dynsearch.thresholds import full_inference
from tests.search.toy import SPACE, InlineEngine, ToyEvaluator, run
from tests.search.toy import recipe as toy_recipe


class Followed:
    """A study whose frontier is looked at after every trial."""

    def __init__(self, path):
        self.folder = StudyFolder(path)
        self.gathering = None
        self.seen = []

    def after_trial(self):
        if self.gathering is None:
            self.gathering = Gathering(open_record(self.folder), self.folder, "frontier")
        self.gathering.update()
        self.seen.append(StudyResults.of(self.gathering))


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    study = Followed(tmp_path_factory.mktemp("gathering") / "s")
    reads = Counter()
    load = ExitScores.load

    def counted(path):
        reads[str(path)] += 1
        return load(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ExitScores, "load", counted)
        run(study.folder.path, ToyEvaluator(fail_on={3}), engine=Fallible, num_trials=8, max_gflops=1,
            after_trial=study.after_trial)  # fmt: skip
    return study, Counter(reads)


class Fallible(InlineEngine):
    """Reports errors as the real engines do."""

    def collect(self, seconds):
        from dynsearch.search.engines import End, Outcome

        job = self.job
        try:
            return super().collect(seconds)
        except ValueError as error:
            return Outcome(job, End.FAILED, error=str(error))


def load_all(folder, numbers):
    return {
        number: tuple(
            ExitScores.load(folder.trial(number) / f"scores-{split}.npz") for split in ("calibration", "test")
        )
        for number in numbers
    }


def test_one_by_one_is_all_together(followed):
    study, _ = followed
    assert len(study.seen) == 7
    last = study.seen[-1]
    scores = load_all(study.folder, last.plans)
    assert last.points == merge(scores)
    assert last.points == read_results(open_record(study.folder), study.folder, solver="frontier").points
    full = {n: full_inference(pair[0]) for n, pair in scores.items()}
    assert last.most_accurate == max(full, key=lambda n: (full[n].top1, -full[n].cost))
    assert last.families["grid"].points == last.points
    assert set(last.scores) == set(scores)
    assert 3 not in last.scores


def test_the_dominated_share_is_that_of_all_trials_so_far(followed):
    study, _ = followed
    scores = load_all(study.folder, study.seen[-1].plans)
    for count, (number, share) in enumerate(study.seen[-1].hypervolumes, start=1):
        points = [point for other in sorted(scores)[:count] for point in solve_thresholds(scores[other][0])]
        cost, top1 = ([getattr(point, name) for point in points] for name in ("cost", "worth"))
        assert number == sorted(scores)[count - 1]
        assert share == pytest.approx(hypervolume(cost, top1, reference_cost=1.0))


def test_an_ended_study_says_the_same_in_whatever_order_its_trials_ended(tmp_path):
    """Two plans reach the very same points: the first trial stands for both, though the second ended first."""
    folder, recipe = StudyFolder(tmp_path / "s"), toy_recipe(max_gflops=1)
    with folder.prepared():
        folder.record(recipe, SPACE)
        study = open_record(folder, create=COUNTED)
    plans = list(SPACE.cheapest_plans())[:1] * 2
    trials = [study.ask(), study.ask()]
    frontier = LiveFrontier(study, folder, recipe)
    with pytest.raises(StudyError, match="no trial has finished yet"):
        frontier.end()
    for trial, plan in [*zip(trials, plans, strict=True)][::-1]:
        describe_plan(trial, plan)
        folder.trial(trial.number).mkdir(parents=True)
        for split in ("calibration", "test"):
            ToyEvaluator.draw(plan, split).save(folder.trial(trial.number) / f"scores-{split}.npz")
        study.tell(trial, (0.5, 0.1))
        assert {point.key for point in frontier.write().points} == {1}
    ended, read = frontier.end(), read_results(study, folder, solver=recipe.solver)
    assert {point.key for point in ended.points} == {0}
    assert (ended.points, ended.hypervolumes) == (read.points, read.hypervolumes)


def test_one_row_is_chosen_the_one_under_the_budget(followed):
    study, _ = followed
    results = study.seen[-1]
    for point in results.points:
        rows = results.rows_under(point.calibration.cost)
        assert [row["chosen"] for row in rows] == [other is point for other in results.points]
        assert list(rows[0])[-3:] == ["chosen", "expected_top1", "doubtful"]
    assert not any(row["chosen"] for row in results.rows_under(0.5 * results.points[0].calibration.cost))


@pytest.mark.reliability(
    "Load",
    "thousands of trials",
    happens="a trial costs the driver as much at the end as at the beginning: its scores are read once, and "
    "the frontier is added to; `benchmarks/load.py` measures it",
)
def test_scores_are_read_once_however_many_trials_follow(followed):
    study, reads = followed
    calibration = [count for path, count in reads.items() if path.endswith("scores-calibration.npz")]
    assert calibration == [1] * 7
    on_frontier = {point.key for seen in study.seen for point in seen.points}
    read = {path for path in reads if path.endswith("scores-test.npz")}
    assert read == {str(study.folder.trial(number) / "scores-test.npz") for number in on_frontier}


def test_what_is_known_of_the_trials_is_what_the_record_says(tmp_path):
    study = open_record(StudyFolder(tmp_path), create=COUNTED)
    known, rng, live = KnownTrials(study), np.random.default_rng(0), []
    for _ in range(60):
        if live and rng.random() < 0.5:
            trial = live.pop(rng.integers(len(live)))
            state = [TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED][rng.integers(3)]
            study.tell(trial, (0.5, 1.0) if state == TrialState.COMPLETE else None, state=state)
        else:
            trial = study.ask()
            if rng.random() < 0.8:
                trial.set_user_attr("plan_id", f"plan{len(study.trials)}")
            live.append(trial)
        if rng.random() < 0.4:
            continue
        known.update()
        taken = study.get_trials(states=[TrialState.COMPLETE, TrialState.FAIL, TrialState.RUNNING])
        assert known.num_taken == len(taken)
        assert [t.number for t in known.running()] == sorted(t.number for t in live)
        for other in taken:
            if "plan_id" in other.user_attrs:
                assert known.with_plan(other.user_attrs["plan_id"]) == other.number
    assert finished(study)
