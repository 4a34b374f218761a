"""What a network with Selective Feature Compression has that a grid network has not (Liu et al., ICCV 2021)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dynsearch.errors import PlanError, shown
from dynsearch.plan import ExitPlacement, FrameOrder, Options, Plan
from dynsearch.plan.frame_order import LARGEST


@dataclass(frozen=True)
class CompressionOptions(Options):
    """Fields of a plan of family ``sfc``.

    Attributes:
        split: The backbone's stages 1..split are the head, which sees all frames; the others are the tail.
        time_ratio: Between them, so many times fewer frames (rounded up).
        side_ratio: Between them, a side so many times shorter (rounded up).
    """

    split: int
    time_ratio: int = 4
    side_ratio: int = 1

    def __post_init__(self) -> None:
        for name in ("split", "time_ratio", "side_ratio"):
            value = getattr(self, name)
            if not 1 <= value <= LARGEST:
                limit = "at least 1" if value < 1 else f"at most {LARGEST:,}"
                raise PlanError(f"must be {limit}, got {shown(value)}", where=name)

    def completed(self, plan: Plan) -> CompressionOptions:
        """Return these options in the one form they have for ``plan``.

        Raises:
            PlanError: They do not fit the plan's exits or frames.
        """
        depth = plan.exits.last.depth
        if any(exit_.depth != depth for exit_ in plan.exits.exits):
            raise PlanError(
                f"compressed networks have all exits at one depth, got {plan.exits}", where="exits"
            )
        if plan.share_heads:
            raise PlanError("the exits of a compressed network always share their head", where="share_heads")
        if self.split >= depth:
            raise PlanError(
                f"the split must lie inside the backbone, from 1 to {depth - 1} of the {depth} stages used, "
                f"got {self.split}",
                where="options.split",
            )
        if self.time_ratio > plan.num_frames:
            raise PlanError(
                f"must not be more than the {plan.num_frames} frames, got {self.time_ratio}",
                where="options.time_ratio",
            )
        return self

    def frames_left(self, num_frames: int) -> int:
        """Return how many frames ``num_frames`` become."""
        return -(-num_frames // self.time_ratio)

    def base(self, plan: Plan) -> Plan:
        """Return the grid plan whose trained weights the head, the tail and the exit head are.

        It sees as many frames as the tail of ``plan`` does.
        """
        num_frames = self.frames_left(plan.num_frames)
        depth = plan.exits.last.depth
        order = FrameOrder.named(plan.frame_order.name or "sequential", num_frames)
        exits = ExitPlacement.of(f"{num_frames}x{depth}")
        return replace(
            plan,
            family="grid",
            options=None,
            num_frames=num_frames,
            frame_order=order,
            exits=exits,
            share_heads=False,
        )

    def __str__(self) -> str:
        space = f" and sides to 1/{self.side_ratio}" if self.side_ratio > 1 else ""
        return f"frames to 1/{self.time_ratio}{space} after stage {self.split}"
