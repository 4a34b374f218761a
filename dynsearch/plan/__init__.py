"""What defines a network before training: exits, frame order, temporal shift, heads, and the plan with its family."""

from dynsearch.plan.exit_placement import Exit as Exit
from dynsearch.plan.exit_placement import ExitPlacement as ExitPlacement
from dynsearch.plan.family_name import family_name as family_name
from dynsearch.plan.frame_order import NAMED_ORDERS as NAMED_ORDERS
from dynsearch.plan.frame_order import FrameOrder as FrameOrder
from dynsearch.plan.heads import HEADS as HEADS
from dynsearch.plan.options import Options as Options
from dynsearch.plan.plan import FAMILIES as FAMILIES
from dynsearch.plan.plan import Plan as Plan
from dynsearch.plan.plan import PlanFamily as PlanFamily
from dynsearch.plan.temporal_shift import TemporalShift as TemporalShift

__all__ = [
    "FAMILIES", "HEADS", "NAMED_ORDERS", "Exit", "ExitPlacement", "FrameOrder", "Options", "Plan", "PlanFamily",
    "TemporalShift", "family_name",
]  # fmt: skip
