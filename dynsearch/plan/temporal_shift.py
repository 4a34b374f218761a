"""How features of one frame reach the next without arithmetic (TSM; paper section 3.2.2)."""

from __future__ import annotations

from dataclasses import dataclass

from dynsearch.errors import PlanError, shown
from dynsearch.plan.frame_order import FrameOrder

KINDS = ("none", "online", "bidirectional")


@dataclass(frozen=True)
class TemporalShift:
    """The temporal shift at the input of every residual branch.

    Attributes:
        kind: ``online`` takes the first C/div channels from the frame fed before (zeros at the start), so
            that progressive computation stays exact. ``bidirectional`` is TSM's offline shift: C/div channels
            from the frame after, C/div from the frame before. ``none`` shifts nothing.
        div: The shifted share is 1/div of the channels. TSM's released online model uses 8.
        across_groups: Whether the online shift crosses from one group of the frame order to the next. The
            paper says both "arbitrary n" and "inside each group"; so it is a choice.
    """

    kind: str = "online"
    div: int = 8
    across_groups: bool = True

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise PlanError(
                f"there is no temporal shift {shown(self.kind)}",
                where="temporal_shift.kind",
                hint=f"Kinds: {', '.join(KINDS)}",
            )
        smallest = 2 if self.kind == "bidirectional" else 1
        if self.div < smallest:
            raise PlanError(f"must be at least {smallest}, got {shown(self.div)}", where="temporal_shift.div")

    def restarts(self, order: FrameOrder, frames_per_set: int) -> tuple[int, ...]:
        """Return the positions in feeding order of the frames that nothing is shifted into."""
        starts = (0,) if self.across_groups else order.group_starts
        return tuple(start * frames_per_set for start in starts)

    def __str__(self) -> str:
        if self.kind == "none":
            return "no shift"
        inside = "" if self.across_groups else " inside groups"
        return f"{self.kind} shift 1/{self.div}{inside}"
