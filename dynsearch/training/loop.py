"""The training loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch

from dynsearch.data.loader import Batches, ClipLoader
from dynsearch.errors import TrainingError
from dynsearch.training.config import TrainingConfig
from dynsearch.training.schedule import learning_rate
from dynsearch.training.seeding import seed_torch
from dynsearch.training.state import TrainingState
from dynsearch.training.stepper import Stepper


@dataclass(frozen=True)
class EpochReport:
    """What one epoch of training did.

    Attributes:
        epoch: Finished epochs, this one included.
        loss: Mean over batches of the loss over all exits.
        top1: Share of training videos whose first choice at the last exit is (one of) their label, 0..1.
        learning_rate: At the epoch's last step.
        seconds: How long it took.
        bad_videos: Training videos that were replaced so far because they can't be read.
    """

    epoch: int
    loss: float
    top1: float
    learning_rate: float
    seconds: float
    bad_videos: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for a line of ``metrics.jsonl``."""
        return asdict(self)


def train(
    network: Any,
    loader: Batches,
    config: TrainingConfig,
    *,
    device: torch.device,
    seed: int = 0,
    state: TrainingState | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
) -> None:
    """Train ``network`` in place.

    Args:
        network: A multi-exit network; moved to ``device``.
        loader: Batches of (clips, labels, indices) of the training split; its data set has ``set_epoch``.
        config: Training settings.
        device: Where to train.
        seed: With the epoch, it decides the random numbers of dropout.
        state: Where to keep the state; training goes on from it if it is there.
        on_epoch: Called after every epoch.

    Raises:
        TrainingError: The loss is not a finite number.
    """
    stepper = Stepper(network, config, device)
    finished = stepper.restore(state) if state else 0
    for epoch in range(finished, config.epochs):
        seed_torch(seed, "epoch", epoch)
        loader.dataset.set_epoch(epoch)
        report = _train_epoch(stepper, loader, config, epoch)
        if state:
            stepper.save(state, epoch + 1)
        if on_epoch:
            on_epoch(report)
    stepper.finish()


def _train_epoch(stepper: Stepper, loader: Batches, config: TrainingConfig, epoch: int) -> EpochReport:
    stepper.begin_epoch()
    started = time.perf_counter()
    loss_sum, num_right, num_videos, rate = 0.0, 0, 0, 0.0
    for batch, (clips, labels, _) in enumerate(loader):
        clips, labels = (
            clips.to(stepper.device, non_blocking=True),
            labels.to(stepper.device, non_blocking=True),
        )
        rate = learning_rate(config, epoch * len(loader) + batch, len(loader))
        first = batch - batch % config.accumulate
        in_step = min(config.accumulate, len(loader) - first)
        value, right = stepper.step(
            clips, labels, rate, share=1 / in_step, update=batch - first == in_step - 1
        )
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss became {value} in epoch {epoch + 1}, step {batch + 1}, at learning rate {rate:.3g}",
                hint="Lower training.learning_rate or set training.grad_clip",
            )
        loss_sum += value
        num_right += right
        num_videos += len(labels)
    return EpochReport(
        epoch=epoch + 1,
        loss=loss_sum / len(loader),
        top1=num_right / num_videos,
        learning_rate=rate,
        seconds=time.perf_counter() - started,
        bad_videos=loader.bad_video_ids() if isinstance(loader, ClipLoader) else (),
    )
