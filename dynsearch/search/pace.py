"""How fast this device reads, trains and scores a study's networks: a few timed steps, which move no random state."""

import contextlib
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from dynsearch.families import build_network
from dynsearch.families.grid.one_shot import FedNetwork
from dynsearch.measures import COUNTED
from dynsearch.network import PlannedNetwork
from dynsearch.network.losses import EXIT_LOSSES, ExitLoss
from dynsearch.plan import Plan
from dynsearch.search.one_shot.sandwich import SandwichTraining, TorchDraws, weighted
from dynsearch.search.one_shot.shape import Shape
from dynsearch.search.one_shot.training import build_one_shot
from dynsearch.space import SearchSpace
from dynsearch.study.recipe import StudyRecipe
from dynsearch.training.config import RefitConfig, TrainingConfig
from dynsearch.training.device import pick_device
from dynsearch.training.refit import let_heads_wait, refit_heads
from dynsearch.training.source import DatasetClips
from dynsearch.training.stepper import Stepper

_VIDEOS = 8  # read, and trained on again and again
_STEPS = 2  # that are timed, the shorter of which counts
_CPU_MACS = 1e10  # of a step on a CPU at most; where a batch takes more, fewer videos are timed


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Seconds a video on ``device``, on as many threads as a trial has.

    Attributes:
        cache: To decode the frames that are kept.
        read: To read a clip in one process.
        shared: A training step of the one-shot network.
        alone: Of a plan.
        dense: To score all cells of the one-shot network; a plan where there is none.
        score: To score a plan.
        fit: To fit the heads anew in one pass over 128 videos; not of a video.
        memory: Bytes that a process takes which trains.
    """

    device: str
    cache: float
    read: float
    shared: float
    alone: float
    dense: float
    score: float
    fit: float
    memory: float


def drawn_plans(space: SearchSpace, num_classes: int) -> list[tuple[float, Plan]]:
    """Return some plans of the space and what their last exits cost, in GMACs, cheapest first."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        plans = {plan.plan_id: plan for plan in (space.sample(TorchDraws()) for _ in range(12))}
    costs = [(COUNTED.cost_E(plan, num_classes)[-1], plan) for plan in plans.values()]
    return sorted(costs, key=lambda found: found[0])


def measured_pace(
    recipe: StudyRecipe,
    space: SearchSpace,
    source: DatasetClips,
    plan: Plan,
    gmacs: float,
    threads: int,
    network_threads: int,
) -> Pace:
    """Time the study's steps for ``plan``, whose last exit costs ``gmacs``.

    On a CPU a trial has so many threads, and a one-shot network ``network_threads``.
    """
    device, config = pick_device(), recipe.training.model_copy(update={"compile": False})
    on_cpu, batch = device.type == "cpu", config.batch_size
    if on_cpu:
        batch = max(2, min(batch, int(_CPU_MACS / 3e9 / gmacs)))
    with (
        tempfile.TemporaryDirectory() as folder,
        torch.random.fork_rng(),
        _threads(threads if on_cpu else None),
    ):
        few, begun = source.few(_VIDEOS, Path(folder)), _now()
        loader = few.loader("train", plan, config, training=True, seed=recipe.seed)
        kept = _now()
        read = list(loader)
        cache, reading = (kept - begun) / _VIDEOS, (_now() - kept) / _VIDEOS
        rows = torch.arange(batch) % _VIDEOS
        clips, labels = (torch.cat([one[i] for one in read])[rows % len(rows)].to(device) for i in (0, 1))
        before, trunk = _peak(device), Shape.of(plan).finest_trunk(space)
        own = build_network(plan, source.num_classes, dropout=config.dropout)
        let_heads_wait(own, config)
        fed: PlannedNetwork = own
        shared = dense = 0.0
        if recipe.strategy == "one-shot":
            network = build_one_shot(
                trunk, space, source.num_classes, recipe.one_shot, dropout=config.dropout
            )
            fed = FedNetwork(network, trunk)
            let_heads_wait(fed, config)
            part, how = Shape.of(plan).within(space), recipe.one_shot.training(config)
            loss = weighted(EXIT_LOSSES[how.exit_loss], space.exits.max_depth - space.exits.min_depth + 1)
            cells = SandwichTraining(network, part, recipe.one_shot.cells_per_step)
            with _threads(network_threads if on_cpu else None):
                shared = _training(cells, how, clips, labels, loss) / batch
        dense = _scoring(fed, clips) / batch
        alone, score = _training(own, config, clips, labels) / batch, _scoring(own, clips) / batch
        memory = _peak(device)
        memory += (memory - before) * (config.batch_size / batch - 1)
        fit = 0.0 if config.refit_heads is None else _fitting(fed, few, config, device)
    if not on_cpu:
        torch.cuda.empty_cache()
    name = (
        f"this CPU ({threads} thread{'s' * (threads > 1)} a trial)"
        if on_cpu
        else torch.cuda.get_device_name(device)
    )
    return Pace(
        device=name, cache=cache, read=reading, shared=shared, alone=alone, dense=dense, score=score, fit=fit,
        memory=memory,
    )  # fmt: skip


@contextlib.contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Compute on so many threads of the CPU, as the processes of an engine do; None leaves them."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def _training(
    network: PlannedNetwork,
    config: TrainingConfig,
    clips: torch.Tensor,
    labels: torch.Tensor,
    loss: ExitLoss | None = None,
) -> float:
    stepper = Stepper(network, config, clips.device, loss=loss)
    stepper.begin_epoch()

    def step() -> None:
        network.draw()
        stepper.step(clips, labels, 0.0)

    return _timed(step)


@torch.inference_mode()
def _scoring(network: PlannedNetwork, clips: torch.Tensor) -> float:
    network.to(clips.device).eval()
    return _timed(lambda: network(clips))


def _fitting(
    network: PlannedNetwork, source: DatasetClips, config: TrainingConfig, device: torch.device
) -> float:
    times = [_now()]
    for epochs in (2, 6):
        how = config.model_copy(update={"refit_heads": RefitConfig(passes=1, seeds=1, epochs=epochs)})
        refit_heads([network], source, how, device=device, seed=0)
        times.append(_now())
    return max(0.0, times[2] - times[1] - (times[1] - times[0])) / 4


def _timed(action: Callable[[], object]) -> float:
    """Return the seconds of one call, after one that is not counted."""
    action()
    times = []
    for _ in range(_STEPS):
        begun = _now()
        action()
        times.append(_now() - begun)
    return min(times)


def _peak(device: torch.device) -> float:
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
