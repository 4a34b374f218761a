"""Budgets that can't be kept or are no budget, through the commands."""

import numpy as np
import pytest

from dynsearch.errors import RecipeError
from dynsearch.study.recipe_file import load_recipe
from tests.cli.runner import dynsearch_here
from tests.thresholds.tables import random_scores


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scores")
    random_scores(0, num_videos=200).save(folder / "s.npz")
    return folder


@pytest.mark.reliability(
    "Numbers",
    "a budget of zero, below zero, NaN, infinite or a text",
    happens="is refused with exit code 2",
    sees="`must be a number of GFLOPs above zero, got ...`",
)
@pytest.mark.parametrize("budget", ["0", "-1", "nan", "inf", "-inf", "forty", "1e400", ""])
def test_calibrate_refuses_what_is_no_budget(scores, budget):
    done = dynsearch_here("calibrate", "s.npz", "--max-gflops", budget, cwd=scores, code=2)
    assert len(done.err) < 600


@pytest.mark.reliability("Numbers", "a budget of zero, below zero, NaN, infinite or a text")
@pytest.mark.parametrize("budget", [0, -1, float("nan"), float("inf"), "forty", True, 10**400])
def test_studies_refuse_what_is_no_budget(budget):
    with pytest.raises(RecipeError, match="max_gflops"):
        load_recipe("motions", overrides={"max_gflops": budget})[0]


@pytest.mark.reliability("Numbers", "a budget below the cheapest exit")
@pytest.mark.parametrize("more", [[], ["--safe"], ["--solver", "risk"]])
def test_calibrate_names_the_cheapest_point(scores, more):
    done = dynsearch_here("calibrate", "s.npz", "--max-gflops", 0.001, *more, cwd=scores, code=2)
    assert "max_gflops=0.001 is below the cheapest point, " in done.err
    assert "Give at least" in done.err


@pytest.mark.reliability("Numbers", "a budget above the dearest exit")
def test_calibrate_with_a_budget_for_everything_takes_the_best_point(scores):
    done = dynsearch_here("calibrate", "s.npz", "--max-gflops", 1e6, "--json", cwd=scores)
    assert done.json["point"]["top1"] == max(point["top1"] for point in done.json["frontier"])
    assert np.isfinite(done.json["point"]["gflops"])
