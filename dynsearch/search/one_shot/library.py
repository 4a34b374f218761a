"""A study's one-shot networks and the score grids they gave: made when first asked for, kept on disk."""

from __future__ import annotations

import copy
import functools
import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from dynsearch.data.loader import begin_epoch
from dynsearch.families.grid.one_shot import FedNetwork, OneShotNetwork
from dynsearch.measures import COUNTED, CostMeasure
from dynsearch.network.weights.files import load_strictly, read_tensors, save_tensors
from dynsearch.plan import Exit, ExitPlacement, FrameOrder, Plan
from dynsearch.scores.grid_files import GridWriter
from dynsearch.scores.score_grid import ScoreGrid
from dynsearch.search.engines import Job
from dynsearch.search.halving import rungs
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
from dynsearch.training.loop import EpochReport
from dynsearch.training.made import WEIGHTS, facts_in
from dynsearch.training.progress import StepReport
from dynsearch.training.ranks import ALONE, Ranks
from dynsearch.training.refit import refit_heads

if TYPE_CHECKING:
    from dynsearch.search.driver import Observer

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
    _ranks: Ranks = field(default=ALONE, init=False)
    _halvings: int = field(default=0, init=False)
    _last: tuple[Shape, OneShotNetwork] | None = field(default=None, init=False)

    def networks(self, trunks: Iterable[Plan]) -> Iterator[Job]:
        """Yield the jobs that make the networks which some trunks lack."""
        for number, shape in enumerate(dict.fromkeys(map(Shape.of, trunks))):
            if not self._weights(shape).is_file():
                trunk, folder = shape.finest_trunk(self.space), self._weights(shape).parent
                yield Job(number, trunk, folder, kind="network", alone=len(Shape.all_in(self.space)) == 1)

    def orders(self, trunks: Iterable[Plan]) -> Iterator[Job]:
        """Yield the jobs that prepare and score the orders of trunks, where that is not done; networks are there."""
        for number, trunk in enumerate(trunks):
            writer = self._writer(trunk)
            if writer.num_done < writer.num_videos or not self._is_prepared(trunk):
                yield Job(number, trunk, order_file(self.folder, trunk).with_suffix(""), kind="order")

    def announce(self, job: Job) -> None:
        """Say that a job of these begins."""
        if job.kind == "network":
            self.observer.staged("one-shot network", 0, 0)
            self.observer.noted(f"one-shot network for {Shape.of(job.plan)}: {self._epochs} epochs")
        elif (writer := self._writer(trunk := job.plan)).num_done < writer.num_videos:
            self.observer.noted(
                f"scoring order {trunk.frame_order}, {trunk.temporal_shift}, on {writer.num_videos} calibration "
                f"videos: {writer.num_bytes / 1e6:,.1f} MB"
            )

    def make(
        self,
        job: Job,
        on_report: Callable[[EpochReport | StepReport], None],
        ask: Callable[[int, float], None] = lambda epoch, top1: None,
    ) -> None:
        """Do a job here; processes of a group of torch's do it together.

        ``ask`` is called at the network's rungs, once its grid there is written.
        """
        self._ranks, self._halvings = Ranks.current(), job.halvings
        if job.kind == "network":
            look = functools.partial(self._look, job.plan, ask)
            self._network(Shape.of(job.plan), on_report, look)
            return
        self._fill(self._grid_folder(job.plan), self.prepared(job.plan), self._key(job.plan))

    def _fill(self, folder: Path, network: FedNetwork, weights: str) -> None:
        """Score the network on calibration, together with the other processes."""
        writer = self._writer(network.plan, folder, weights) if self._ranks.is_first else None
        config = self.config.halved(self._halvings)
        how: dict[str, Any] = {"training": False, "seed": self.seed, "ranks": self._ranks}
        loader = self.source.loader(SPLIT, network.plan, config, **how)
        fill_grid(writer, network, loader, pick_device(), self._ranks)

    @property
    def rungs(self) -> tuple[int, ...]:
        """After how many epochs a network may be stopped; never where the space has one shape only."""
        return rungs("asha", self._epochs, 0) if len(Shape.all_in(self.space)) > 1 else ()

    def rung_folder(self, shape: Shape, epoch: int) -> Path:
        """Return where the grid lies of the shape's network as it was after an epoch."""
        return self._weights(shape).with_name("rungs") / str(epoch)

    def _look(self, trunk: Plan, ask: Callable[[int, float], None], own: OneShotNetwork, epoch: int) -> None:
        """Score the network in training, which stays as it is, and ask whether it goes on."""
        if epoch in self.rungs:
            sets = Shape.of(trunk).within(self.space).frames[0].num_sets
            order = FrameOrder.named(self.space.frame_orders[0], sets)
            exits = ExitPlacement((Exit(sets, self.space.exits.max_depth),))
            fed = FedNetwork(copy.deepcopy(own), replace(trunk, frame_order=order, exits=exits))
            if self._ranks.is_first:
                self._take_norms(fed.to(pick_device()))
            self._ranks.share(fed.to(pick_device()))
            self._fill(self.rung_folder(Shape.of(trunk), epoch), fed, f"epoch {epoch}")
            ask(epoch, 0.0)

    def grid(self, trunk: Plan) -> ScoreGrid:
        """Return the logits of every cell on calibration, under the trunk's order, groups and shift.

        Raises:
            WeightsError: The starting weights can't be had.
            TrainingError: Training broke.
            ScoresError: The grid would be too large.
        """
        missing = list(self.networks([trunk]))
        writer = None if missing else self._writer(trunk)
        if writer is None or writer.num_done < writer.num_videos:
            for job in itertools.chain(missing, self.orders([trunk])):
                self.announce(job)
                self.make(job, functools.partial(self.advanced, job))
        return ScoreGrid.load(self._grid_folder(trunk))

    def advanced(self, job: Job, report: EpochReport | StepReport) -> None:
        """Say how far a network's training is."""
        exits = self.space.exits.max_depth - self.space.exits.min_depth + 1 + OTHERS_WEIGHT
        one_of = f" {Shape.of(job.plan).folder_name}" if self.rungs else ""
        self.observer.advanced(f"one-shot network{one_of}", exits, self._epochs, report)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "observer": None, "_last": None}

    @property
    def _epochs(self) -> int:
        return self.settings.training(self.config).epochs

    def _weights(self, shape: Shape) -> Path:
        return self.folder / shape.folder_name / WEIGHTS

    def _grid_folder(self, trunk: Plan) -> Path:
        return self._weights(Shape.of(trunk)).with_name("grids") / trunk.plan_id

    def _writer(self, trunk: Plan, folder: Path | None = None, weights: str = "") -> GridWriter:
        return open_grid(
            folder or self._grid_folder(trunk),
            trunk,
            self.source,
            first_depth=self.space.exits.min_depth,
            weights=weights or self._key(trunk),
            max_bytes=self.run.max_grid_bytes,
            measure=self.measure,
        )

    def prepared(self, trunk: Plan) -> FedNetwork:
        """Return the trunk's network with statistics and heads for its order, which are kept in a file."""
        device, path = pick_device(), order_file(self.folder, trunk)
        own = self._network(Shape.of(trunk))
        # Laid out as trainings leave it: one that is read from its file gives the same to the last digit.
        network = FedNetwork(own, trunk).to(device).to(memory_format=torch.channels_last)
        if self._ranks.is_first and self._is_prepared(trunk):
            load_strictly(own, own.state_dict() | read_tensors(path), path)
        elif self._ranks.is_first:
            self._take_norms(network)
            if self.config.refit_heads is not None:
                config = self.config.halved(self._halvings).model_copy(update={"refit_heads": FIT})
                refit_heads([network], self.source, config, device=device, seed=self.seed)
            path.parent.mkdir(exist_ok=True)
            save_tensors(own.of_order(), path, {"made": json.dumps({"of": self._key(trunk)})})
        self._ranks.share(own)
        return network.eval()

    def _is_prepared(self, trunk: Plan) -> bool:
        return facts_in(order_file(self.folder, trunk)) == {"of": self._key(trunk)}

    def _take_norms(self, network: FedNetwork) -> None:
        """Give the network statistics for the order that feeds it."""
        device, config = pick_device(), self.config.halved(self._halvings)
        training = self.source.loader("train", network.plan, config, training=True, seed=self.seed)
        begin_epoch(training, 0)
        reestimate_norms(
            network, lambda clips: network(clips.to(device)), training, self.settings.norm_batches
        )

    def _key(self, trunk: Plan) -> str:
        """Return what makes the network's answers under an order: its weights, and whether heads are fitted for it."""
        digest = hashlib.sha256(self._weights(Shape.of(trunk)).read_bytes()).hexdigest()[:16]
        return digest if self.config.refit_heads is None else f"{digest} {FIT!r}"

    def _network(
        self,
        shape: Shape,
        on_report: Callable[[EpochReport | StepReport], None] | None = None,
        look: Callable[[OneShotNetwork, int], None] = lambda network, epoch: None,
    ) -> OneShotNetwork:
        """Return the shape's network; only the last one asked for is kept in memory."""
        if self._last is None or self._last[0] != shape:
            self._last = None
            network = trained_one_shot(
                shape,
                self.space,
                self.source,
                self.settings,
                self.config,
                self._weights(shape).parent,
                seed=self.seed,
                run=self.run,
                on_report=on_report,
                ranks=self._ranks,
                halvings=self._halvings,
                look=look,
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
