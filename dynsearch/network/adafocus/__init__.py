"""AdaFocusV2: a cheap look at whole frames chooses the patches that deserve a closer one."""

from __future__ import annotations

from dynsearch.network.adafocus.one_patch import OnePatchNetwork
from dynsearch.network.adafocus.recurrent import RecurrentFocusNetwork
from dynsearch.plan import AdaFocusOptions, Plan

__all__ = ["OnePatchNetwork", "RecurrentFocusNetwork", "build_adafocus"]


def build_adafocus(
    plan: Plan, num_classes: int, *, dropout: float = 0.0
) -> RecurrentFocusNetwork | OnePatchNetwork:
    """Return the network of a plan of family ``adafocus``, freshly initialised.

    Raises:
        PlanError: A backbone is unknown or can't be used.
    """
    assert isinstance(plan.options, AdaFocusOptions)
    kind = OnePatchNetwork if plan.options.patch_per == "video" else RecurrentFocusNetwork
    return kind(plan, num_classes, dropout=dropout)
