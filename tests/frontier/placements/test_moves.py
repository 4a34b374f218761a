import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynsearch.frontier.placements.cells import Cells, Chain, Rules
from dynsearch.frontier.placements.moves import Moves
from dynsearch.frontier.placements.seeds import seed_chains
from dynsearch.thresholds import ExitPolicy, evaluate_policy
from tests.scores.grids import random_grid

rules = st.builds(
    lambda low, more, last: Rules(min_exits=low, max_exits=low + more, last=last),
    st.integers(1, 2),
    st.integers(0, 2),
    st.sampled_from(["full", "free"]),
)


def random_chain(cells, rng):
    counts = range(cells.rules.min_exits, cells.rules.max_exits + 1)
    choices = [chosen for num_exits in counts if (chosen := list(cells.chains_of(num_exits)))]
    chosen = choices[rng.integers(len(choices))]
    cell_E = chosen[rng.integers(len(chosen))]
    return Chain(cell_E, tuple(rng.integers(0, cells.num_positions, len(cell_E) - 1).tolist()))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), rules)
def test_every_offer_is_worth_what_its_policy_achieves(seed, rules):
    grid = random_grid(seed, num_sets=3, num_depths=2, num_videos=40)
    cells = Cells.of(grid, rules, "max-softmax", 6)
    rng = np.random.default_rng(seed)
    chain = random_chain(cells, rng)
    moves = Moves(cells, chain, width=1)
    checked = [(chain, *moves.value)]
    for offers in moves.offers():
        places = itertools.product(*map(range, offers.accuracy_XP.shape))
        for place in rng.permutation(list(places))[:5]:
            checked.append(
                (offers.chain(*place.tolist()), offers.accuracy_XP[*place], offers.cost_XP[*place])
            )
    for other, accuracy, cost in checked:
        scores = grid.exit_scores(cells.placement(other))
        point = evaluate_policy(ExitPolicy(cells.thresholds(other)), scores)
        assert point.top1 == pytest.approx(accuracy, abs=1e-12)
        assert point.cost == pytest.approx(cost, rel=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), rules)
def test_the_offers_are_all_chains_that_differ_in_one_exit(seed, rules):
    grid = random_grid(seed, num_sets=2, num_depths=2, num_videos=12)
    cells = Cells.of(grid, rules, "max-softmax", 3)
    chain = random_chain(cells, np.random.default_rng(seed))
    offered = {
        offers.chain(*place)
        for offers in Moves(cells, chain, width=1).offers()
        for place in itertools.product(*map(range, offers.accuracy_XP.shape))
    }
    everything = {
        Chain(chosen, positions)
        for num_exits in range(rules.min_exits, rules.max_exits + 1)
        for chosen in cells.chains_of(num_exits)
        for positions in itertools.product(range(cells.num_positions), repeat=num_exits - 1)
    }
    assert offered <= everything
    assert {other for other in everything if one_exit_apart(chain, other)} <= offered


def one_exit_apart(chain, other):
    """Whether one exit, with its threshold, was changed, added or taken away."""

    def exits(c):
        return list(zip(c.cells, (*c.positions, None), strict=True))

    one, two = exits(chain), exits(other)
    if len(one) == len(two):
        return sum(a != b for a, b in zip(one, two, strict=True)) == 1
    short, long = sorted([one, two], key=len)
    if len(long) - len(short) != 1:
        return False
    without = [long[:k] + long[k + 1 :] for k in range(len(long))]
    # Without the last exit, the one before it takes all that are left.
    without.append([*long[:-2], (long[-2][0], None)])
    return short in without


@pytest.mark.parametrize("last", ["full", "free"])
def test_seeds_keep_the_rules_and_reach_every_last_exit(last):
    grid = random_grid(0, num_sets=4, num_depths=3)
    for min_exits in range(1, 7):
        rules = Rules(min_exits=min_exits, max_exits=6, last=last)
        cells = Cells.of(grid, rules, "max-softmax", 8)
        seeds = seed_chains(cells)
        assert all(seed.cells in set(cells.chains_of(min_exits)) for seed in seeds)
        ends = {chosen[-1] for chosen in cells.chains_of(min_exits)}
        assert {seed.cells[-1] for seed in seeds} == ends
        assert all(cells.thresholds(s) == (math.inf,) * (min_exits - 1) + (-math.inf,) for s in seeds)
