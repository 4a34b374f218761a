"""The learning rate at every step of training."""

import math
from typing import Any

from dynsearch.training.config import TrainingConfig


def learning_rate(config: TrainingConfig, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of ``step``, counted from 0 over all epochs."""
    epoch = step / steps_per_epoch
    if epoch < config.warmup_epochs:
        return config.learning_rate * (step + 1) / math.ceil(config.warmup_epochs * steps_per_epoch)
    if config.schedule == "cosine":
        span = max(config.epochs - config.warmup_epochs, 1e-9)
        return config.learning_rate * 0.5 * (1 + math.cos(math.pi * (epoch - config.warmup_epochs) / span))
    if config.schedule in ("tanh", "poly"):
        return _timms(config, step, steps_per_epoch)
    passed = sum(int(epoch) >= milestone for milestone in config.milestones)
    return config.learning_rate * config.gamma**passed


def _timms(config: TrainingConfig, step: int, steps_per_epoch: int) -> float:
    """Return the rate of one of timm's schedules, which begins after the warm-up."""
    import torch
    from timm.scheduler.poly_lr import PolyLRScheduler
    from timm.scheduler.tanh_lr import TanhLRScheduler

    first = math.ceil(config.warmup_epochs * steps_per_epoch)
    kinds: dict[str, Any] = {"tanh": TanhLRScheduler, "poly": PolyLRScheduler}
    holder = torch.optim.SGD([torch.zeros(1)], lr=config.learning_rate)
    total = max(config.epochs * steps_per_epoch - first, 1)
    scheduler = kinds[config.schedule](holder, t_initial=total, t_in_epochs=False, initialize=True)
    scheduler.step_update(step - first)
    return float(holder.param_groups[0]["lr"])
