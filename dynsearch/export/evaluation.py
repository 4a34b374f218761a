"""Dynamic inference over a split, for real: every video stops where its policy says."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from dynsearch.export.latency import Latency, Stopwatch
from dynsearch.export.loaded import LoadedNetwork
from dynsearch.frontier import Interval, bootstrap_difference, share_interval
from dynsearch.measures import COUNTED, CostMeasure
from dynsearch.network.waiting import Waiting
from dynsearch.scores import ExitScores
from dynsearch.scores.metrics import measure as measured
from dynsearch.scores.spread import Spread
from dynsearch.thresholds import ExitPolicy
from dynsearch.timing.tables import TableCosts


@dataclass(frozen=True)
class Evaluation:
    """What dynamic inference achieved on a split, and full inference on the same videos in the same run.

    Attributes:
        plan_id: The network's plan.
        exits: Its exits, as the plan writes them.
        exit_costs: What reaching each costs.
        num_videos: N.
        top1: Share of right answers, 0..1.
        metrics: Further metrics by name, for instance ``top5`` or ``map``, 0..1.
        cost: Mean cost per video.
        exit_share: Share of videos that stopped at each exit.
        seconds: Time in the network; reading the videos is not counted.
        full_top1: Share of right answers if no video stops early.
        full_metrics: The further metrics then.
        full_cost: Cost per video then.
        full_seconds: Time in the network then.
        difference: 95% bootstrap interval of ``top1`` minus ``full_top1`` (paired).
        interval: 95% interval of ``top1``, as of new groups where videos come in groups.
        num_groups: How many groups the videos are of; None where each is its own.
        measure: What costs are in.
        runtime: What ran the network.
        latency: Where the budget is of measured time, what it was, beside what the table says.
    """

    plan_id: str
    exits: tuple[str, ...]
    exit_costs: tuple[float, ...]
    num_videos: int
    top1: float
    metrics: dict[str, float]
    cost: float
    exit_share: tuple[float, ...]
    seconds: float
    full_top1: float
    full_metrics: dict[str, float]
    full_cost: float
    full_seconds: float
    difference: Interval
    interval: Interval
    num_groups: int | None = None
    measure: CostMeasure = COUNTED
    runtime: str = "eager"
    latency: Latency | None = None


def evaluate(
    loaded: LoadedNetwork,
    loader: Iterable[tuple[torch.Tensor, torch.Tensor, torch.Tensor]],
    metrics: Iterable[str] = (),
    on_videos: Callable[[int], None] | None = None,
    activation: str = "",
    groups: Sequence[str] | None = None,
    *,
    batch: int = 32,
    max_waiting: int | None = None,
) -> Evaluation:
    """Run every clip of ``loader`` until its exit is sure enough, and again to the last exit.

    Args:
        batch: Videos to a step; those that go on wait until so many are there.
        max_waiting: How many may wait; None: four batches.
        loaded: The network with its policy.
        loader: Batches of (clips (B, T, C, H, W), labels (B,) or 0/1 (B, K), indices (B,)).
        metrics: Names of further metrics, keys of ``scores.metrics.METRICS``.
        on_videos: Told after every batch how many videos are done.
        activation: What made probabilities of logits in the network's loss, as in :class:`~dynsearch.ExitScores`.
        groups: What each video, in the loader's order, shares with others.
    """
    policy = loaded.bundle.policy
    full = ExitPolicy.never_early(policy.num_exits, plan_id=policy.plan_id)
    runtime, steps = loaded.ready
    limit = 4 * batch if max_waiting is None else max_waiting
    waiting = Waiting(loaded.bundle.plan, steps, policy, batch=batch, max_waiting=limit)
    costs = loaded.network.measure.costs
    stopwatch = Stopwatch(loaded, costs) if isinstance(costs, TableCosts) else None
    late, truth, seconds, full_seconds = [], [], 0.0, 0.0
    for clips, labels, _ in loader:
        clips = clips.to(loaded.device)
        seconds += _timed(waiting.feed, clips)[1]
        full_result, spent = _timed(loaded.network.forward_until, clips, full, steps)
        full_seconds += spent
        if stopwatch:
            stopwatch.feed(clips)
        late.append(full_result.logits.numpy())
        truth.append(labels.numpy())
        if on_videos:
            on_videos(sum(map(len, truth)))
    seconds += _timed(waiting.finish)[1]
    result = loaded.network.result(waiting.taken())
    exit_N, early_NK = result.exit, result.logits.numpy()
    late_NK, truth_N = map(np.concatenate, (late, truth))
    cost_E = np.asarray(loaded.network.cost_E)
    share_E = np.bincount(exit_N, minlength=len(cost_E)) / len(exit_N)
    ends = ExitScores.from_logits(
        [early_NK, late_NK], truth_N, cost_E[[0, -1]], activation=activation, groups=groups
    )
    right_N, late_N = ends.correct()
    spread = Spread.of(ends.groups, exit_N, cost_E, right_N) if ends.groups else None
    stopped_N, last_N = np.zeros_like(exit_N), np.ones_like(exit_N)
    further = [name for name in metrics if name != "top1"]
    plan = loaded.bundle.plan
    return Evaluation(
        plan_id=plan.plan_id,
        exits=tuple(map(str, plan.exits.exits)),
        exit_costs=tuple(cost_E.tolist()),
        num_videos=len(exit_N),
        top1=float(right_N.mean()),
        metrics={name: measured(name, ends, stopped_N) for name in further},
        cost=float(share_E @ cost_E),
        exit_share=tuple(share_E.tolist()),
        seconds=seconds,
        full_top1=float(late_N.mean()),
        full_metrics={name: measured(name, ends, last_N) for name in further},
        full_cost=float(cost_E[-1]),
        full_seconds=full_seconds,
        difference=bootstrap_difference(right_N, late_N, ends.groups),
        interval=share_interval(float(right_N.mean()), len(exit_N), spread),
        num_groups=len(ends.groups) if ends.groups else None,
        measure=loaded.network.measure,
        runtime=runtime,
        latency=stopwatch.read(share_E.tolist()) if stopwatch else None,
    )


def _timed(function: Callable[..., Any], *given: Any) -> tuple[Any, float]:
    """Return the result and the seconds it took; answers are copied to the CPU, so all work is done by then."""
    started = time.perf_counter()
    return function(*given), time.perf_counter() - started
