"""TSN and TSM: grid networks with one exit at the end."""

from collections.abc import Iterator
from itertools import product
from typing import ClassVar

from dynsearch.errors import PlanError
from dynsearch.plan import FAMILIES, Exit, ExitPlacement, FrameOrder, Options, Plan, TemporalShift
from dynsearch.space import Choices, SpaceAxes, SpaceFamily, Suggester, choose


class BaselineChoices(Choices):
    """Baselines vary on the space's own axes."""

    shift: ClassVar[str]
    """Kind of the temporal shift."""

    def sample(self, trial: Suggester, axes: SpaceAxes) -> Plan:
        """Return the plan that ``trial`` proposes."""
        return self._plan(
            axes,
            choose(trial, "backbone", axes.backbones),
            choose(trial, "num_frames", _frame_counts(axes)),
            choose(trial, "image_size", axes.image_sizes),
            choose(trial, "head", axes.heads),
        )

    def cheapest(self, axes: SpaceAxes) -> Iterator[Plan]:
        """Yield every plan, with the space's first head."""
        for backbone, count, size in product(axes.backbones, _frame_counts(axes), axes.image_sizes):
            yield self._plan(axes, backbone, count, size, axes.heads[0])

    def _plan(self, axes: SpaceAxes, backbone: str, num_frames: int, image_size: int, head: str) -> Plan:
        order = FrameOrder.named("sequential", num_frames)
        exits = ExitPlacement((Exit(num_frames, axes.exits.max_depth),))
        return Plan(backbone, num_frames, order, exits, image_size, TemporalShift(self.shift), head)


def _frame_counts(axes: SpaceAxes) -> list[int]:
    return sorted({grid.num_frames for grid in axes.frames})


class TsnChoices(BaselineChoices):
    """Plans of TSN (Wang et al., ECCV 2016)."""

    shift = "none"


class TsmChoices(BaselineChoices):
    """Plans of TSM (Lin et al., ICCV 2019)."""

    shift = "bidirectional"


class Baseline(SpaceFamily):
    """Grid plans with a single exit after all frames and one kind of temporal shift, under a name of their own."""

    def __init__(self, choices: type[BaselineChoices]) -> None:
        self.choices = choices
        self._shift = choices.shift

    def completed(self, plan: Plan) -> Options | None:
        """Refuse to be a plan's family.

        Raises:
            PlanError: Always: plans of baselines are of the family ``grid``.
        """
        raise PlanError(
            f"{plan.family} is a baseline, and its plans are of the family grid",
            where="family",
            hint="Write family: grid, with a single exit after all frames",
        )

    def holds(self, plan: Plan) -> bool:
        """Return whether ``plan`` is one of this baseline's."""
        return (
            FAMILIES["grid"].holds(plan)
            and plan.temporal_shift.kind == self._shift
            and len(plan.exits) == 1
            and plan.exits.last.sets == plan.num_sets
        )


TSN = Baseline(TsnChoices)
TSM = Baseline(TsmChoices)
