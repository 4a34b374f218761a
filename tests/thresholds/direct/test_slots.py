import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dynsearch.thresholds.direct.slots import Slots, rising

THINGS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12)


@given(THINGS)
def test_what_rises_is_what_no_cheaper_one_matches(things):
    cost_N, value_N = (np.array([thing[axis] for thing in things], dtype=float) for axis in (0, 1))
    found = rising(cost_N, value_N)
    better = [
        i
        for i, (cost, value) in enumerate(things)
        if not any(c < cost and v >= value for c, v in things)
        and value == max(v for c, v in things if c == cost)
    ]
    assert [things[i] for i in found] == sorted({things[i] for i in better})


@given(THINGS, st.integers(1, 5))
def test_a_slot_keeps_the_most_accurate_and_is_expanded_once(things, num_slots):
    slots = Slots(num_slots, 0.0, 6.0)
    kept = {}
    for cost, value in things:
        (slot,) = slots.of(np.array([float(cost)]))
        assert slot == min(int(cost * (num_slots - 1) / 6), num_slots - 1)
        if len(slots.beaten(np.array([slot]), np.array([float(value)]))):
            slots.fill(slot, float(value))
            kept[slot] = float(value)
    assert kept == {
        slot: max(v for c, v in things if slots.of(np.array([float(c)]))[0] == slot) for slot in kept
    }
    members = slots.members().tolist()
    assert members == [s for s in sorted(kept) if all(kept[o] < kept[s] for o in kept if o < s)]
    assert list(slots.expanded(99)) == members
    assert list(slots.expanded(99)) == []
    if members:
        slots.fill(members[-1], 7.0)
        assert list(slots.expanded(99)) == members[-1:]
