"""Which of the two AdaFocusV2 networks a plan means."""

from __future__ import annotations

from dynsearch.families.adafocus.one_patch import OnePatchNetwork
from dynsearch.families.adafocus.options import AdaFocusOptions
from dynsearch.families.adafocus.recurrent import RecurrentFocusNetwork
from dynsearch.plan import Plan


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
