"""Weights that a plan's own training begins with, taken from the one-shot network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynsearch.families import build_network
from dynsearch.network.weights.files import load_weights, save_weights
from dynsearch.plan import Plan
from dynsearch.search.one_shot.shape import Shape
from dynsearch.search.one_shot.training import build_one_shot
from dynsearch.space import SearchSpace
from dynsearch.study.recipe import OneShotConfig
from dynsearch.training.made import WEIGHTS
from dynsearch.training.seeding import seed_torch


@dataclass(frozen=True)
class WarmStart:
    """Cuts a plan's network out of the one-shot network that stood for it. Can be sent to another process.

    The seed decides what a head begins with that the one-shot network does not have.
    """

    folder: Path
    space: SearchSpace
    num_classes: int
    settings: OneShotConfig
    seed: int

    @property
    def facts(self) -> dict[str, Any]:
        """What makes these weights, besides what makes the study's results."""
        return {"one_shot": self.settings.facts()}

    def write(self, plan: Plan, path: Path) -> None:
        """Write the weights of ``plan``'s network to ``path``.

        Raises:
            WeightsError: The one-shot network's weights are missing or damaged.
        """
        shape = Shape.of(plan)
        trunk = shape.finest_trunk(self.space)
        one_shot = build_one_shot(trunk, self.space, self.num_classes, self.settings)
        load_weights(one_shot, self.folder / shape.folder_name / WEIGHTS)
        seed_torch(self.seed, "init")
        network = build_network(plan, self.num_classes)
        own = network.state_dict()
        network.load_state_dict(own | {k: v for k, v in one_shot.weights_of(plan).items() if k in own})
        save_weights(network, path)
