"""From a plan to exit scores: build, train, save, measure. Every step that is done already is skipped."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from dynsearch.data.identity import DataIdentity
from dynsearch.data.loader import Batches
from dynsearch.errors import InputError
from dynsearch.families import build_network, family_of
from dynsearch.locks import held_lock
from dynsearch.measures import COUNTED, CostMeasure
from dynsearch.network import MultiExitNetwork
from dynsearch.network.weights.files import load_weights, save_weights
from dynsearch.plan import Plan
from dynsearch.scores import ExitScores
from dynsearch.training.config import TrainingConfig
from dynsearch.training.device import pick_device
from dynsearch.training.loop import EpochReport, train
from dynsearch.training.metrics_log import MetricsLog
from dynsearch.training.progress import OnStep
from dynsearch.training.ranks import ALONE, Ranks
from dynsearch.training.scorer import score
from dynsearch.training.seeding import seed_torch
from dynsearch.training.settings_key import settings_text
from dynsearch.training.state import TrainingState

HELD_OUT = ("calibration", "test")


class ClipSource(Protocol):
    """Where a network's clips come from: one data set with its disjoint splits.

    Attributes:
        num_classes: K.
        fingerprint: Changes when the ids of the videos of a split do.
    """

    num_classes: int
    fingerprint: str

    @property
    def identity(self) -> DataIdentity:
        """What results on these clips hang on."""

    def loader(
        self,
        split: str,
        plan: Plan,
        config: TrainingConfig,
        *,
        training: bool,
        seed: int,
        ranks: Ranks = ALONE,
    ) -> Batches:
        """Return this process's batches of (clips, labels, indices) of ``split`` as ``plan`` wants them."""

    def video_ids(self, split: str) -> Sequence[str]:
        """Return the names of the split's videos; the loader's indices point into them."""

    def labels(self, split: str) -> npt.NDArray[np.generic]:
        """Return the labels of the split's videos, (N,), or (N, K) where they may have several."""


class Probe(Protocol):
    """Looks at a network in training.

    Attributes:
        epochs: After how many finished epochs.
    """

    @property
    def epochs(self) -> Collection[int]:
        """After how many finished epochs."""

    def show(self, epoch: int, calibration: ExitScores) -> None:
        """Told the network's scores; asked again after an interruption there. Whatever it raises ends training."""


@dataclass(frozen=True)
class TrainedScores:
    """Exit scores of one trained network on the two splits that training never saw."""

    calibration: ExitScores
    test: ExitScores


def train_and_score(
    plan: Plan,
    source: ClipSource,
    config: TrainingConfig,
    folder: Path,
    *,
    seed: int = 0,
    start_from: Path | None = None,
    bases: Path | None = None,
    save_every_steps: int | None = 1000,
    measure: CostMeasure = COUNTED,
    ranks: Ranks = ALONE,
    on_epoch: Callable[[EpochReport], None] | None = None,
    on_step: OnStep | None = None,
    probe: Probe | None = None,
) -> TrainedScores:
    """Train the plan's network and measure it on calibration and test.

    Writes ``plan.yaml``, ``metrics.jsonl``, ``weights.safetensors``, ``scores-calibration.npz``,
    ``scores-test.npz`` and TensorBoard's event files into ``folder``; of several processes the first does. Called
    again after an interruption it goes on where it stopped; called again after the end it only reads the scores.

    Args:
        plan: What to train.
        source: The clips.
        config: Training settings.
        folder: Where the files go.
        seed: Decides initial weights, order of the videos, augmentation and dropout.
        start_from: Weights of the whole network to start from, as written by an earlier training.
        bases: Where trained networks lie that others are built on, by ``plan_id``; one that is not there is
            trained first, by the same settings. Default: ``bases`` in ``folder``.
        save_every_steps: Steps after which the state is saved within an epoch; None saves it after each epoch only.
        measure: What the network's costs are in.
        ranks: The processes that train together; each returns the scores.
        on_epoch: Called after every epoch, in every process.
        on_step: Called a few times a second, while training and scoring, in the first process.
        probe: Shown the network's scores on calibration after some epochs.

    Raises:
        InputError: An interrupted training had another number of processes.
        PlanError: The plan's network can't be built.
        WeightsError: The starting weights can't be had.
        TrainingError: The loss is not a finite number.
    """
    finished = ranks.from_first(lambda: read_scores(folder, plan))
    if finished is not None:
        return finished
    device = pick_device()
    on_step = on_step if ranks.is_first else None
    seed_torch(seed, "init")
    network = build_network(plan, source.num_classes, dropout=config.dropout, measure=measure)

    def scored(split: str) -> ExitScores:
        loader = source.loader(split, plan, config, training=False, seed=seed, ranks=ranks)
        ids = source.video_ids(split)
        return score(network, loader, video_ids=ids, split=split, device=device, ranks=ranks, on_step=on_step)

    weights = folder / "weights.safetensors"
    key = _key(plan, source, config, seed)
    state = TrainingState(folder / "training-state.safetensors", key, ranks.count, every=save_every_steps)
    if ranks.from_first(weights.is_file):
        if ranks.is_first:
            load_weights(network, weights)
        ranks.share(network)
    else:
        if ranks.is_first:
            plan.save(folder / "plan.yaml")
        homes = bases or folder / "bases"
        _give_starting_weights(network, source, config, start_from, homes, seed, ranks, save_every_steps)
        loader = source.loader("train", plan, config, training=True, seed=seed, ranks=ranks)

        def look(epoch: int) -> None:
            if probe is not None and epoch in probe.epochs:
                probe.show(epoch, scored("calibration"))

        def tell_and_look(report: EpochReport) -> None:
            if on_epoch:
                on_epoch(report)
            look(report.epoch)

        with MetricsLog(folder, tell_and_look, writes=ranks.is_first) as log:
            train(
                network,
                loader,
                config,
                device=device,
                seed=seed,
                state=state,
                ranks=ranks,
                on_epoch=log.add,
                on_resume=look,
                on_step=on_step,
            )
        if ranks.is_first:
            save_weights(network, weights)
    scores = {split: scored(split) for split in HELD_OUT}
    if ranks.is_first:
        state.delete()
        for split, measured in scores.items():
            measured.save(folder / f"scores-{split}.npz")
    return TrainedScores(**scores)


def _give_starting_weights(
    network: MultiExitNetwork,
    source: ClipSource,
    config: TrainingConfig,
    start_from: Path | None,
    bases: Path,
    seed: int,
    ranks: Ranks,
    save_every_steps: int | None,
) -> None:
    """Give the first process's ``network`` what training starts from."""
    family = family_of(network.plan)
    base = family.base(network.plan)
    if start_from is None and base is not None:
        weights = _trained_base(base, source, config, bases, seed, ranks, save_every_steps)
        if ranks.is_first:
            family.load_base(network, weights)
    elif ranks.is_first:
        if start_from is not None:
            load_weights(network, start_from)
        else:
            family.start(network, pretrained=config.pretrained, weights=config.weights)


def _trained_base(
    base: Plan,
    source: ClipSource,
    config: TrainingConfig,
    bases: Path,
    seed: int,
    ranks: Ranks,
    save_every_steps: int | None,
) -> Path:
    """Return the weights of the plan ``base``, trained; trials that wait for the same one train it once."""
    home = bases / base.plan_id
    with held_lock(bases / f"{home.name}.lock") if ranks.is_first else contextlib.nullcontext():
        train_and_score(base, source, config, home, seed=seed, save_every_steps=save_every_steps, ranks=ranks)
    return home / "weights.safetensors"


def read_scores(folder: Path, plan: Plan) -> TrainedScores | None:
    """Return the exit scores that ``train_and_score`` left in ``folder``; None if it has not finished."""
    paths = [folder / f"scores-{split}.npz" for split in HELD_OUT]
    if not all(path.is_file() for path in paths):
        return None
    try:
        scores = TrainedScores(*map(ExitScores.load, paths))
    except InputError:
        return None
    return scores if scores.calibration.plan_id == scores.test.plan_id == plan.plan_id else None


def _key(plan: Plan, source: ClipSource, config: TrainingConfig, seed: int) -> str:
    facts = f"{plan.plan_id} {source.fingerprint} {settings_text(config)} {seed} {torch.__version__}"
    return hashlib.sha256(facts.encode()).hexdigest()[:16]
