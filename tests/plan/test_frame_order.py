from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynsearch.errors import PlanError
from dynsearch.plan import NAMED_ORDERS, FrameOrder
from tests.plans import frame_orders


def test_the_papers_order():
    # Eq. 4, and Eq. 5-6 for 16 frames.
    order = FrameOrder.named("paper", 8)
    assert order.sets == (0, 3, 5, 6, 1, 2, 4, 7)
    assert order.group_sizes == (4, 4)
    assert order.frame_indices(2) == (0, 1, 6, 7, 10, 11, 12, 13, 2, 3, 4, 5, 8, 9, 14, 15)


@pytest.mark.parametrize(
    ("name", "num_sets", "sets", "groups"),
    [
        ("sequential", 4, (0, 1, 2, 3), (4,)),
        ("paper", 4, (0, 3, 1, 2), (2, 2)),
        ("paper", 1, (0,), (1,)),
        ("strided", 5, (0, 2, 4, 1, 3), (3, 2)),
        ("bisection", 5, (0, 4, 2, 1, 3), (2, 1, 2)),
        ("bisection", 1, (0,), (1,)),
        # As published by AdaFocusV2 (its code's orders for 16 and 8 frames) and FrameExit (for 10).
        ("adafocus", 16, (7, 0, 15, 3, 11, 1, 5, 9, 13, 2, 4, 6, 8, 10, 12, 14), (1, 2, 2, 4, 7)),
        ("adafocus", 8, (3, 0, 7, 1, 5, 2, 4, 6), (1, 2, 2, 3)),
        ("adafocus", 1, (0,), (1,)),
        ("frameexit", 10, (5, 0, 9, 2, 7, 4, 6, 3, 8, 1), (1, 2, 2, 2, 2, 1)),
        ("frameexit", 8, (4, 0, 7, 2, 6, 5, 3, 1), (1, 2, 2, 1, 1, 1)),
        ("frameexit", 1, (0,), (1,)),
    ],
)
def test_named_orders(name, num_sets, sets, groups):
    assert FrameOrder.named(name, num_sets) == FrameOrder(sets, groups)


@given(st.sampled_from(sorted(NAMED_ORDERS)), st.integers(1, 40))
def test_every_named_order_is_a_permutation_with_groups_that_run_forward(name, num_sets):
    order = FrameOrder.named(name, num_sets)
    assert sorted(order.sets) == list(range(num_sets))
    ends = [*order.group_starts[1:], num_sets]
    for start, end in zip(order.group_starts, ends, strict=True):
        group = order.sets[start:end]
        assert list(group) == sorted(group)


def test_a_name_stands_for_an_order_that_no_earlier_name_has():
    for num_sets in (8, 10, 16):
        assert len({FrameOrder.named(name, num_sets) for name in NAMED_ORDERS}) == len(NAMED_ORDERS)


@given(st.permutations(range(7)))
def test_a_free_orders_groups_run_forward_and_are_as_few_as_possible(sets):
    order = FrameOrder.free(sets)
    assert order.sets == tuple(sets)
    falls = sum(b < a for a, b in pairwise(sets))
    assert len(order.group_sizes) == falls + 1
    for start, end in pairwise([*order.group_starts, 7]):
        assert list(sets[start:end]) == sorted(sets[start:end])


def test_adafocus_order_is_the_published_rule_for_any_number():
    """Middle, first, last; then the floored middles between the floored ends of q equal parts, q = 2, 4, 8, ..."""
    for num_sets in range(3, 65):
        order, parts = [(num_sets - 1) // 2, 0, num_sets - 1], 2
        while len(order) < num_sets:
            ends = np.floor(np.linspace(0, num_sets - 1, parts + 1))
            for middle in np.floor((ends[:-1] + ends[1:]) / 2).astype(int).tolist():
                order += [middle] if middle not in order else []
            parts *= 2
        assert list(FrameOrder.named("adafocus", num_sets).sets) == order


def test_a_move_takes_one_set_to_another_place():
    order = FrameOrder.named("paper", 8)  # 0 3 5 6 | 1 2 4 7
    assert order.moved(1, 5) == FrameOrder((0, 5, 6, 1, 2, 3, 4, 7), (3, 5))
    assert order.moved(7, 0) == FrameOrder((7, 0, 3, 5, 6, 1, 2, 4), (1, 4, 3))
    assert order.moved(2, 2) == order


@given(st.permutations(range(6)), st.permutations(range(6)))
def test_moves_reach_every_order_from_every_other(start, goal):
    order = FrameOrder.free(start)
    for target, set_ in enumerate(goal):
        order = order.moved(order.sets.index(set_), target)
    assert order.sets == tuple(goal)


@given(frame_orders(), st.integers(1, 4))
def test_frames_of_a_set_stay_together_and_in_order(order, frames_per_set):
    frames = order.frame_indices(frames_per_set)
    assert sorted(frames) == list(range(order.num_sets * frames_per_set))
    for position, set_ in enumerate(order.sets):
        start = position * frames_per_set
        assert frames[start : start + frames_per_set] == tuple(
            range(set_ * frames_per_set, (set_ + 1) * frames_per_set)
        )


@pytest.mark.parametrize(
    ("sets", "groups"),
    [((0, 0), (2,)), ((1, 2), (2,)), ((), ()), ((0, 1), (1,)), ((0, 1), (0, 2)), ((0, 1), ())],
)
def test_bad_orders_are_refused(sets, groups):
    with pytest.raises(PlanError, match="frame_order"):
        FrameOrder(sets, groups)


def test_unknown_names_list_the_known():
    with pytest.raises(PlanError, match="sequential, paper"):
        FrameOrder.named("papper", 8)


def test_text_is_the_name_or_the_groups():
    assert str(FrameOrder.named("paper", 8)) == "paper"
    assert str(FrameOrder((2, 0, 1), (1, 2))) == "2 | 0 1"
