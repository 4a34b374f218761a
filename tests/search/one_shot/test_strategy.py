"""The whole one-shot strategy, with real networks on clips made of noise."""

import csv
import os
import signal
import time

import numpy as np
import pytest
import yaml
from optuna.trial import TrialState
from optuna_dashboard import get_note

from dynsearch.errors import RecipeError, StudyError
from dynsearch.frontier import solve_thresholds
from dynsearch.scores import ExitScores
from dynsearch.search.one_shot.strategy import settled
from dynsearch.search.run import run_study
from dynsearch.study.folder import StudyFolder
from dynsearch.study.predictions import agreement, expected_top1, read_prediction
from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.record import finished, is_shared, open_record, plan_of
from dynsearch.training.made import facts_in
from tests.search.one_shot.test_training_and_scoring import CONFIG, SPACE
from tests.search.toy import Silent
from tests.training.fakes import ArraySource
from tests.warm import Warm

RECIPE = {
    "dataset": "motions",
    "max_gflops": 0.008,
    "num_trials": 20,
    "strategy": "one-shot",
    "training": CONFIG.model_dump(mode="json"),
    "one_shot": {
        "epochs": 3,
        "cells_per_step": 4,
        "norm_batches": 2,
        "shared": 1,
        "retrain": 2,
        "finish_epochs": 1,
    },
}


class HarderSource(ArraySource):
    """Clips whose classes are harder to tell apart, so that several plans are worth having."""

    def loader(self, *arguments, **options):
        loader = super().loader(*arguments, **options)
        clips = loader.dataset
        clips.clips[range(len(clips)), :, clips.labels] -= 0.6
        return loader


def run(path, **one_shot):
    (path / "space.yaml").write_text(yaml.safe_dump(SPACE.model_dump(mode="json")))
    settings = {"one_shot": RECIPE["one_shot"] | one_shot, "space": str(path / "space.yaml")}
    recipe = StudyRecipe.model_validate(RECIPE | settings)
    folder = StudyFolder(path / "s")
    observer = Silent()
    results = run_study(recipe, folder, HarderSource(), observer)
    return results, folder, observer


def rows(folder):
    with (folder.path / "frontier.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return run(tmp_path_factory.mktemp("one-shot"))


def alone(folder):
    return [trial for trial in finished(open_record(folder)) if not is_shared(trial)]


def test_what_reaches_the_frontier_says_whose_weights_it_has_and_was_predicted(study):
    results, folder, observer = study
    trials = finished(open_record(folder))
    assert [is_shared(trial) for trial in trials] == [True, False, False]
    screened = {
        trial.user_attrs["plan_id"]
        for trial in open_record(folder, part="screening").get_trials(states=[TrialState.COMPLETE])
    }
    assert {plan_of(trial).plan_id for trial in trials} <= screened
    table = rows(folder)
    assert {row["plan_id"] for row in table} <= {plan_of(trial).plan_id for trial in trials}
    for row in table:
        assert row["weights"] == ("shared" if row["trial"] == "0" else "alone")
        if row["weights"] == "shared":
            assert not row["predicted_top1"]
            continue
        plan = results.plans[int(row["trial"])]
        prediction = read_prediction(folder.path / "one-shot", plan)
        (expected,) = expected_top1(prediction, [float(row["calibration_gflops"])])
        assert float(row["predicted_top1"]) == pytest.approx(expected)
    assert any("one-shot network for test_resnet, 4 frames of 32 px" in note for note in observer.notes)
    assert any("1 keep the network's own weights and 2 are trained alone" in note for note in observer.notes)
    stages = [stage for stage, _, _ in observer.stages]
    assert stages[0] == "order"
    assert "one-shot network" in stages
    assert ("plan", 1, 3) in observer.stages


def test_the_screening_says_that_its_figures_are_predictions(study):
    _, folder, _ = study
    screening = open_record(folder, part="screening")
    assert get_note(screening).startswith("**Predictions, not results.**")
    attributes = screening._storage.get_study_system_attrs(screening._study_id)
    for trial in screening.get_trials(states=[TrialState.COMPLETE]):
        note = "".join(attributes[f"dashboard:{trial._trial_id}:note_str:{i}"] for i in range(1))
        assert f"top-1 {100 * trial.values[0]:.1f}% at" in note
        assert max(len(str(value)) for value in trial.user_attrs.values()) < 120


def test_a_trial_leaves_what_every_trial_leaves(study):
    _, folder, _ = study
    for trial in alone(folder):
        names = {path.name for path in folder.trial(trial.number).iterdir()}
        assert names >= {"plan.yaml", "weights.safetensors", "scores-test.npz", "metrics.jsonl"}
        assert "start.safetensors" not in names


def test_plans_that_begin_with_the_one_shot_weights_are_only_finished(study):
    _, folder, _ = study
    for trial in alone(folder):
        place = folder.trial(trial.number)
        assert len((place / "metrics.jsonl").read_text().splitlines()) == 1 < CONFIG.epochs
        assert facts_in(place / "weights.safetensors")["start"]["epochs"] == 1
    with pytest.raises(StudyError, match=r"one_shot.finish_epochs was 1, now None"):
        run(folder.path.parent, finish_epochs=None)
    assert StudyRecipe.model_validate(RECIPE | {"space": "x"}).plan_epochs == 1
    for value, epochs in ((None, CONFIG.epochs), ("half", -(-CONFIG.epochs // 2))):
        settings = RECIPE | {"space": "x", "one_shot": {"finish_epochs": value}}
        assert StudyRecipe.model_validate(settings).plan_epochs == epochs
    for other in ({"strategy": "retrain"}, {"one_shot": {"finish_epochs": 1, "warm_start": "backbone"}}):
        assert StudyRecipe.model_validate(RECIPE | {"space": "x"} | other).plan_epochs == CONFIG.epochs


def test_the_same_again_changes_nothing_and_more_plans_can_be_added(study):
    results, folder, _ = study
    before = rows(folder), {p: p.stat().st_mtime_ns for p in folder.path.rglob("*.safetensors")}
    run(folder.path.parent)
    assert before == (rows(folder), {p: p.stat().st_mtime_ns for p in folder.path.rglob("*.safetensors")})
    more, _, _ = run(folder.path.parent, retrain=3)
    assert set(results.plans.items()) <= set(more.plans.items())
    assert before[1].items() <= {p: p.stat().st_mtime_ns for p in folder.path.rglob("*.safetensors")}.items()
    assert len(more.plans) == 4


def test_agreement_is_perfect_with_itself_and_unknown_for_few():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    made = {}
    for number, margin in enumerate((0.3, 1.0, 2.0)):
        logits = rng.normal(size=(2, 300, 3)).astype(np.float32)
        logits[:, np.arange(300), labels] += margin
        made[number] = ExitScores.from_logits(logits, labels, np.array([0.1, 0.2]))
    pairs = {number: (scores, scores) for number, scores in made.items()}
    curves = {number: solve_thresholds(scores) for number, scores in made.items()}
    assert agreement(made, pairs, curves) == pytest.approx(1)
    assert np.isnan(agreement(made, {0: pairs[0], 1: pairs[1]}, curves))


def test_the_strategy_is_one_shot_where_it_can_be():
    def recipe(strategy):
        return StudyRecipe.model_validate(RECIPE | {"space": "x", "strategy": strategy})

    mixed = SPACE.model_copy(update={"families": ["grid", "tsn"]})
    assert settled(recipe(None), SPACE).strategy == "one-shot"
    assert settled(recipe(None), mixed).strategy == "retrain"
    assert settled(recipe("retrain"), SPACE).strategy == "retrain"
    with pytest.raises(RecipeError, match="one network can't stand for plans of the family tsn"):
        settled(recipe("one-shot"), mixed)
    folds = {"calibration": "folds"}
    assert settled(recipe("retrain").model_copy(update=folds), SPACE).calibration == "folds"
    with pytest.raises(RecipeError, match="has seen the training videos"):
        settled(recipe(None).model_copy(update=folds), SPACE)


def test_another_one_shot_recipe_is_another_study(study):
    _, folder, _ = study
    with pytest.raises(StudyError, match=r"one_shot.epochs was 3, now 4"):
        run(folder.path.parent, epochs=4)


@pytest.mark.slow
def test_killed_at_any_moment_it_ends_as_if_undisturbed(tmp_path_factory):
    """kill -9 at moments spread over the run, until one run gets through."""
    path = tmp_path_factory.mktemp("killed")
    started = time.monotonic()
    undisturbed, folder, _ = run(tmp_path_factory.mktemp("undisturbed"))
    whole = time.monotonic() - started
    for share in (0.2, 0.4, 0.6):
        process = Warm.calls(run, path)
        time.sleep(share * whole)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    again, killed, _ = run(path)
    assert rows(killed) == rows(folder)
    assert again.plans == undisturbed.plans
    for part in (None, "screening"):
        assert outcomes(killed, part) == outcomes(folder, part)


def outcomes(folder, part):
    trials = open_record(folder, part=part).get_trials(states=[TrialState.COMPLETE])
    return sorted((sorted(trial.params.items()), trial.values) for trial in trials)
