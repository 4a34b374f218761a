"""Building a network that knows what it costs."""

from __future__ import annotations

from typing import Any

from dynsearch.cost.family import cost_table
from dynsearch.network import build_module
from dynsearch.plan import Plan


def build_network(plan: Plan, num_classes: int, *, dropout: float = 0.0) -> Any:
    """Return the plan's network, freshly initialised, with ``cost_E`` set to its cost at each exit.

    Args:
        plan: The plan to build.
        num_classes: K, the number of classes.
        dropout: Dropout before each classifier, active in training only.

    Raises:
        PlanError: The family or the backbone is unknown, or an exit lies outside the grid.
    """
    network = build_module(plan, num_classes, dropout=dropout)
    network.cost_E = cost_table(plan, num_classes).cost_E
    return network
