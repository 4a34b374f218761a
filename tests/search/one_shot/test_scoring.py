"""What the steps of a score grid cost, counted and in another measure."""

import numpy as np
import pytest

from dynsearch.families import cost_table
from dynsearch.measures import COUNTED, CostMeasure
from dynsearch.plan import ExitPlacement
from dynsearch.search.one_shot.scoring import grid_steps
from tests.plans import small_plan


@pytest.mark.parametrize("exits", [("4x5",), ("1x3", "4x5"), ("1x3", "1x4", "3x4", "4x5")])
def test_steps_that_a_measure_counts_by_plans_are_those_of_the_counted_rectangles(exits):
    """A measure that is ten times the counted cost, and 1 for each exit, so that no rectangle has it."""
    asked = []

    def costs(plan, num_classes):
        asked.append(plan)
        return [10 * cost + k for k, cost in enumerate(cost_table(plan, num_classes).cost_E, start=1)]

    trunk = small_plan("4x5")
    counted = grid_steps(trunk, 7, 3)
    steps = grid_steps(trunk, 7, 3, CostMeasure("tenth", "tenths", costs=costs))
    cells = [(exit_.sets - 1) * 3 + exit_.depth - 3 for exit_ in ExitPlacement.of(*exits).exits]
    cost_E = steps.cost_E(cells)
    assert cost_E == pytest.approx(10 * counted.cost_E(cells) + np.arange(1, len(cells) + 1))
    assert (steps.measure.name, counted.measure) == ("tenth", COUNTED)
    assert np.array_equal(np.isfinite(steps.table[0]), np.ones(12, bool))
    assert len(asked) == np.isfinite(steps.table).sum() == 12 + 10 * 6 - 12
