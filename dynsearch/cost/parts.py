"""The cost of a network made of parts that run a known number of times."""

from collections.abc import Sequence
from dataclasses import dataclass

from dynsearch.errors import PlanError
from dynsearch.measures import in_units
from dynsearch.plan import Plan


@dataclass(frozen=True)
class Part:
    """One part of a network.

    Attributes:
        name: What it is.
        macs: Multiply-accumulates of running it once.
        parameters: Its parameters.
        runs_E: How often it has run for a video when each exit is reached.
    """

    name: str
    macs: int
    parameters: int
    runs_E: tuple[int, ...]


@dataclass(frozen=True)
class NetworkCost:
    """What the network of a plan costs, part by part.

    Attributes:
        plan: The plan.
        parts: All parts, those that only training runs included.
    """

    plan: Plan
    parts: tuple[Part, ...]

    @property
    def parameters(self) -> int:
        """Number of parameters of the whole network."""
        return sum(part.parameters for part in self.parts)

    @property
    def cost_E(self) -> tuple[float, ...]:
        """Cumulative cost per video, counted, at each exit."""
        exits = range(len(self.plan.exits))
        return tuple(in_units(sum(part.macs * part.runs_E[k] for part in self.parts)) for k in exits)


def average_cost(cost_E: Sequence[float], exit_share: Sequence[float]) -> float:
    """Return the mean cost per video when videos leave in the given proportions.

    Args:
        cost_E: Cumulative cost at each exit.
        exit_share: For each exit a share, a percentage or a number of videos; only proportions matter.

    Raises:
        PlanError: There is not one non-negative number per exit, or they are all zero.
    """
    if len(exit_share) != len(cost_E) or min(exit_share) < 0 or sum(exit_share) <= 0:
        raise PlanError(
            f"needs one non-negative number for each of the {len(cost_E)} exits, got {list(exit_share)}",
            where="exit_share",
        )
    products = (cost * share for cost, share in zip(cost_E, exit_share, strict=True))
    return sum(products) / sum(exit_share)
