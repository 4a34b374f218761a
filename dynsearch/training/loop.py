"""The training loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader

from dynsearch.errors import TrainingError
from dynsearch.training.config import TrainingConfig
from dynsearch.training.device import amp_dtype, autocast
from dynsearch.training.losses import sum_of_cross_entropies
from dynsearch.training.schedule import learning_rate
from dynsearch.training.seeding import seed_torch
from dynsearch.training.state import TrainingState


@dataclass(frozen=True)
class EpochReport:
    """What one epoch of training did.

    Attributes:
        epoch: Finished epochs, this one included.
        loss: Mean over steps of the sum of the exits' cross-entropies.
        top1: Share of training videos right at the last exit, 0..1.
        learning_rate: At the epoch's last step.
        seconds: How long it took.
    """

    epoch: int
    loss: float
    top1: float
    learning_rate: float
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for a line of ``metrics.jsonl``."""
        return asdict(self)


def train(
    network: Any,
    loader: DataLoader[Any],
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
    network.to(device=device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=config.learning_rate,
        momentum=config.momentum,
        nesterov=config.nesterov,
        weight_decay=config.weight_decay,
    )
    dtype = amp_dtype(config.amp, device)
    scaler = torch.amp.GradScaler(device.type, enabled=dtype is torch.float16)
    finished, scale = state.restore(network, optimizer) if state else (0, None)
    if scaler.is_enabled() and scale:
        scaler.update(scale)
    for epoch in range(finished, config.epochs):
        seed_torch(seed, "epoch", epoch)
        loader.dataset.set_epoch(epoch)  # type: ignore[attr-defined]
        report = _train_epoch(network, loader, config, optimizer, scaler, dtype, device, epoch)
        if state:
            state.save(network, optimizer, epoch + 1, scaler.get_scale())
        if on_epoch:
            on_epoch(report)
    network.eval()


def _train_epoch(
    network: Any,
    loader: DataLoader[Any],
    config: TrainingConfig,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    dtype: torch.dtype | None,
    device: torch.device,
    epoch: int,
) -> EpochReport:
    network.train()
    started = time.perf_counter()
    loss_sum, num_right, num_videos, rate = 0.0, 0, 0, 0.0
    for batch, (clips, labels, _) in enumerate(loader):
        clips, labels = clips.to(device, non_blocking=True), labels.to(device, non_blocking=True)
        rate = learning_rate(config, epoch * len(loader) + batch, len(loader))
        for group in optimizer.param_groups:
            group["lr"] = rate
        with autocast(dtype, device):
            logits_EBK = network(clips)
        loss = sum_of_cross_entropies(logits_EBK.float(), labels)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss became {value} in epoch {epoch + 1}, step {batch + 1}, at learning rate {rate:.3g}",
                hint="Lower training.learning_rate or set training.grad_clip",
            )
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        if config.grad_clip is not None:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(network.parameters(), config.grad_clip)
        scaler.step(optimizer)
        scaler.update()
        loss_sum += value
        num_right += int((logits_EBK[-1].argmax(dim=1) == labels).sum())
        num_videos += len(labels)
    return EpochReport(
        epoch + 1, loss_sum / len(loader), num_right / num_videos, rate, time.perf_counter() - started
    )
