"""Training a one-shot network, or going on with it."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from dynsearch.families import build_network
from dynsearch.families.grid.one_shot import FedNetwork, OneShotNetwork
from dynsearch.files import write_text
from dynsearch.network import MultiExitNetwork
from dynsearch.network.losses import EXIT_LOSSES
from dynsearch.network.weights.files import load_strictly, load_weights, read_tensors, save_weights
from dynsearch.network.weights.start import start_backbones
from dynsearch.plan import Exit, ExitPlacement, Plan
from dynsearch.search.one_shot.sandwich import SandwichTraining, weighted
from dynsearch.search.one_shot.shape import Shape
from dynsearch.space import SearchSpace
from dynsearch.study.recipe import OneShotConfig
from dynsearch.study.run_settings import DEFAULT_RUN, RunSettings
from dynsearch.training.clip_source import ClipSource
from dynsearch.training.config import TrainingConfig
from dynsearch.training.device import pick_device
from dynsearch.training.loop import EpochReport, train
from dynsearch.training.made import STATE, WEIGHTS, Made, first_text, former_text, hashed
from dynsearch.training.metrics_log import MetricsLog
from dynsearch.training.progress import StepReport
from dynsearch.training.ranks import ALONE, Ranks
from dynsearch.training.refit import let_heads_wait
from dynsearch.training.seeding import seed_torch
from dynsearch.training.state import TrainingState


def build_one_shot(
    trunk: Plan, space: SearchSpace, num_classes: int, settings: OneShotConfig, *, dropout: float = 0.0
) -> OneShotNetwork:
    """Return a freshly initialised one-shot network for the plans of ``space`` on ``trunk``."""
    return OneShotNetwork(
        trunk,
        num_classes,
        first_depth=space.exits.min_depth,
        share_heads=settings.heads == "depth",
        dropout=dropout,
    )


def trained_one_shot(
    shape: Shape,
    space: SearchSpace,
    source: ClipSource,
    settings: OneShotConfig,
    plans_config: TrainingConfig,
    folder: Path,
    *,
    seed: int,
    run: RunSettings = DEFAULT_RUN,
    on_report: Callable[[EpochReport | StepReport], None] | None = None,
    ranks: Ranks = ALONE,
    halvings: int = 0,
    look: Callable[[OneShotNetwork, int], None] = lambda network, epoch: None,
) -> OneShotNetwork:
    """Return the one-shot network of ``shape``, trained; what is done already is read from ``folder``.

    ``space`` is the whole space, ``plans_config`` how plans are trained: the one-shot network is trained likewise, by
    the processes of ``ranks`` together, each of which returns it. The seed decides initial weights, order of the
    videos, augmentation, and what is drawn. ``halvings`` is how often the batch is halved; ``look`` is shown the
    network after every epoch, and asked again where training goes on after one.

    Raises:
        InputError: ``folder`` holds a network, trained or not, that other settings or videos made.
        WeightsError: The starting weights can't be had.
        TrainingError: The loss is not a finite number.
    """
    config = settings.training(plans_config).halved(halvings)
    trunk, part = shape.finest_trunk(space), shape.within(space)
    seed_torch(seed, "init")
    network = build_one_shot(trunk, space, source.num_classes, settings, dropout=config.dropout)
    let_heads_wait(FedNetwork(network, trunk), config)
    weights = folder / WEIGHTS
    facts: dict[str, Any] = {
        "space": part.fingerprint,
        "one_shot": settings.facts(),
        "torch": str(torch.__version__),
        "processes": ranks.count,
    } | ({"halvings": halvings} if halvings else {})
    made = Made.by(source.key, plans_config, seed, trunk, **facts)
    ranks.from_first(lambda: made.check(folder))
    drawn = (settings.cells_per_step, settings.heads, seed, torch.__version__)
    paced = (run.num_workers, run.save_every_steps, run.timeout)
    texts = (former_text(config), first_text(config, *paced))
    former = tuple(hashed(part.fingerprint, source.fingerprint, text, *drawn) for text in texts)
    state = TrainingState(folder / STATE, replace(made, former=former), every=run.save_every_steps)
    if ranks.from_first(weights.is_file):
        if ranks.is_first:
            load_weights(network, weights)
            state.delete()
        ranks.share(network)
        return network.eval()
    if ranks.is_first:
        loaded = start_backbones(network, pretrained=config.pretrained, weights=config.weights)
        folder.mkdir(parents=True, exist_ok=True)
        if loaded:
            write_text(folder / "started.txt", "".join(f"{one}\n" for one in loaded))
    num_depths = space.exits.max_depth - space.exits.min_depth + 1

    def tell(report: EpochReport) -> None:
        if on_report:
            on_report(report)
        look(network, report.epoch)

    with MetricsLog(folder, tell, writes=ranks.is_first) as log:
        train(
            SandwichTraining(network, part, settings.cells_per_step),
            source.loader("train", trunk, config, training=True, seed=seed, ranks=ranks),
            config,
            device=pick_device(),
            seed=seed,
            state=state,
            ranks=ranks,
            on_epoch=log.add,
            on_resume=functools.partial(look, network),
            on_step=on_report if ranks.is_first else None,
            loss=weighted(EXIT_LOSSES[config.exit_loss], num_depths),
        )
    if ranks.is_first:
        save_weights(network, weights, made.text)
        state.delete()
    return network.eval()


def trunk_of(plan: Plan, space: SearchSpace) -> Plan:
    """Return the trunk that stands for ``plan``: the last cell of its grid as its only exit."""
    return replace(plan, exits=ExitPlacement((Exit(plan.num_sets, space.exits.max_depth),)))


def order_file(home: Path, trunk: Plan) -> Path:
    """Return where the weights are that the trunk's network has for its frame order, below ``home`` of all networks."""
    return home / Shape.of(trunk).folder_name / "orders" / f"{trunk.plan_id}.safetensors"


@dataclass(frozen=True)
class SharedWeights:
    """Cuts plans' networks out of the one-shot networks that stood for them. Can be sent to another process.

    The seed decides what a head begins with that the one-shot network does not have.
    """

    folder: Path
    space: SearchSpace
    num_classes: int
    settings: OneShotConfig
    seed: int

    @property
    def facts(self) -> dict[str, Any]:
        """What makes a training that starts from them, besides what makes the study's results."""
        epochs = self.settings.finish_epochs
        return {"one_shot": self.settings.facts()} | ({"epochs": epochs} if epochs else {})

    def network(self, plan: Plan, trunk: Plan | None = None) -> MultiExitNetwork:
        """Return ``plan``'s network with its one-shot network's weights; of ``trunk``, those for its frame order.

        Raises:
            WeightsError: They are missing or damaged.
        """
        shape = Shape.of(plan)
        finest = shape.finest_trunk(self.space)
        one_shot = build_one_shot(finest, self.space, self.num_classes, self.settings)
        load_weights(one_shot, self.folder / shape.folder_name / WEIGHTS)
        if trunk is not None:
            path = order_file(self.folder, trunk)
            load_strictly(one_shot, one_shot.state_dict() | read_tensors(path), path)
        seed_torch(self.seed, "init")
        network = build_network(plan, self.num_classes)
        own = network.state_dict()
        network.load_state_dict(own | {k: v for k, v in one_shot.weights_of(plan).items() if k in own})
        return network
