"""A timm backbone, run stage by stage."""

import torch
from torch import nn

from dynsearch.errors import PlanError
from dynsearch.network.backbone.cutting import anatomy
from dynsearch.network.backbone.layout import State
from dynsearch.network.backbone.recompute import run_recomputed
from dynsearch.network.backbone.stages import backbone_stages
from dynsearch.network.backbone.timm_head import headed_model
from dynsearch.network.backbone.timm_models import create_timm_model
from dynsearch.plan import TemporalShift


class Backbone(nn.Module):
    """A timm model without its classifier, run stage by stage.

    The parameters keep timm's names below ``model.``, so that timm's weights load as they are.

    Args:
        name: Name of a timm model.
        image_size: Side of the square input, in pixels.
        depth: How many stages are needed; what only later ones use is dropped.
        num_stages: M, or None for timm's own feature stages.
        as_timm: Whether exits read what timm's classifier reads; then its head is part of the last stage.

    Attributes:
        name: Name of the timm model.
        image_size: Side of the square input, in pixels.
        num_stages: M; of these only the stages needed are there.
        recompute: Whether training keeps only what passes between stages, and computes the rest again for the
            backward pass: slower, in much less memory.

    Raises:
        PlanError: timm has no such model, it can't be cut, or it has fewer than ``depth`` stages.
    """

    def __init__(
        self, name: str, image_size: int, depth: int, num_stages: int | None = None, *, as_timm: bool = False
    ) -> None:
        super().__init__()
        self.name = name
        self.image_size = image_size
        self.recompute = False
        stages = backbone_stages(name, image_size, num_stages, as_timm=as_timm)
        check_depth(name, depth, len(stages))
        self.num_stages = len(stages)
        self.stages = stages[:depth]
        self.model = (headed_model if as_timm else create_timm_model)(name, image_size)
        used = frozenset[str]().union(*(stage.parts for stage in self.stages))
        _drop_unused(self.model, used)
        self.branches = tuple(
            branch for branch in anatomy(name, image_size).branches if covers(used, branch.name)
        )

    def forward_stage(self, state: State, stage: int) -> State:
        """Return the output of ``stage`` (counted from 0) for the output of the one before it."""
        run = self.stages[stage].run
        if self.recompute and torch.is_grad_enabled():
            return run_recomputed(run, self.model, state)
        return run(self.model, state)


def check_branches(shift: TemporalShift, name: str, image_size: int) -> None:
    """Refuse ``shift`` on a backbone that has no residual branch for it.

    Raises:
        PlanError: There is none.
    """
    if shift.kind != "none" and not anatomy(name, image_size).branches:
        raise PlanError(
            f"{name} has no residual block to shift in",
            where="temporal_shift",
            hint="Set temporal_shift.kind to none",
        )


def check_depth(name: str, depth: int, num_stages: int) -> None:
    """Refuse an exit below the last stage.

    Raises:
        PlanError: There is no such stage.
    """
    if depth > num_stages:
        raise PlanError(
            f"an exit at depth {depth} lies outside the grid: {name} has {num_stages} stages",
            where="exits",
            hint="Ask for more stages with the plan's 'stages', or place the exit less deep",
        )


def covers(used: frozenset[str], path: str) -> bool:
    """Return whether ``path`` is a used part or lies inside one."""
    parts = path.split(".")
    return any(".".join(parts[:i]) in used for i in range(1, len(parts) + 1))


def _drop_unused(model: nn.Module, used: frozenset[str]) -> None:
    """Remove what lies outside the ``used`` parts, so that nothing is trained, counted or saved in vain."""
    above = {".".join(part.split(".")[:i]) for part in used for i in range(part.count(".") + 1)}
    for path, module in list(model.named_modules()):
        if path and (path in above or covers(used, path)):
            continue
        if path:
            parent, _, name = path.rpartition(".")
            if covers(used, parent) or parent in above:
                setattr(model.get_submodule(parent), name, nn.Identity())
        else:
            for name, _ in list(module.named_parameters(recurse=False)):
                if name not in used:
                    setattr(module, name, None)
