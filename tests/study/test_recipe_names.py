"""Every name in a recipe is looked up when it is read: nothing is trained for a misspelt one."""

import time

import numpy as np
import pytest
import yaml

from dynsearch import plugins
from dynsearch.errors import InputError, RecipeError
from dynsearch.frontier import solve_thresholds
from dynsearch.scores import ExitScores
from dynsearch.study.recipe_file import load_recipe
from dynsearch.study.saved_frontiers import FILE, solved_once
from tests.cli.runner import dynsearch


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("solver=nonsens", "solver: there is no threshold solver 'nonsens' (Known: frontier, "),
        ("solver=fronteir", "(Did you mean frontier? Known: "),
        ("thresholds.solver=fronteir", "(Did you mean frontier? Known: "),
        ("thresholds.confidence=sure", "confidence: there is no confidence measure 'sure'"),
        (
            "thresholds.options={smooth: 1}",
            "thresholds.options: smooth is no option of frontier (known: smoothing, max_bins)",
        ),
        ("thresholds.options={smoothing: -1}", "{'smoothing': -1}: smoothing must be 0 or more, got -1"),
        ("thresholds.options={smoothing: much}", "thresholds.options: frontier can't take"),
        ("thresholds.soler=frontier", "thresholds"),
        ("dataset=motoins", "dataset: there is no data set 'motoins' (Did you mean motions? Known: "),
        ("dataset=motions@5", "dataset: motions has no variants"),
        ("dataset=ucf101@9", "dataset: ucf101 has no split '9'"),
        ("space=nowhere", "space: there is no search space 'nowhere' (Shipped: "),
        ("confidence=luck", "confidence: there is no confidence measure 'luck' (Known: max-softmax, "),
    ],
)
def test_a_wrong_name_is_refused_with_those_there_are(setting, says):
    with pytest.raises(RecipeError) as caught:
        load_recipe("motions", settings=[setting])
    assert says in str(caught.value)


def test_all_wrong_names_and_fields_are_in_one_message(tmp_path):
    (tmp_path / "space.yaml").write_text("backbones: []\n")
    with pytest.raises(RecipeError) as caught:
        load_recipe(
            "motions",
            settings=["solver=x", "dataset=y", "confidence=z", "seed=-1", f"space={tmp_path}/space.yaml"],
        )
    for said in (
        "seed: ",
        "threshold solver 'x'",
        "data set 'y'",
        "measure 'z'",
        "backbones: ",
        "exits: is missing",
    ):
        assert said in str(caught.value)


@pytest.mark.parametrize("name", ["max-softmax", "margin", "patience", "learned-gain"])
def test_measures_that_thresholds_can_be_solved_for_are_taken(name):
    assert load_recipe("motions", settings=[f"confidence={name}"])[0].confidence == name


def test_the_command_refuses_a_wrong_solver_at_once(tmp_path):
    started = time.monotonic()
    told = dynsearch("study", "--dataset", "motions", "--set", "solver=nonsens", cwd=tmp_path, code=2)
    assert "there is no threshold solver 'nonsens'" in told.err
    assert list(tmp_path.iterdir()) == []
    assert time.monotonic() - started < 60  # that it takes a second is a matter of benchmarks


def test_a_recipe_brings_its_modules_and_a_bundles_recipe_does_not(tmp_path, monkeypatch):
    monkeypatch.setattr(plugins, "_imported", {})
    own = tmp_path / "own_solver_of_a_recipe.py"
    own.write_text(
        "from dynsearch import SOLVERS\nfrom dynsearch.thresholds import shared\nSOLVERS.register('own', shared)\n"
    )
    values = load_recipe("motions")[0].resolved() | {"solver": "own", "plugins": [str(own)]}
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(InputError, match=r"not imported: 'own_solver_of_a_recipe\.py'.*--plugin"):
        load_recipe(str(tmp_path / "r.yaml"), from_bundle=True)
    assert load_recipe(str(tmp_path / "r.yaml"))[0].plugins == (str(own),)
    assert load_recipe(str(tmp_path / "r.yaml"), from_bundle=True)[0].solver == "own"


def test_a_saved_frontier_is_of_one_measure(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 300)
    logits = rng.normal(size=(3, 300, 5)).astype(np.float32)
    logits[:, np.arange(300), labels] += np.array([0.5, 1.0, 2.0])[:, None]
    scores = ExitScores.from_logits(logits, labels, np.array([1.0, 2.0, 3.0]))
    for confidence in (None, "margin", "max-softmax", "patience"):
        for _ in range(2):
            found = solved_once(tmp_path, scores, "frontier", confidence)
            assert list(found) == list(solve_thresholds(scores, confidence=confidence))
            assert (tmp_path / FILE).is_file()


def test_the_section_thresholds_spells_the_solver_its_options_and_auto(tmp_path):
    file = tmp_path / "own.yaml"
    base = "dataset: motions\nspace: motions\nmax_gflops: 1\n"
    file.write_text(f"{base}thresholds: {{solver: geometric, confidence: auto, options: {{qs: [0.5, 1]}}}}\n")
    recipe, _ = load_recipe(str(file))
    assert (recipe.solver, recipe.confidence, recipe.solver_options) == (
        "geometric",
        "auto",
        {"qs": [0.5, 1]},
    )
    assert load_recipe(str(file), overrides={"confidence": "margin"})[0].confidence == "margin"
    again, _ = load_recipe(
        str(file), settings=["thresholds.solver=frontier", "thresholds.options={max_bins: 64}"]
    )
    assert (again.solver, again.solver_options) == ("frontier", {"max_bins": 64})
    file.write_text(f"{base}solver: shared\nthresholds: {{solver: geometric}}\n")
    with pytest.raises(RecipeError, match=r"solver and thresholds\.solver are one"):
        load_recipe(str(file))
