"""Early stopping: what goes on at a rung, in the record, on every engine, and after kills."""

import math
import random
import time

import pytest
from optuna.trial import TrialState

from dynsearch.search.evaluator import TrainingEvaluator
from dynsearch.search.halving import is_good, rungs, stopped_at, values
from dynsearch.study.folder import StudyFolder
from dynsearch.study.notes import DashboardNotes
from dynsearch.study.record import plan_of
from dynsearch.study.results import read_results
from dynsearch.training import TrainingConfig
from tests.search.toy import (
    SPACE,
    ToyEvaluator,
    evaluations,
    recipe_and_run,
    run,
    summary,
    toy_top1,
)
from tests.training.fakes import ArraySource
from tests.warm import Warm

ASHA = {"pruner": "asha", "training": {"epochs": 9}, "num_trials": 12, "max_gflops": 1}
TOY = ToyEvaluator(rungs=(1, 3))


@pytest.mark.parametrize(
    ("pruner", "epochs", "number", "expected"),
    [
        ("none", 50, 0, ()),
        ("asha", 50, 7, (5, 16)),
        ("asha", 9, 0, (1, 3)),
        ("asha", 5, 0, (1,)),
        ("asha", 2, 0, ()),
        ("hyperband", 50, 0, (5, 16)),
        ("hyperband", 50, 1, (16,)),
        ("hyperband", 50, 2, ()),
        ("hyperband", 50, 3, (5, 16)),
    ],
)
def test_rungs(pruner, epochs, number, expected):
    assert rungs(pruner, epochs, number) == expected


def test_the_best_third_goes_on():
    assert is_good(0.0, [])
    assert is_good(0.5, [0.5])
    assert not is_good(0.4, [0.5])
    draws = random.Random(0)
    for count in range(1, 32):
        top1s = [draws.random() for _ in range(count)]
        good = [is_good(top1, top1s[:i] + top1s[i + 1 :]) for i, top1 in enumerate(top1s)]
        best = sorted(top1s, reverse=True)[: math.ceil(count / 3)]
        assert [top1 for top1, goes_on in zip(top1s, good, strict=True) if goes_on] == [
            top1 for top1 in top1s if top1 in best
        ]


def replayed(trials):
    """Decide again, from the toy's values alone, in the order in which one process runs its trials."""
    seen, states = {1: [], 3: []}, []
    for trial in trials:
        top1s = {epoch: toy_top1(plan_of(trial), epoch) for epoch in (1, 3)}
        stopped = None
        for epoch, top1 in top1s.items():
            best = sorted([*seen[epoch], top1], reverse=True)
            best = best[: math.ceil(len(best) / 3)]
            seen[epoch].append(top1)
            if top1 not in best:
                stopped = epoch
                break
        states.append((trial.number, stopped))
    return states


def test_trials_are_stopped_as_the_rule_says_and_told_pruned(tmp_path):
    study, observer = run(tmp_path / "s", TOY, **ASHA)
    trials = [trial for trial in study.get_trials() if "refused" not in trial.user_attrs]
    assert len(trials) == 12  # trials that were stopped count as trained
    assert [(t.number, stopped_at(t)) for t in trials] == replayed(trials)
    stopped = [trial for trial in trials if stopped_at(trial) is not None]
    assert 3 <= len(stopped) <= 11
    assert all(trial.state == TrialState.PRUNED and trial.values is None for trial in stopped)
    assert all(trial.constraints["gflops"] <= 0 for trial in stopped)
    assert all(values(t)[1] == toy_top1(plan_of(t), 1) for t in trials)
    assert len([line for line in observer.notes if "stopped after epoch" in line]) == len(stopped)
    assert len({plan_of(trial).plan_id for trial in trials}) == 12


@pytest.mark.slow
def test_killed_at_any_moment_the_study_decides_the_same(tmp_path):
    expected = summary(run(tmp_path / "undisturbed", TOY, **ASHA)[0])
    moments = random.Random(2)
    for _ in range(3):
        driver = Warm.calls(run, tmp_path / "s", TOY, **ASHA)
        seen = len(evaluations(tmp_path / "s"))
        while len(evaluations(tmp_path / "s")) < seen + 2 and driver.poll() is None:
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.2))
        driver.kill()
        driver.wait()
    assert summary(run(tmp_path / "s", TOY, **ASHA)[0]) == expected


def test_real_trainings_measure_top1_at_the_budget_and_train_on_unchanged(tmp_path):
    config = {"epochs": 3, "batch_size": 12, "pretrained": False}
    space = SPACE.model_copy(update={"frames": SPACE.frames[:1]})
    changes = {"training": config, "num_trials": 3, "max_gflops": 1}
    plain = TrainingEvaluator(ArraySource(), TrainingConfig(**config), seed=0)
    pruned = TrainingEvaluator(
        ArraySource(),
        TrainingConfig(**config),
        seed=0,
        recipe=recipe_and_run(pruner="asha", **changes)[0],
    )
    full, _ = run(tmp_path / "full", plain, space, **changes)
    study, _ = run(tmp_path / "s", pruned, space, pruner="asha", **changes)
    assert all(set(values(trial)) == {1} for trial in study.trials)
    assert all(0 <= values(trial)[1] <= 1 for trial in study.trials)
    done = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    assert done
    assert [trial.values for trial in done if trial.number < 2] == [
        full.trials[trial.number].values for trial in done if trial.number < 2
    ]
    for trial in study.trials:
        if trial.state == TrialState.PRUNED:
            assert trial.values is None
            assert not list((tmp_path / "s" / "trials" / str(trial.number)).glob("*.safetensors"))
    results = read_results(study, StudyFolder(tmp_path / "s"), solver="frontier")
    assert set(results.plans) == {trial.number for trial in done} >= {point.key for point in results.points}


def test_a_trials_process_leaves_what_the_driver_would(tmp_path):
    config = {"epochs": 1, "batch_size": 12, "pretrained": False}
    changes = {"training": config, "num_trials": 1, "max_gflops": 1}
    alike = (ArraySource(), TrainingConfig(**config), 0)
    folder = StudyFolder(tmp_path / "by-driver")
    run(folder.path, TrainingEvaluator(*alike), notes=DashboardNotes(folder, 1.0), **changes)
    study, _ = run(
        tmp_path / "by-worker", TrainingEvaluator(*alike, recipe=recipe_and_run(**changes)[0]), **changes
    )
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE]
    left = {path.name for path in (tmp_path / "by-worker/trials/0").iterdir()}
    assert {"frontier-calibration.npz", "frontier.png", "grid.png"} <= left
    for name in left:
        ours, drivers = (tmp_path / who / "trials/0" / name for who in ("by-worker", "by-driver"))
        if ours.suffix in (".png", ".npz"):
            assert ours.read_bytes() == drivers.read_bytes(), name
