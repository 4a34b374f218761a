import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynsearch.errors import InfeasibleBudgetError, InputError, ScoresError
from dynsearch.frontier import pareto_mask, solve_thresholds
from dynsearch.frontier.placements import chains, search_placements
from dynsearch.frontier.placements.cells import Cells, Rules
from dynsearch.frontier.placements.chains import enumerate_chains, improve_chains, measure_chains
from dynsearch.plan import ExitPlacement
from dynsearch.scores import RectangleSteps, ScoreGrid
from dynsearch.thresholds import evaluate_policy
from tests.frontier.placements.brute import all_placements, all_points, best_at
from tests.scores.grids import random_grid, simulated_grid


def budgets_of(grid, num=12):
    first, last = grid.steps.trunk_C[[0, -1]]
    return first + np.linspace(0.02, 0.9, num) * (last - first)


def frontier_of(points):
    cost, top1 = np.array(points).T
    kept = pareto_mask(cost.round(12), top1)
    return np.unique(np.column_stack([cost, top1])[kept].round(9), axis=0)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["full", "free"]), st.integers(1, 2), st.integers(1, 2))
def test_a_small_grid_is_solved_exactly(seed, last, min_exits, min_depth):
    """Against all placements with all thresholds, on 3x3 cells with up to 3 exits."""
    grid = random_grid(seed, num_videos=11)
    rules = {"min_exits": min_exits, "max_exits": 3, "min_depth": min_depth, "last": last}
    found = search_placements(grid, **rules, num_folds=None)
    everything = [point for p in all_placements(grid, **rules) for point in all_points(grid, p)]
    got = np.array([(point.cost, point.top1) for point in found]).round(9)
    assert got == pytest.approx(frontier_of(everything))


@pytest.mark.parametrize("last", ["full", "free"])
def test_threshold_quantiles_are_solved_exactly(last):
    """With more videos, thresholds between equal parts of each cell's confidences."""
    grid = random_grid(3, num_videos=120, num_classes=6)
    found = search_placements(
        grid, min_exits=1, max_exits=3, last=last, smoothing=0, max_bins=8, num_folds=None
    )
    everything = [
        point for p in all_placements(grid, last=last) for point in all_points(grid, p, quantiles=8)
    ]
    got = np.array([(point.cost, point.top1) for point in found]).round(9)
    assert got == pytest.approx(frontier_of(everything))


@pytest.mark.parametrize("seed", range(3))
def test_changing_one_exit_at_a_time_comes_close_to_enumeration(seed):
    grid = simulated_grid(400, num_sets=3, num_depths=3, num_classes=8, seed=seed)
    cells = Cells.of(grid, Rules(min_exits=1, max_exits=3, last="free"), "max-softmax", 20)
    budgets = budgets_of(grid)
    exact, improved = (
        best_at([(p.cost, p.top1) for p in measure_chains(cells, found, "max-softmax")], budgets)
        for found in (enumerate_chains(cells), improve_chains(cells, 0.0))
    )
    assert np.mean(exact - improved) < 0.001
    assert np.max(exact - improved) < 0.006


def test_more_videos_than_needed_are_searched_on_a_sample_and_measured_on_all(monkeypatch):
    grid = simulated_grid(1500, num_sets=3, num_depths=3, num_classes=8, seed=3)
    rules = {"max_exits": 3, "max_bins": 32, "num_folds": None}
    whole = search_placements(grid, **rules)
    monkeypatch.setattr(chains, "_MAX_SEARCHED_VIDEOS", 500)
    sampled = search_placements(grid, **rules)
    assert {point.chosen.num_videos for point in sampled} == {1500}
    budgets = budgets_of(grid)
    one, two = (best_at([(p.cost, p.top1) for p in found], budgets) for found in (whole, sampled))
    assert 0 < np.mean(one - two) < 0.01


def test_no_worse_than_solving_the_thresholds_of_every_placement():
    """Every placement of up to 3 exits on 4x3 cells, each with the thresholds of the frontier solver."""
    grid = simulated_grid(300, num_sets=4, num_depths=3, num_classes=10, seed=5)
    budgets = budgets_of(grid)
    found = search_placements(grid, min_exits=1, max_exits=3, num_folds=None)
    points = [
        (p.cost, p.top1)
        for placement in all_placements(grid, max_exits=3, last="full")
        for p in solve_thresholds(grid.reduced_scores(placement))
    ]
    exhaustive = best_at(points, budgets)
    ours = best_at([(p.cost, p.top1) for p in found], budgets)
    assert np.mean(exhaustive - ours) < 0.001


@pytest.fixture(scope="module")
def searched():
    grid = simulated_grid(500, num_sets=4, num_depths=4, num_classes=10, seed=1)
    found = search_placements(grid, min_exits=2, max_exits=4, min_depth=2, last="free", max_bins=64)
    return grid, found


def test_points_are_what_their_policies_achieve(searched):
    grid, found = searched
    for point in found[:: len(found) // 10]:
        point_again = evaluate_policy(point.chosen.policy, grid.exit_scores(point.placement))
        assert (point_again.top1, point_again.cost) == (point.top1, point.cost)
        assert point_again.exit_share == point.chosen.exit_share


def test_points_keep_the_rules_and_rise(searched):
    _, found = searched
    for point in found:
        assert 2 <= len(point.placement) == len(point.thresholds) <= 4
        assert min(exit_.depth for exit_ in point.placement.exits) >= 2
    assert all(np.diff([p.cost for p in found]) > 0)
    assert all(np.diff([p.top1 for p in found]) > 0)
    assert set(found.placements) == {point.placement for point in found}
    assert found.order == "simulated"


def test_under_a_budget_and_thinned(searched):
    _, found = searched
    best = found.best_under(found[7].cost)
    assert best is found[7]
    with pytest.raises(InfeasibleBudgetError):
        found.best_under(found[0].cost / 2)
    thin = found.thin(5)
    assert len(thin) == 5
    assert (thin[0], thin[-1]) == (found[0], found[-1])
    assert all(point in list(found) for point in thin)
    values = best.to_dict()
    assert values["exits"] == [str(exit_) for exit_ in best.placement.exits]
    assert values["expected_top1"] == best.expected.top1


def test_the_order_of_videos_and_the_scale_of_cost_do_not_matter(searched):
    grid, _ = searched
    rules = {"max_exits": 3, "max_bins": 32, "num_folds": None}
    one = search_placements(grid, **rules)
    shuffled = grid.select(np.random.default_rng(0).permutation(grid.num_videos))
    assert [p.to_dict() for p in search_placements(shuffled, **rules)] == [p.to_dict() for p in one]
    steps = RectangleSteps(grid.steps.trunk_C * 1024, grid.steps.head_C * 1024)
    dear = ScoreGrid(logits_SMNK=grid.logits_SMNK, labels_N=grid.labels_N, steps=steps)
    scaled = search_placements(dear, **rules)
    assert [(p.placement, p.thresholds) for p in scaled] == [(p.placement, p.thresholds) for p in one]


def test_a_mapped_half_precision_grid_gives_the_same_as_one_in_memory(tmp_path):
    def create(**arguments):
        return ScoreGrid.create(tmp_path / "grid", **arguments)

    mapped = simulated_grid(100, num_sets=3, num_depths=2, create=create)
    grid = ScoreGrid(
        logits_SMNK=np.array(mapped.logits_SMNK),
        labels_N=mapped.labels_N,
        steps=mapped.steps,
    )
    one, two = (search_placements(g, max_exits=3, confidence="margin", max_bins=16) for g in (mapped, grid))
    assert [p.to_dict() for p in one] == [p.to_dict() for p in two]
    assert {p.chosen.policy.confidence for p in one} == {"margin"}


def test_a_dead_cell_is_never_used():
    """A cell that is always sure and never right, where its head costs something."""
    grid = simulated_grid(300, num_sets=3, num_depths=3, num_classes=6, seed=2)
    logits = np.array(grid.logits_SMNK)
    logits[1, 1] = 50 * np.eye(6)[(grid.labels_N + 1) % 6]
    dead = ScoreGrid(logits_SMNK=logits, labels_N=grid.labels_N, steps=grid.steps)
    found = search_placements(dead, max_exits=4, num_folds=None, max_bins=64)
    assert all("2x2" not in str(placement).split() for placement in found.placements)


def test_one_cell():
    grid = random_grid(0, num_sets=1, num_depths=1, num_videos=2)
    (point,) = search_placements(grid, min_exits=1, num_folds=None)
    assert point.placement == ExitPlacement.of("1x1")
    assert point.cost == pytest.approx(grid.steps.trunk_C[0] + grid.steps.head_C[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"min_exits": 0}, "1 <= min_exits <= max_exits"),
        ({"min_exits": 3, "max_exits": 2}, "1 <= min_exits <= max_exits"),
        ({"min_exits": 6}, "at most 5 exits, not 6"),
        ({"min_depth": 4}, r"no cell of the grid has a depth in 4\.\.3; it has 1\.\.3"),
        ({"last": "first"}, "last must be 'full' or 'free'"),
        ({"smoothing": -1}, "smoothing must be 0 or more"),
        ({"max_bins": 1}, "max_bins must be at least 2"),
        ({"num_folds": 1}, "at least 2 folds"),
        ({"num_folds": 30}, "at least 2 folds and as many videos, got 30 of 24"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        search_placements(random_grid(0), **arguments)


def test_an_unknown_measure():
    with pytest.raises(ScoresError, match="there is no confidence measure 'luck'"):
        search_placements(random_grid(0), confidence="luck")
