import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynsearch.scores import RectangleSteps, StepTable
from tests.scores.grids import as_table, random_grid, random_steps


def both(seed):
    """Rectangles, and the same written out as a table."""
    grid = random_grid(seed)
    return grid.steps, as_table(grid).steps


def rising(steps, num_exits):
    """All placements of so many exits: any cells with a step from each to the next."""
    numbers = itertools.combinations(range(steps.num_cells), num_exits)
    return [cells for cells in numbers if steps_exist(steps, cells)]


def steps_exist(steps, cells):
    return all(steps.allowed[before + 1, cell] for before, cell in zip((-1, *cells), cells, strict=False))


def summed(table, cells):
    return np.cumsum([table[before + 1, cell] for before, cell in zip((-1, *cells), cells, strict=False)])


def test_a_placement_costs_the_sum_of_its_steps():
    rectangles, table = both(1)
    for cells in [(0,), (2, 8), (0, 1, 4, 8), (3, 4, 5, 8)]:
        assert table.cost_E(cells) == pytest.approx(rectangles.cost_E(cells), abs=2e-9)
        assert np.array_equal(table.cost_E(cells), summed(table.table, cells))


def test_rectangles_are_of_whole_multiply_accumulates():
    steps = RectangleSteps.of([[0.1, 0.30000000000000004]], [[1e-10, 0.2]])
    assert steps.cost_E([0, 1]).tolist() == [0.1, 0.5]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_costs_of_a_changed_exit(seed, is_table):
    """What a way costs with an exit more, without one and elsewhere is what the changed placement costs."""
    rng = np.random.default_rng(seed)
    steps = random_steps(rng, 3, 3) if is_table else both(seed)[0]
    choices = rising(as_table(random_grid(seed)).steps, 4)
    first, before, via, after = choices[rng.integers(len(choices))]
    cost_E = steps.cost_E((first, before, via, after))
    with_ = steps.detour(before, np.array([via]), after)[0]
    direct = steps.direct(before, after)
    shorter_E = steps.cost_E((first, before, after))
    assert cost_E[3] - shorter_E[2] == pytest.approx(with_ - direct, abs=4e-9)
    assert steps.reach(before, cost_E[1], np.array([via, after])) == pytest.approx(
        [cost_E[2], shorter_E[2]], abs=4e-9
    )
    assert steps.reach(None, 0.0, np.array([first])) == pytest.approx(cost_E[:1], abs=2e-9)
    assert steps.detour(None, np.array([first]), before) - steps.direct(None, before) == pytest.approx(
        cost_E[1] - steps.cost_E((before,)), abs=4e-9
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.sampled_from([None, 0.0, 0.4]))
def test_no_placement_is_beyond_the_limits(seed, max_exits, closed):
    rng = np.random.default_rng(seed)
    steps = both(seed)[0] if closed is None else random_steps(rng, 3, 2, closed)
    table = as_table(random_grid(seed)).steps if closed is None else steps
    costs = [
        steps.cost_E(cells)[-1] for num_exits in range(1, max_exits + 1) for cells in rising(table, num_exits)
    ]
    low, high = steps.limits(max_exits)
    assert low <= min(costs) + 2e-9
    assert max(costs) <= high + 2e-9


def test_limits_of_a_table_are_those_of_its_rectangles():
    rectangles, table = both(3)
    top = float(rectangles.head_C[:-1].max())
    assert rectangles.head_C[-1] <= top, "the last head leads nowhere, so no table knows it"
    assert table.limits(4) == pytest.approx(rectangles.limits(4))


def test_among_some_cells():
    rectangles, table = both(2)
    for steps in (rectangles, table):
        some = steps.select([1, 4, 8])
        assert some.num_cells == 3
        assert some.cost_E([0, 1, 2]) == pytest.approx(steps.cost_E([1, 4, 8]))
    assert np.array_equal(table.select([1, 4]).table, table.table[[0, 2, 5]][:, [1, 4]])


def test_what_is_allowed():
    steps = StepTable(np.array([[1, np.inf], [np.inf, 2], [np.inf, np.inf]]))
    assert steps.allowed.tolist() == [[True, False], [False, True], [False, False]]
    assert RectangleSteps.of([[1, 2]], [[0, 0]]).allowed.all()
