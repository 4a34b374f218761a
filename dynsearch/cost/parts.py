"""The cost of a network made of parts that run a known number of times."""

from __future__ import annotations

from dataclasses import dataclass

from dynsearch.plan import Plan
from dynsearch.units import to_gflops


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
class PartsTable:
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
        """Cumulative GFLOPs per video at each exit."""
        exits = range(len(self.plan.exits))
        return tuple(to_gflops(sum(part.macs * part.runs_E[k] for part in self.parts)) for k in exits)
