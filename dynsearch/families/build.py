"""Building the network of any plan, and counting what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynsearch.families.family import family_of
from dynsearch.measures import COUNTED, CostMeasure
from dynsearch.plan import Plan

if TYPE_CHECKING:
    from dynsearch.cost import NetworkCost
    from dynsearch.network import MultiExitNetwork


def build_network(
    plan: Plan, num_classes: int, *, dropout: float = 0.0, measure: CostMeasure = COUNTED
) -> MultiExitNetwork:
    """Return the plan's network, freshly initialised, with ``cost_E`` set to its cost at each exit.

    Args:
        plan: The plan to build.
        num_classes: K, the number of classes.
        dropout: Dropout before each classifier, active in training only.
        measure: What its costs are in.

    Raises:
        PlanError: The family or the backbone is unknown, or an exit lies outside the grid.
    """
    network = family_of(plan).build(plan, num_classes, dropout=dropout)
    network.cost_E, network.measure = measure.cost_E(plan, num_classes), measure
    return network


def cost_table(plan: Plan, num_classes: int) -> NetworkCost:
    """Return what the network of ``plan`` costs.

    Args:
        plan: The plan.
        num_classes: K, the number of classes.

    Raises:
        PlanError: The family or a backbone is unknown, or the plan does not fit its backbone.
    """
    return family_of(plan).cost(plan, num_classes)


def counted_costs(plan: Plan, num_classes: int) -> tuple[float, ...]:
    """Return the multiply-accumulates per video at each exit, in 10^9: the measure that ships."""
    return cost_table(plan, num_classes).cost_E
