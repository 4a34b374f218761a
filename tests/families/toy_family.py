"""A network family in one file outside the package: a running mean of small pictures, with an exit after any set."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from dynsearch.errors import PlanError
from dynsearch.families import Family
from dynsearch.network import Kept, MultiExitNetwork
from dynsearch.network.clips import check_clips
from dynsearch.plan import Exit, ExitPlacement, FrameOrder, Options, Plan, TemporalShift
from dynsearch.space import Choices, SpaceAxes, Suggester, choose


@dataclass(frozen=True)
class ToyOptions(Options):
    """What a toy plan has that others have not: the width of its features."""

    width: int

    def __post_init__(self) -> None:
        if self.width < 1:
            raise PlanError(f"must be at least 1, got {self.width}", where="width")


class ToyChoices(Choices):
    """The section ``toy`` of a search space."""

    widths: list[int]

    def sample(self, trial: Suggester, axes: SpaceAxes) -> Plan:
        return toy_plan(axes, choose(trial, "toy.width", self.widths))

    def cheapest(self, axes: SpaceAxes) -> Iterator[Plan]:
        yield toy_plan(axes, min(self.widths))


def toy_plan(axes: SpaceAxes, width: int) -> Plan:
    grid = axes.frames[0]
    return Plan(
        backbone=axes.backbones[0],  # Not used: toys have none.
        num_frames=grid.num_frames,
        frame_order=FrameOrder.named(axes.frame_orders[0], grid.num_sets),
        exits=ExitPlacement(tuple(Exit(sets, 1) for sets in range(1, grid.num_sets + 1))),
        image_size=axes.image_sizes[0],
        temporal_shift=TemporalShift("none"),
        family="toy",
        options=ToyOptions(width),
    )


class ToyNetwork(MultiExitNetwork):
    def __init__(self, plan: Plan, num_classes: int, dropout: float) -> None:
        super().__init__(plan, num_classes)
        assert isinstance(plan.options, ToyOptions)
        width = plan.options.width
        self.eye = nn.Sequential(nn.Conv2d(3, width, 5, stride=4), nn.ReLU())
        self.answers = nn.ModuleList(
            nn.Sequential(nn.Dropout(dropout), nn.Linear(width, num_classes)) for _ in plan.exits.exits
        )
        self.order = list(plan.frame_order.frame_indices(plan.frames_per_set))
        self.ends = [plan.frames_seen(exit_) for exit_ in plan.exits.exits]

    def frames_at(self, k: int) -> list[int]:
        return self.order[k and self.ends[k - 1] : self.ends[k]]

    def summed(self, frames_BTCHW: torch.Tensor) -> torch.Tensor:
        """Return the features of frames, summed, (B, width)."""
        seen = self.eye(frames_BTCHW.flatten(0, 1)).mean(dim=(2, 3))
        return seen.unflatten(0, (len(frames_BTCHW), -1)).sum(dim=1)

    def forward(self, clips_BTCHW: torch.Tensor) -> torch.Tensor:
        check_clips(clips_BTCHW, self.plan)
        logits, kept = [], {}
        for k in range(len(self.ends)):
            answer, kept = self.step(k, clips_BTCHW[:, self.frames_at(k)], kept)
            logits.append(answer)
        return torch.stack(logits)

    def step(self, k: int, frames_BTCHW: torch.Tensor | None, kept: Kept) -> tuple[torch.Tensor, Kept]:
        assert frames_BTCHW is not None
        total = self.summed(frames_BTCHW)
        if k:
            total = total + kept["total"]
        return self.answers[k](total / self.ends[k]), {"total": total}


class ToyFamily(Family):
    options = ToyOptions
    choices = ToyChoices
    part_names = ("eye", "answers")

    def build(self, plan: Plan, num_classes: int, *, dropout: float = 0.0) -> ToyNetwork:
        return ToyNetwork(plan, num_classes, dropout)
