"""What a plan is called in a comparison of families."""

from __future__ import annotations

from dynsearch.plan.plan import Plan


def family_name(plan: Plan) -> str:
    """Return the plan's family; grid plans with a single exit after all frames are called ``tsn`` or ``tsm``.

    TSN has no temporal shift, TSM a bidirectional one.
    """
    if plan.family == "grid" and len(plan.exits) == 1 and plan.exits.last.sets == plan.num_sets:
        return {"none": "tsn", "bidirectional": "tsm"}.get(plan.temporal_shift.kind, "grid")
    return plan.family
