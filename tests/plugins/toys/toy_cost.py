"""A cost measure in one file: the frames that were looked at."""

from dynsearch import COST_MEASURES
from dynsearch.measures import CostMeasure
from dynsearch.plan import Plan


def frames_seen(plan: Plan, num_classes: int) -> list[float]:
    """Return the frames seen up to each exit."""
    return [float(plan.frames_seen(exit_)) for exit_ in plan.exits.exits]


COST_MEASURES.register("frames", CostMeasure("frames", costs=frames_seen))
