"""A budget that is spelled by another measure than the shipped one, in recipes."""

import pytest

from dynsearch.cli.options import under
from dynsearch.errors import InputError, RecipeError
from dynsearch.measures import COST_MEASURES, CostMeasure
from dynsearch.study.recipe_file import load_recipe, split_settings

TESTS = ("dynsearch.study.recipe", "dynsearch.study.recipe_file")


@pytest.fixture
def joules(monkeypatch):
    measure = CostMeasure("joules", "J", costs=lambda plan, num_classes: [1.0] * len(plan.exits))
    monkeypatch.setitem(COST_MEASURES._values, "joules", measure)
    return measure


def test_a_budget_that_is_given_stands_for_the_files(joules):
    recipe, _ = load_recipe("motions", settings=["max_joules=3"])
    assert (recipe.budget, recipe.measure) == (3, joules)
    assert recipe.resolved()["max_joules"] == 3
    assert not {"max_gflops", "budget", "measure"} & recipe.resolved().keys()
    again, _ = load_recipe("motions", settings=["max_joules=3"], overrides={"budget": 4})
    assert (again.budget, again.measure) == (4, joules)
    assert recipe.model_copy(update={"budget": 5}).resolved()["max_joules"] == 5
    assert load_recipe("motions")[0].resolved()["max_gflops"] == load_recipe("motions")[0].budget


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["max_joules=3", "max_gflops=-1"], r"limits.max_gflops: Input should be greater than 0 \(got -1\)"),
        (["max_ms=3", "ms.batch=0"], "ms.batch: Input should be greater than or equal to 1"),
        (["max_gflops=3", "max_p95_ms=2"], "max_p95_ms goes with max_ms"),
        (["max_joules=-1"], r"max_joules: Input should be greater than 0 \(got -1\)"),
        (["max_furlongs=3"], "max_furlongs: unknown field"),
        (["budget=3"], "budget: unknown field"),
        (["measure=ms"], "measure: unknown field"),
    ],
)
def test_what_is_no_budget_is_refused(joules, settings, message):
    with pytest.raises(RecipeError, match=message):
        load_recipe("motions", settings=settings)


def test_of_several_budgets_all_are_kept_in_the_recipe(joules):
    recipe, _ = load_recipe("motions", settings=["max_joules=3", "max_gflops=1"])
    assert (recipe.budget, recipe.measure, recipe.limits) == (3, joules, {"max_gflops": 1})
    assert {"max_joules": 3, "max_gflops": 1}.items() <= recipe.resolved().items()
    assert "limits" not in recipe.resolved()
    assert split_settings(recipe.resolved())[0] == recipe
    timed, _ = load_recipe("motions", settings=["max_gflops=1", "max_p95_ms=9", "max_ms=5", "ms.batch=2"])
    assert (timed.budget, timed.measure.name, timed.measure.costs.asked.batch) == (5, "ms", 2)
    assert timed.limits == {"max_gflops": 1, "max_p95_ms": 9}
    assert split_settings(timed.resolved())[0] == timed
    assert "ms" not in recipe.resolved() | load_recipe("motions")[0].resolved()


def test_what_is_asked_of_a_study_says_the_measure(joules):
    recipe, _ = load_recipe("motions", settings=["max_joules=3"])

    def asked(**given):
        none = dict.fromkeys(
            ("budget", "any_budget", "max_ms", "max_p95_ms", "measure", "device", "batch", "runtime")
        )
        found, limit = under(recipe, none | {"accept": False} | given)
        return limit, found and (found.measure.name, found.limits, found.kind_of_results)

    assert asked() == (3, None)
    assert asked(any_budget=7.0) == (7, None)
    assert asked(budget=7.0) == (7, ("gflops", {}, "-gflops"))
    assert asked(max_ms=7.0) == (7, ("ms", {}, "-ms"))
    assert asked(max_ms=7.0, budget=2.0) == (7, ("ms", {"max_gflops": 2}, "-ms"))
    assert asked(max_ms=7.0, budget=2.0, measure="gflops") == (2, ("gflops", {"max_ms": 7}, "-gflops"))
    assert asked(budget=2.0, measure="joules") == (3, ("joules", {"max_gflops": 2}, "-within"))
    assert asked(measure="ms") == (None, ("ms", {}, "-ms"))
    assert asked(measure="ms", any_budget=4.0) == (4, ("ms", {}, "-ms"))
    for wrong in ({"device": "cpu"}, {"accept": True}, {"max_ms": 2.0, "any_budget": 1.0, "measure": "ms"}):
        with pytest.raises(InputError):
            asked(**wrong)
