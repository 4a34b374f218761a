import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynsearch.errors import PlanError
from dynsearch.plan import Exit, ExitPlacement


def test_exits_are_written_sets_x_depth():
    placement = ExitPlacement.of("2x1", "3x2", "4x3", "4x4", "4x5", "8x5")
    assert placement.exits[0] == Exit(sets=2, depth=1)
    assert placement.last == Exit(8, 5)
    assert str(placement) == "2x1 3x2 4x3 4x4 4x5 8x5"


@pytest.mark.parametrize(
    ("exits", "says"),
    [
        ((), "at least one exit"),
        (("2x3", "2x3"), "2x3 is there twice"),
        (("2x3", "1x4"), "2x3 then 1x4"),
        (("2x3", "3x2"), "2x3 then 3x2"),
        (("2",), "can't read the exit '2'"),
        (("0x2",), "can't read the exit '0x2'"),
        (("2x-1",), "can't read the exit '2x-1'"),
    ],
)
def test_bad_placements_are_refused(exits, says):
    with pytest.raises(PlanError, match=says):
        ExitPlacement.of(*exits)


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(1, 5)), min_size=1, max_size=6))
def test_any_numbers_make_a_rising_placement(pairs):
    sets, depths = zip(*pairs, strict=True)
    placement = ExitPlacement.rising(sets, depths)
    assert placement.last == Exit(max(sets), max(depths))
    assert placement.exits[0] == Exit(min(sets), min(depths))
    assert len(set(placement.exits)) == len(placement) <= len(pairs)
    again = ExitPlacement.rising((e.sets for e in placement.exits), (e.depth for e in placement.exits))
    assert again == placement
