"""The driver on a real SQLite record with a toy evaluator."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from optuna.trial import FixedTrial, TrialState

from dynsearch.errors import DynsearchError, InfeasibleBudgetError, StudyError, StudyFailedError, WeightsError
from dynsearch.families import cost_table
from dynsearch.measures import COUNTED
from dynsearch.study.folder import StudyFolder
from dynsearch.study.record import finished, open_record, plan_of
from dynsearch.study.results import read_results, spread
from tests.search.toy import NUM_CLASSES, SPACE, ToyEvaluator, evaluated, recipe, run, summary


class NoWeights:
    def __call__(self, job, monitor):
        raise WeightsError("there is no such weights file", where="w.pth", hint="Look elsewhere")


def test_trains_the_number_of_plans_asked_for_and_none_twice(tmp_path):
    study, _ = run(tmp_path / "s", num_trials=12)
    plans = [plan_of(trial) for trial in finished(study)]
    assert len(plans) == 12
    assert len({plan.plan_id for plan in plans}) == 12
    assert [t for t in study.get_trials() if t.state == TrialState.RUNNING] == []


def test_the_record_holds_what_a_dashboard_shows(tmp_path):
    study, _ = run(tmp_path / "s")
    trial = finished(study)[0]
    plan = plan_of(trial)
    assert study.metric_names == ["top1", "gflops"]
    assert 0 <= trial.values[0] <= 1
    assert trial.values[1] <= 0.05
    assert trial.user_attrs["exits"] == str(plan.exits)
    assert len(trial.user_attrs["thresholds"]) == len(plan.exits) - 1
    assert sum(trial.user_attrs["exit_share"]) == pytest.approx(1, abs=1e-3)
    excess = cost_table(plan, NUM_CLASSES).cost_E[0] - 0.05
    assert trial.constraints["gflops"] == pytest.approx(excess)
    assert trial.system_attrs["constraints"] == [pytest.approx(excess)]


def test_plans_whose_cheapest_exit_is_over_the_budget_are_never_trained(tmp_path):
    study, observer = run(tmp_path / "s", max_gflops=0.01, num_trials=5)
    refused = [t for t in study.get_trials() if t.state == TrialState.PRUNED and t.constraints["gflops"] > 0]
    assert refused
    assert not {t.number for t in refused} & set(evaluated(tmp_path / "s"))
    refused_plans = [SPACE.sample(FixedTrial(trial.params)) for trial in refused]
    assert all(cost_table(plan, NUM_CLASSES).cost_E[0] > 0.01 for plan in refused_plans)
    assert all(t.values[1] <= 0.01 for t in finished(study))
    assert any("cheapest exit" in reason for _, reason in observer.refusals)


@pytest.mark.reliability(
    "Numbers",
    "a budget below the cheapest exit",
    happens="is refused before anything is trained",
    sees="`max_gflops=... is below the cheapest point, ... GFLOPs per video`",
)
def test_a_budget_below_every_exit_names_the_cheapest(tmp_path):
    with pytest.raises(InfeasibleBudgetError, match="max_gflops=0.001 is below the cheapest point") as caught:
        run(tmp_path / "s", max_gflops=0.001)
    assert 0.001 < caught.value.cheapest < 0.01
    assert caught.value.exit_code == 2


def test_a_space_with_fewer_plans_than_trials_ends(tmp_path):
    small = SPACE.model_copy(
        update={"frames": SPACE.frames[:1], "exits": SPACE.exits.model_copy(update={"max_exits": 1})}
    )
    study, observer = run(tmp_path / "s", space=small, num_trials=6)
    assert len(finished(study)) == 2  # two orders, one exit placement
    assert observer.was_exhausted
    assert any("the same plan as trial" in reason for _, reason in observer.refusals)


def test_a_failed_trial_is_recorded_and_the_study_goes_on(tmp_path):
    study, observer = run(tmp_path / "s", ToyEvaluator(fail_on={1}), max_gflops=1)
    failed = study.trials[1]
    assert failed.state == TrialState.FAIL
    assert failed.user_attrs["error"] == "ValueError: no such thing"
    assert (1, "ValueError: no such thing") in observer.ends
    assert len(finished(study)) == 5


def test_a_study_in_which_everything_failed_says_why(tmp_path):
    with pytest.raises(
        StudyFailedError, match="every trial failed; the last: ValueError: no such thing"
    ) as caught:
        run(tmp_path / "s", ToyEvaluator(fail_on=range(100)))
    assert caught.value.exit_code == 1


def test_a_users_mistake_ends_the_study_and_spoils_no_trial(tmp_path):
    with pytest.raises(WeightsError, match="w.pth: there is no such weights file. Look elsewhere"):
        run(tmp_path / "s", NoWeights())
    study, _ = run(tmp_path / "s")
    assert summary(study) == summary(run(tmp_path / "undisturbed")[0])


@pytest.mark.reliability(
    "Determinism", "the same seed twice", happens="the same proposals, values and states in the same order"
)
def test_the_same_seed_proposes_the_same_plans(tmp_path):
    a, b = (run(tmp_path / name, num_trials=8)[0] for name in "ab")
    other, _ = run(tmp_path / "c", num_trials=8, seed=4)
    assert summary(a) == summary(b)
    assert summary(a) != summary(other)


def test_more_trials_can_be_added_later(tmp_path):
    run(tmp_path / "s", num_trials=3)
    study, _ = run(tmp_path / "s", num_trials=5)
    assert len(finished(study)) == 5


def test_max_hours_begins_no_further_trial(tmp_path):
    run(tmp_path / "s", num_trials=1)
    study, _ = run(tmp_path / "s", num_trials=5, max_hours=1e-9)
    assert len(finished(study)) == 1


class TestResults:
    @pytest.fixture(scope="class")
    @staticmethod
    def study(tmp_path_factory):
        path = tmp_path_factory.mktemp("studies") / "s"
        study, _ = run(path, max_gflops=1)
        return study, StudyFolder(path)

    @pytest.mark.parametrize("solver", ["geometric", "frontier"])
    def test_points_are_chosen_on_calibration_and_measured_on_test(self, study, solver):
        results = read_results(*study, solver=solver)
        costs = [point.calibration.cost for point in results.points]
        top1s = [point.calibration.top1 for point in results.points]
        assert costs == sorted(costs)
        assert top1s == sorted(top1s)
        for point in results.points:
            calibration, test = results.scores[point.key]
            assert point.calibration.policy.plan_id == results.plans[point.key].plan_id
            assert point.calibration.evaluate(calibration) == point.calibration
            assert point.calibration.evaluate(test) == point.test
            assert point.test_interval.low <= point.test.top1 <= point.test_interval.high

    def test_rows_have_the_contracts_columns(self, study):
        rows = read_results(*study, solver="geometric").rows()
        assert list(rows[0])[:15] == [
            "trial", "plan_id", "family", "backbone", "num_frames", "exits", "frame_order", "thresholds",
            "calibration_top1", "calibration_gflops", "test_top1", "test_gflops", "test_top1_low", "test_top1_high",
            "test_top5",
        ]  # fmt: skip
        assert json.dumps(rows)

    def test_best_under_a_budget(self, study):
        results = read_results(*study, solver="geometric")
        for budget in (results.points[0].calibration.cost, 0.02, 0.05, 10):
            best = results.best_under(budget)
            inside = [p.calibration.top1 for p in results.points if p.calibration.cost <= budget]
            assert best.calibration.top1 == max(inside)
        with pytest.raises(InfeasibleBudgetError):
            results.best_under(1e-6)

    def test_the_saving_is_against_sending_every_video_to_the_end(self, study):
        results = read_results(*study, solver="geometric")
        saving = results.saving
        calibration, test = results.scores[saving.full_trial]
        assert saving.full_cost == pytest.approx(test.cost_E[-1])
        assert saving.full_top1 == pytest.approx(test.correct()[-1].mean())
        assert saving.point.calibration.top1 >= calibration.correct()[-1].mean()
        difference = saving.point.test.top1 - saving.full_top1
        assert saving.difference.low <= difference <= saving.difference.high

    def test_spread_keeps_both_ends(self, study):
        points = read_results(*study, solver="geometric").points
        shown = spread(points, 4)
        assert (shown[0], shown[-1]) == (points[0], points[-1])
        assert len(shown) <= 4

    def test_spread_shows_more_of_the_accurate_end(self):
        """The gaps to the best are a geometric row, a point of top-1 added."""
        worths = np.linspace(0.4, 0.95, 2001)
        points = [SimpleNamespace(calibration=SimpleNamespace(worth=worth)) for worth in worths]
        gaps = [0.96 - point.calibration.worth for point in spread(points, 12)]
        assert gaps == pytest.approx(np.geomspace(0.56, 0.01, 12), abs=3e-4)

    def test_no_trials_no_results(self, tmp_path):
        folder = StudyFolder(tmp_path)
        with pytest.raises(StudyError, match="no trials yet"):
            open_record(folder)
        folder.record(recipe(), SPACE)
        with pytest.raises(DynsearchError, match="no trial has finished"):
            read_results(open_record(folder, create=COUNTED), folder, solver="geometric")
