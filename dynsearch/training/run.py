"""From a plan to exit scores: build, train, save, measure. Every step that is done already is skipped."""

import contextlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch

from dynsearch.errors import InputError
from dynsearch.families import build_network, family_of
from dynsearch.files import write_text
from dynsearch.locks import held_lock
from dynsearch.measures import COUNTED, CostMeasure
from dynsearch.network import MultiExitNetwork
from dynsearch.network.weights.files import load_weights, save_weights
from dynsearch.plan import Plan
from dynsearch.scores import ExitScores
from dynsearch.scores.storage import read_arrays
from dynsearch.training.clip_source import ClipSource
from dynsearch.training.config import TrainingConfig
from dynsearch.training.device import pick_device
from dynsearch.training.loop import EpochReport, train
from dynsearch.training.made import SCORES, STATE, WEIGHTS, Made, file_digest, former_text, hashed
from dynsearch.training.metrics_log import MetricsLog
from dynsearch.training.progress import OnStep
from dynsearch.training.ranks import ALONE, Ranks
from dynsearch.training.refit import let_heads_wait, refit_heads
from dynsearch.training.scorer import score
from dynsearch.training.seeding import seed_torch
from dynsearch.training.state import TrainingState


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
    made: Made | None = None,
    epochs: int | None = None,
    halvings: int = 0,
    bases: Path | None = None,
    save_every_steps: int | None = 1000,
    measure: CostMeasure = COUNTED,
    ranks: Ranks = ALONE,
    on_start: Callable[[str], None] | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
    on_step: OnStep | None = None,
    probe: Probe | None = None,
    widen: Callable[[ExitScores], ExitScores] | None = None,
) -> TrainedScores:
    """Train the plan's network and measure it on calibration and test.

    Writes ``plan.yaml``, ``started.txt``, ``metrics.jsonl``, ``weights.safetensors``, ``scores-calibration.npz``,
    ``scores-test.npz`` and TensorBoard's event files into ``folder``; of several processes the first does. Called
    again after an interruption it goes on where it stopped; called again after the end it only reads the scores.

    Args:
        plan: What to train.
        source: The clips.
        config: Training settings.
        folder: Where the files go.
        seed: Decides initial weights, order of the videos, augmentation and dropout.
        start_from: Weights of the whole network to start from, as written by an earlier training.
        made: What makes the result; None: these settings, and a digest of the file started from.
        epochs: How long to train, where not as long as ``config`` says; ``made`` tells of it.
        halvings: How often the batch is halved, and twice as many accumulated for a step.
        bases: Where trained networks lie that others are built on, by ``plan_id``; one that is not there is
            trained first, by the same settings. Default: ``bases`` in ``folder``.
        save_every_steps: Steps after which the state is saved within an epoch; None saves it after each epoch only.
        measure: What the network's costs are in.
        ranks: The processes that train together; each returns the scores.
        on_start: Told, in the first process, what of starting weights was loaded; ``started.txt`` has it too.
        on_epoch: Called after every epoch, in every process.
        on_step: Called a few times a second, while training and scoring, in the first process.
        probe: Shown the network's scores on calibration after some epochs.
        widen: Given the calibration scores, returns those that are kept instead; ``made`` tells of it.

    Raises:
        InputError: ``folder`` holds results, or an interrupted training, that other settings or videos made.
        PlanError: The plan's network can't be built.
        WeightsError: The starting weights can't be had.
        TrainingError: The loss is not a finite number.
    """
    if made is None:
        start = None if start_from is None else {"weights": file_digest(start_from)}
        own = (plan, source, config, seed)
        made = plan_made(*own, measure=measure, processes=ranks.count, start=start, halvings=halvings)
    if (finished := ranks.from_first(lambda: found_scores(folder, plan, source, made))) is not None:
        return finished
    given, config, device = config, config.lasting(epochs or config.epochs).halved(halvings), pick_device()
    on_step = on_step if ranks.is_first else None
    seed_torch(seed, "init")
    network = build_network(plan, source.num_classes, dropout=config.dropout, measure=measure)
    how: dict[str, Any] = {"device": device, "seed": seed, "ranks": ranks, "on_step": on_step}

    def measure_on(split: str) -> ExitScores:
        return scored(network, source, config, split, **how)

    weights = folder / WEIGHTS
    state = TrainingState(folder / STATE, made, every=save_every_steps)
    if ranks.from_first(weights.is_file):
        if ranks.is_first:
            load_weights(network, weights)
        ranks.share(network)
    else:
        if ranks.is_first:
            plan.save(folder / "plan.yaml")

        def train_base(base: Plan, home: Path) -> None:
            kept = {"halvings": halvings, "save_every_steps": save_every_steps}
            train_and_score(base, source, given, home, seed=seed, ranks=ranks, **kept)  # type: ignore[arg-type]

        bases = bases or folder / "bases"
        if told := _give_starting_weights(network, config, start_from, train_base, bases, ranks):
            write_text(folder / "started.txt", f"{told}\n")
            if on_start:
                on_start(told)
        let_heads_wait(network, config)
        loader = source.loader("train", plan, config, training=True, seed=seed, ranks=ranks)

        def look(epoch: int) -> None:
            if probe is not None and epoch in probe.epochs:
                probe.show(epoch, measure_on("calibration"))

        def tell_and_look(report: EpochReport) -> None:
            if on_epoch:
                on_epoch(report)
            look(report.epoch)

        with MetricsLog(folder, tell_and_look, writes=ranks.is_first) as log:
            train(network, loader, config, state=state, on_epoch=log.add, on_resume=look, **how)
        if config.refit_heads is not None and ranks.is_first:
            refit_heads([network], source, config, device=device, seed=seed, on_step=on_step)
        ranks.share(network)
        if ranks.is_first:
            save_weights(network, weights, made.text)
    scores = {split: measure_on(split) for split in SCORES}
    scores["calibration"] = widen(scores["calibration"]) if widen else scores["calibration"]
    if ranks.is_first:
        state.delete()
        for split, measured in scores.items():
            measured.save(folder / SCORES[split], made.text)
    return TrainedScores(**scores)


def _give_starting_weights(
    network: MultiExitNetwork,
    config: TrainingConfig,
    start_from: Path | None,
    train_base: Callable[[Plan, Path], object],
    bases: Path,
    ranks: Ranks,
) -> str:
    """Give the first process's ``network`` what training starts from, and say what that was."""
    family = family_of(network.plan)
    base = family.base(network.plan)
    if start_from is None and base is not None:
        home = bases / base.plan_id
        # Trials that wait for the same one train it once.
        with held_lock(bases / f"{home.name}.lock") if ranks.is_first else contextlib.nullcontext():
            train_base(base, home)
        if ranks.is_first:
            family.load_base(network, home / WEIGHTS)
    elif ranks.is_first:
        if start_from is not None:
            load_weights(network, start_from)
        else:
            loaded = family.start(network, pretrained=config.pretrained, weights=config.weights)
            return "\n".join(map(str, loaded or ()))
    return ""


def scored(
    network: MultiExitNetwork,
    source: ClipSource,
    config: TrainingConfig,
    split: str,
    *,
    device: torch.device,
    seed: int,
    ranks: Ranks = ALONE,
    on_step: OnStep | None = None,
) -> ExitScores:
    """Return the exit scores of a trained network on a split of ``source``."""
    loader = source.loader(split, network.plan, config, training=False, seed=seed, ranks=ranks)
    names: dict[str, Any] = {"video_ids": source.video_ids(split), "groups": source.sources(split)}
    return score(network, loader, **names, split=split, device=device, ranks=ranks, on_step=on_step)


def plan_made(
    plan: Plan,
    source: ClipSource,
    config: TrainingConfig,
    seed: int,
    *,
    measure: CostMeasure = COUNTED,
    processes: int = 1,
    start: Mapping[str, Any] | None = None,
    halvings: int = 0,
    **more: Any,
) -> Made:
    """Return what makes the results of :func:`train_and_score`, which takes the same; ``more`` are further facts.

    Raises:
        WeightsError: The weights that training starts from are not there.
    """
    made = Made.by(
        source.key, config, seed, plan=plan, processes=processes, measure=measure.name,
        start=start and dict(start), halvings=halvings, torch=str(torch.__version__), **more,
    )  # fmt: skip
    settings = former_text(config.halved(halvings))
    former = hashed(plan.plan_id, source.fingerprint, settings, seed, torch.__version__)
    return replace(made, former=(former,))


def found_scores(folder: Path, plan: Plan, source: ClipSource, made: Made) -> TrainedScores | None:
    """Return the scores of a training that has finished in ``folder``; None if it has not.

    Raises:
        InputError: What is there, finished or not, other settings or videos made.
    """
    unknown = made.check(folder)
    scores = _read(folder)
    for split, own in [] if scores is None else zip(SCORES, (scores.calibration, scores.test), strict=True):
        made.refuse_others({"plan": own.plan_id}, folder / SCORES[split])
        if unknown and (own.video_ids_N is None or {*own.video_ids_N} != {*source.video_ids(split)}):
            raise InputError(
                f"is of other videos than those of {split} now",
                where=str(folder / SCORES[split]),
                hint=f"Use the videos it was made with, or delete the folder {folder} to train anew",
            )
    return scores


def read_scores(folder: Path, plan: Plan) -> TrainedScores | None:
    """Return the exit scores that ``train_and_score`` left in ``folder``; None if it has not finished."""
    scores = _read(folder)
    ids = set() if scores is None else {scores.calibration.plan_id, scores.test.plan_id}
    return scores if ids == {plan.plan_id} else None


def read_calibration(folder: Path, plan: Plan) -> ExitScores | None:
    """Return those on calibration; None if it has not finished. Those on test, which can be large, are not read."""
    try:
        found = ExitScores.load(folder / SCORES["calibration"])
        test = read_arrays(folder / SCORES["test"], ("plan_id",)).get("plan_id", "")
    except InputError:
        return None
    return found if {found.plan_id, str(test)} == {plan.plan_id} else None


def _read(folder: Path) -> TrainedScores | None:
    try:
        return TrainedScores(*(ExitScores.load(folder / name) for name in SCORES.values()))
    except InputError:
        return None
