"""The search on costs of steps that are no rectangles."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynsearch.errors import InputError
from dynsearch.frontier.placements import search_placements
from dynsearch.frontier.placements.cells import Cells, Chain, Rules
from dynsearch.frontier.placements.chains import enumerate_chains, improve_chains, measure_chains
from dynsearch.frontier.placements.moves import Moves
from dynsearch.frontier.placements.seeds import seed_chains
from dynsearch.scores import RectangleSteps, StepTable
from dynsearch.thresholds import ExitPolicy, evaluate_policy
from tests.frontier.placements.brute import all_placements, all_points, best_at, costs_of
from tests.frontier.placements.test_moves import random_chain
from tests.frontier.placements.test_search import frontier_of
from tests.scores.grids import as_table, random_grid, random_steps, simulated_grid


def stepped(grid, seed, share_closed=0.0):
    steps = random_steps(np.random.default_rng(seed), grid.num_sets, grid.num_depths, share_closed)
    return replace(grid, steps=steps)


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 10_000), st.sampled_from(["full", "free"]), st.integers(1, 2), st.sampled_from([0, 0.3])
)
def test_a_small_grid_is_solved_exactly(seed, last, min_exits, closed):
    """Against all placements with all thresholds, on 3x3 cells with up to 3 exits."""
    grid = stepped(random_grid(seed, num_videos=11), seed, closed)
    rules = {"min_exits": min_exits, "max_exits": 3, "last": last}
    open_ = [p for p in all_placements(grid, **rules) if costs_of(grid, p)]
    found = search_placements(grid, **rules, num_folds=None)
    got = np.array([(point.cost, point.top1) for point in found]).round(9)
    assert got == pytest.approx(frontier_of([point for p in open_ for point in all_points(grid, p)]))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["full", "free"]), st.sampled_from([0, 0.3]))
def test_every_offer_is_a_placement_and_worth_what_its_policy_achieves(seed, last, closed):
    grid = stepped(random_grid(seed, num_sets=3, num_depths=2, num_videos=40), seed, closed)
    cells = Cells.of(grid, Rules(min_exits=1, max_exits=4, last=last), "max-softmax", 6)
    rng = np.random.default_rng(seed)
    moves = Moves(cells, random_chain(cells, rng), width=1)
    for offers in moves.offers():
        places = list(itertools.product(*map(range, offers.accuracy_XP.shape)))
        for place in rng.permutation(places)[:5].tolist():
            other = offers.chain(*place)
            scores = grid.exit_scores(cells.placement(other))
            point = evaluate_policy(ExitPolicy(cells.thresholds(other)), scores)
            assert point.top1 == pytest.approx(offers.accuracy_XP[*place], abs=1e-12)
            assert point.cost == pytest.approx(offers.cost_XP[*place], rel=1e-9)


@pytest.mark.parametrize("closed", [0, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_changing_one_exit_at_a_time_comes_close_to_enumeration(seed, closed):
    grid = stepped(simulated_grid(400, num_sets=3, num_depths=3, num_classes=8, seed=seed), seed, closed)
    cells = Cells.of(grid, Rules(min_exits=1, max_exits=3, last="free"), "max-softmax", 20)
    budgets = np.linspace(*cells.steps.limits(1), 12)
    exact, improved = (
        best_at([(p.cost, p.top1) for p in measure_chains(cells, found, "max-softmax")], budgets)
        for found in (enumerate_chains(cells), improve_chains(cells, 0.0))
    )
    assert np.mean(exact - improved) < 0.001
    assert np.max(exact - improved) < 0.006


def dyadic(grid):
    """The same grid with costs whose sums are exact, so that no way of summing can differ."""
    trunk_C, head_C = (np.ceil(costs * 512) / 512 for costs in (grid.steps.trunk_C, grid.steps.head_C))
    return replace(grid, steps=RectangleSteps(trunk_C, head_C))


@pytest.mark.parametrize("last", ["full", "free"])
@pytest.mark.parametrize(("size", "max_exits"), [((3, 3), 3), ((5, 4), 5)])
def test_rectangles_written_as_steps_give_the_same_placements(last, size, max_exits):
    """Enumerated, and by changing one exit at a time."""
    num_videos = 24 if size == (3, 3) else 300
    grid = dyadic(simulated_grid(num_videos, num_sets=size[0], num_depths=size[1], num_classes=6, seed=7))
    rules = {"min_exits": 1, "max_exits": max_exits, "last": last, "max_bins": 32, "min_depth": 2}
    one, two = (search_placements(each, **rules) for each in (grid, as_table(grid)))
    assert [p.to_dict() for p in one] == [p.to_dict() for p in two]
    assert len(one.placements) > 2


def test_where_a_step_costs_one_a_point_costs_the_exits_that_a_video_meets():
    grid = simulated_grid(300, num_sets=4, num_depths=3, num_classes=6, seed=3)
    table = random_steps(np.random.default_rng(0), 4, 3).table
    table = np.where(np.isfinite(table), 1.0, np.inf)
    table[0, 3:] = np.inf  # the first exit has seen one set
    grid = replace(grid, steps=StepTable(table))
    found = search_placements(grid, min_exits=1, max_exits=4, num_folds=None)
    for point in found:
        shares = point.chosen.exit_share
        assert point.cost == pytest.approx(np.arange(1, len(shares) + 1) @ shares)
    assert all(point.placement.exits[0].sets == 1 for point in found)
    assert 1 <= found[0].cost < 1.02
    assert len(found) > 5


@pytest.mark.parametrize("last", ["full", "free"])
def test_seeds_go_by_steps_that_are_allowed_and_reach_every_end_that_can_be(last):
    for seed, min_exits in itertools.product(range(20), (1, 2, 3)):
        grid = stepped(random_grid(seed, num_videos=6), seed, share_closed=0.6)
        cells = Cells.of(grid, Rules(min_exits=min_exits, max_exits=4, last=last), "max-softmax", 8)
        seeds = seed_chains(cells)
        possible = {chosen for num_exits in range(min_exits, 5) for chosen in cells.chains_of(num_exits)}
        assert {seed.cells for seed in seeds} <= possible
        assert {seed.cells[-1] for seed in seeds} == {chosen[-1] for chosen in possible}
        assert all(isinstance(seed, Chain) for seed in seeds)


@pytest.mark.parametrize("num_videos", [20, 200])
def test_steps_that_lead_nowhere(num_videos):
    grid = random_grid(0, num_videos=num_videos)
    table = random_steps(np.random.default_rng(0), 3, 3).table.copy()
    table[:, 8] = np.inf
    with pytest.raises(InputError, match="no placement of 2 to 4 exits has a cost for each of its steps"):
        search_placements(replace(grid, steps=StepTable(table)), max_exits=4, num_folds=None)
