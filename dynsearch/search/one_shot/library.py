"""A study's one-shot networks and the score grids they gave: made when first asked for, kept on disk."""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from dynsearch.data.loader import Batches, begin_epoch
from dynsearch.families.grid.one_shot import FedNetwork, OneShotNetwork
from dynsearch.measures import COUNTED, CostMeasure
from dynsearch.network.weights.files import load_strictly, read_tensors, save_tensors
from dynsearch.plan import Plan
from dynsearch.scores.score_grid import ScoreGrid
from dynsearch.search.driver import Observer
from dynsearch.search.one_shot.sandwich import OTHERS_WEIGHT
from dynsearch.search.one_shot.scoring import SPLIT, fill_grid, open_grid
from dynsearch.search.one_shot.shape import Shape
from dynsearch.search.one_shot.training import order_file, trained_one_shot
from dynsearch.space import SearchSpace
from dynsearch.study.recipe import OneShotConfig
from dynsearch.study.run_settings import DEFAULT_RUN, RunSettings
from dynsearch.training.clip_source import ClipSource
from dynsearch.training.config import RefitConfig, TrainingConfig
from dynsearch.training.device import pick_device
from dynsearch.training.made import WEIGHTS, facts_in
from dynsearch.training.refit import refit_heads

FIT = RefitConfig(passes=1, seeds=1)
"""How heads are fitted for each order; more of either brought nothing."""


@dataclass
class Library:
    """Trains a network for each shape of the space's plans, and scores each frame order once.

    Networks learn from the training split and are scored on calibration; test is not touched. ``folder`` has a folder
    for each shape.
    """

    folder: Path
    space: SearchSpace
    source: ClipSource
    settings: OneShotConfig
    config: TrainingConfig
    seed: int
    observer: Observer
    run: RunSettings = DEFAULT_RUN
    measure: CostMeasure = COUNTED
    _last: tuple[Shape, OneShotNetwork] | None = field(default=None, init=False)

    def grid(self, trunk: Plan) -> ScoreGrid:
        """Return the logits of every cell on calibration, under the trunk's order, groups and shift.

        Raises:
            WeightsError: The starting weights can't be had.
            TrainingError: Training broke.
            ScoresError: The grid would be too large.
        """
        shape = Shape.of(trunk)
        folder = self.folder / shape.folder_name / "grids" / trunk.plan_id
        weights = self.folder / shape.folder_name / WEIGHTS
        if not weights.is_file():
            self._network(shape)
        writer = open_grid(
            folder,
            trunk,
            self.source,
            first_depth=self.space.exits.min_depth,
            weights=self._key(weights),
            max_bytes=self.run.max_grid_bytes,
            measure=self.measure,
        )
        if writer.num_done < writer.num_videos:
            self.observer.noted(
                f"scoring order {trunk.frame_order}, {trunk.temporal_shift}, on {writer.num_videos} calibration "
                f"videos: {writer.num_bytes / 1e6:,.1f} MB"
            )
            network = self.prepared(trunk)
            fill_grid(writer, network, self._loader(SPLIT, trunk, training=False), pick_device())
        return ScoreGrid.load(folder)

    def prepared(self, trunk: Plan) -> FedNetwork:
        """Return the trunk's network with statistics and heads for its order, which are kept in a file."""
        device, shape, path = pick_device(), Shape.of(trunk), order_file(self.folder, trunk)
        own = self._network(shape)
        # Laid out as trainings leave it: one that is read from its file gives the same to the last digit.
        network = FedNetwork(own, trunk).to(device).to(memory_format=torch.channels_last)
        made = self._key(self.folder / shape.folder_name / WEIGHTS)
        if path.is_file() and facts_in(path) == {"of": made}:
            load_strictly(own, own.state_dict() | read_tensors(path), path)
            return network.eval()
        self._prepare(network, device)
        path.parent.mkdir(exist_ok=True)
        save_tensors(own.of_order(), path, {"made": json.dumps({"of": made})})
        return network

    def _prepare(self, network: FedNetwork, device: torch.device) -> None:
        """Give the network statistics and heads for the trunk's order."""
        training = self._loader("train", network.plan, training=True)
        begin_epoch(training, 0)
        reestimate_norms(
            network, lambda clips: network(clips.to(device)), training, self.settings.norm_batches
        )
        if self.config.refit_heads is not None:
            config = self.config.model_copy(update={"refit_heads": FIT})
            refit_heads([network], self.source, config, device=device, seed=self.seed)

    def _key(self, weights: Path) -> str:
        """Return what makes the network's answers under an order: its weights, and whether heads are fitted for it."""
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
        return digest if self.config.refit_heads is None else f"{digest} {FIT!r}"

    def _loader(self, split: str, trunk: Plan, *, training: bool) -> Batches:
        return self.source.loader(split, trunk, self.config, training=training, seed=self.seed)

    def _network(self, shape: Shape) -> OneShotNetwork:
        """Return the shape's network; only the last one asked for is kept in memory."""
        if self._last is None or self._last[0] != shape:
            self._last = None
            folder = self.folder / shape.folder_name
            epochs = self.settings.training(self.config).epochs
            exits = self.space.exits.max_depth - self.space.exits.min_depth + 1 + OTHERS_WEIGHT
            if not (folder / WEIGHTS).is_file():
                self.observer.staged("one-shot network", 0, 0)
                self.observer.noted(f"one-shot network for {shape}: {epochs} epochs")
            network = trained_one_shot(
                shape,
                self.space,
                self.source,
                self.settings,
                self.config,
                folder,
                seed=self.seed,
                run=self.run,
                on_report=lambda report: self.observer.advanced("one-shot network", exits, epochs, report),
            )
            self._last = (shape, network)
        return self._last[1]


@torch.no_grad()
def reestimate_norms(
    network: nn.Module, run: Callable[[torch.Tensor], Any], batches: Iterable[Any], num_batches: int
) -> None:
    """Set the statistics of all batch normalisations in ``network`` to their mean over some batches.

    A one-shot network's own are a mixture over all the orders it was trained under, and right for none (Yu & Huang,
    ICCV 2019, section 3.3). ``run`` runs the network on clips, under the order in question; the labels of ``batches``,
    of the training split, are not looked at. With 0 of them everything stays; the network is left in evaluation mode.
    """
    network.eval()
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    if not norms or num_batches == 0:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # A plain mean over the batches.
        norm.train()
    for clips, _, _ in itertools.islice(batches, num_batches):
        run(clips)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()
