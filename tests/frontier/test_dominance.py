import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynsearch.errors import InputError
from dynsearch.frontier import hypervolume, pareto_mask

NUMBERS = st.one_of(st.integers(0, 4).map(float), st.sampled_from([np.inf, -np.inf]))
POINTS = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=12)


@given(POINTS)
def test_mask_equals_the_definition(points):
    got = pareto_mask([c for c, _ in points], [v for _, v in points])
    expected = [not any(c2 <= c and v2 >= v and (c2, v2) != (c, v) for c2, v2 in points) for c, v in points]
    assert got.tolist() == expected


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=8))
def test_hypervolume_counts_dominated_unit_squares(points):
    squares = sum(any(c <= x and v >= y + 1 for c, v in points) for x in range(6) for y in range(6))
    got = hypervolume([c for c, _ in points], [v for _, v in points], reference_cost=6)
    assert got == pytest.approx(squares)


def test_hypervolume_of_a_staircase_in_closed_form():
    n = 20
    steps = np.arange(n)
    assert hypervolume(steps, steps + 1, reference_cost=n) == n * (n + 1) / 2


def test_points_beyond_the_reference_add_nothing():
    assert hypervolume([5.0, 1.0], [1.0, -1.0], reference_cost=4, reference_value=0) == 0


@pytest.mark.parametrize(("cost", "value"), [([1, np.nan], [1, 2]), ([1, 2], [np.nan, 2])])
def test_nan_is_refused(cost, value):
    with pytest.raises(InputError, match="is not a number"):
        pareto_mask(cost, value)
    with pytest.raises(InputError, match="is not a number"):
        hypervolume(cost, value, reference_cost=9)


def test_shapes_must_agree():
    with pytest.raises(InputError, match="one length"):
        pareto_mask([1, 2], [1])
