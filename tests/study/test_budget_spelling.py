"""A budget that is spelled by another measure than the shipped one, in recipes."""

import pytest

from dynsearch.cli.options import budget_of
from dynsearch.errors import InputError, RecipeError
from dynsearch.measures import COST_MEASURES, CostMeasure
from dynsearch.study.recipe_file import load_recipe

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
        (["max_joules=3", "max_gflops=1"], "max_gflops and max_joules are two budgets; give one"),
        (["max_joules=-1"], r"max_joules: Input should be greater than 0 \(got -1\)"),
        (["max_furlongs=3"], "max_furlongs: unknown field"),
        (["budget=3"], "budget: unknown field"),
        (["measure=ms"], "measure: unknown field"),
    ],
)
def test_what_is_no_budget_is_refused(joules, settings, message):
    with pytest.raises(RecipeError, match=message):
        load_recipe("motions", settings=settings)


def test_a_study_in_another_measure_takes_no_gflops(joules):
    recipe, _ = load_recipe("motions", settings=["max_joules=3"])
    assert (budget_of(recipe, None, None), budget_of(recipe, None, 7.0)) == (3, 7)
    with pytest.raises(InputError, match="costs here are in J, not in gflops"):
        budget_of(recipe, 7.0, None)
    assert budget_of(load_recipe("motions")[0], 7.0, None) == 7
