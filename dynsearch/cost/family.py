"""The cost of any plan: each family counts its own networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from dynsearch.cost.adafocus import adafocus_cost
from dynsearch.cost.sfc import sfc_cost
from dynsearch.cost.table import grid_cost
from dynsearch.network import check_known
from dynsearch.plan import Plan


class NetworkCost(Protocol):
    """What is known of every network's cost."""

    @property
    def plan(self) -> Plan:
        """The plan."""

    @property
    def parameters(self) -> int:
        """Number of parameters of the whole network."""

    @property
    def cost_E(self) -> tuple[float, ...]:
        """Cumulative GFLOPs (10^9 multiply-accumulates) per video at each exit."""


COSTS: dict[str, Callable[[Plan, int], NetworkCost]] = {
    "grid": grid_cost,
    "adafocus": adafocus_cost,
    "sfc": sfc_cost,
}
"""For each network family, plan and number of classes -> cost."""


def cost_table(plan: Plan, num_classes: int) -> NetworkCost:
    """Return what the network of ``plan`` costs.

    Args:
        plan: The plan.
        num_classes: K, the number of classes.

    Raises:
        PlanError: The family or a backbone is unknown, or the plan does not fit its backbone.
    """
    check_known(plan.family)
    return COSTS[plan.family](plan, num_classes)
