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
    assert str(FrameOrder((1, 0, 2), (1, 2))) == "1 | 0 2"
