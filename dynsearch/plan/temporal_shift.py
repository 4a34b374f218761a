"""How features of one frame reach the next without arithmetic (TSM; paper section 3.2.2)."""

from dataclasses import dataclass, fields

from dynsearch.errors import PlanError, shown
from dynsearch.plan.frame_order import FrameOrder

KINDS = ("none", "online", "bidirectional")
PLACES = ("branch", "block")


@dataclass(frozen=True)
class TemporalShift:
    """The temporal shift at the input of residual branches.

    Attributes:
        kind: ``online`` takes the first C/div channels from the frame fed before (zeros at the start), so
            that progressive computation stays exact. ``bidirectional`` is TSM's offline shift: C/div channels
            from the frame after, C/div from the frame before. ``none`` shifts nothing.
        div: The shifted share is 1/div of the channels. TSM's released online model uses 8.
        across_groups: Whether the online shift crosses from one group of the frame order to the next. The
            paper says both "arbitrary n" and "inside each group"; so it is a choice.
        blocks: Of each stage's residual blocks every so many-th shifts, beginning with the first. 1 is all; TSM's
            ResNet-101 has 2.
        place: ``branch`` shifts what enters the residual branch (TSM's ``blockres``), ``block`` what enters the
            whole block, its identity too.
    """

    kind: str = "online"
    div: int = 8
    across_groups: bool = True
    blocks: int = 1
    place: str = "branch"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise PlanError(
                f"there is no temporal shift {shown(self.kind)}",
                where="temporal_shift.kind",
                hint=f"Kinds: {', '.join(KINDS)}",
            )
        if self.place not in PLACES:
            raise PlanError(
                f"must be {' or '.join(PLACES)}, got {shown(self.place)}", where="temporal_shift.place"
            )
        for name, smallest in (("div", 2 if self.kind == "bidirectional" else 1), ("blocks", 1)):
            if (value := getattr(self, name)) < smallest:
                raise PlanError(
                    f"must be at least {smallest}, got {shown(value)}", where=f"temporal_shift.{name}"
                )

    def restarts(self, order: FrameOrder, frames_per_set: int) -> tuple[int, ...]:
        """Return the positions in feeding order of the frames that nothing is shifted into."""
        starts = (0,) if self.across_groups else order.group_starts
        return tuple(start * frames_per_set for start in starts)

    def __str__(self) -> str:
        if self.kind == "none":
            return "no shift"
        inside = "" if self.across_groups else " inside groups"
        some = "" if self.blocks == 1 else f" in every {self.blocks}. block"
        whole = "" if self.place == "branch" else " of whole blocks"
        return f"{self.kind} shift 1/{self.div}{whole}{some}{inside}"

    def to_dict(self) -> dict[str, object]:
        """Return the fields as plain values; those that came later are left out at their defaults."""
        first = {"kind": self.kind, "div": self.div, "across_groups": self.across_groups}
        return first | {
            field.name: value
            for field in fields(self)[3:]
            if (value := getattr(self, field.name)) != field.default
        }
