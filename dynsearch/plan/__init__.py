"""What defines a network before training: exits, frame order, temporal shift, options of its family, and the plan."""

from dynsearch.plan.adafocus import AdaFocusOptions as AdaFocusOptions
from dynsearch.plan.compression import CompressionOptions as CompressionOptions
from dynsearch.plan.exit_placement import Exit as Exit
from dynsearch.plan.exit_placement import ExitPlacement as ExitPlacement
from dynsearch.plan.family_name import family_name as family_name
from dynsearch.plan.frame_order import NAMED_ORDERS as NAMED_ORDERS
from dynsearch.plan.frame_order import FrameOrder as FrameOrder
from dynsearch.plan.plan import Plan as Plan
from dynsearch.plan.temporal_shift import TemporalShift as TemporalShift

__all__ = [
    "NAMED_ORDERS", "AdaFocusOptions", "CompressionOptions", "Exit", "ExitPlacement", "FrameOrder", "Plan",
    "TemporalShift", "family_name",
]  # fmt: skip
