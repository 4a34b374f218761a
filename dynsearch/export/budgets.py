"""All budgets in one bundle: the networks of a study's points, with what they share stored once, and the points."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from dynsearch.budget import last_that_fits
from dynsearch.errors import WeightsError
from dynsearch.frontier import MergedPoint
from dynsearch.measures import CostMeasure
from dynsearch.network import MultiExitNetwork
from dynsearch.network.weights.files import load_strictly, read_facts, read_tensors, save_tensors
from dynsearch.plan import Plan
from dynsearch.thresholds import ExitPolicy


@dataclass(frozen=True)
class BudgetPoint:
    """A point to switch to.

    Attributes:
        network: Which of the file's networks, counted from 0.
        policy: Its thresholds.
        cost: Mean cost per video, on calibration.
        test_cost: The same on test.
        test_top1: Top-1 there, 0..1.
        test_top1_low: Low end of its 95% interval.
        test_top1_high: High end.
    """

    network: int
    policy: ExitPolicy
    cost: float
    test_cost: float
    test_top1: float
    test_top1_low: float
    test_top1_high: float


@dataclass(frozen=True)
class Budgets:
    """Networks that share tensors, and points on them that rise in cost and accuracy.

    Attributes:
        path: The file.
        plans: Of the networks.
        points: On all of them.
        tensors: All tensors, by the digest of their content.
        parts: For each network, which tensor each of its weights is.
    """

    path: Path
    plans: tuple[Plan, ...]
    points: tuple[BudgetPoint, ...]
    tensors: Mapping[str, torch.Tensor]
    parts: tuple[Mapping[str, str], ...]

    @classmethod
    def load(cls, path: Path) -> "Budgets":
        """Read what :func:`write_budgets` wrote.

        Raises:
            WeightsError: It is damaged, or another file.
        """
        tensors = read_tensors(path)
        try:
            facts = json.loads(read_facts(path)["budgets"])
            plans = tuple(Plan.from_dict(one["plan"]) for one in facts["networks"])
            points = tuple(
                BudgetPoint(**one | {"policy": ExitPolicy.from_dict(one["policy"])})
                for one in facts["points"]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError("holds no points", where=str(path), hint="Export the study again") from error
        return cls(path, plans, points, tensors, tuple(one["tensors"] for one in facts["networks"]))

    def on(self, device: torch.device) -> "Budgets":
        """Return the same with all tensors on ``device``, laid out as convolutions want them."""
        moved = {
            key: value.to(device).contiguous(
                memory_format=torch.channels_last if value.ndim == 4 else torch.contiguous_format
            )
            for key, value in self.tensors.items()
        }
        return replace(self, tensors=moved)

    def best_under(self, budget: float, measure: CostMeasure) -> BudgetPoint:
        """Return the best point within ``budget``; InfeasibleBudgetError where there is none."""
        return last_that_fits(self.points, budget, lambda point: point.cost, measure)

    def fill(self, network: MultiExitNetwork, index: int) -> None:
        """Let ``network``, of the plan with this index, use the file's tensors themselves: nothing is copied.

        Raises:
            WeightsError: They are of another network.
        """
        own = {name: self.tensors[key] for name, key in self.parts[index].items()}
        load_strictly(network, own, self.path, assign=True)


def write_budgets(
    path: Path,
    networks: Mapping[int, tuple[Plan, Path]],
    points: Sequence[MergedPoint[int]],
    made: Mapping[str, Any],
) -> None:
    """Write the networks of ``points`` as one file, every tensor that several of them have once.

    Args:
        path: The file.
        networks: Plan and weights by the points' keys.
        points: Rising in cost, chosen on calibration and measured on test.
        made: What made the weights, as their own files carry it.
    """
    keys = [key for key in networks if any(point.key == key for point in points)]
    tensors: dict[str, torch.Tensor] = {}
    described: list[dict[str, Any]] = []
    for key in keys:
        plan, weights = networks[key]
        names = {}
        for name, value in read_tensors(weights).items():
            names[name] = _digest(value)
            tensors[names[name]] = value
        described.append({"plan": plan.to_dict(), "tensors": names})
    rows = [
        {
            "network": keys.index(point.key),
            "policy": point.calibration.policy.to_dict(),
            "cost": point.calibration.cost,
            "test_cost": point.test.cost,
            "test_top1": point.test.top1,
            "test_top1_low": point.test_interval.low,
            "test_top1_high": point.test_interval.high,
        }
        for point in points
    ]
    found = json.dumps({"networks": described, "points": rows})
    facts = {name: value for name, value in made.items() if name != "plan"}
    save_tensors(tensors, path, {"made": json.dumps(facts), "budgets": found})


def _digest(tensor: torch.Tensor) -> str:
    digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)} ".encode())
    digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:32]
