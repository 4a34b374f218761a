"""The learning rate at every step of training."""

from __future__ import annotations

import math

from dynsearch.training.config import TrainingConfig


def learning_rate(config: TrainingConfig, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of ``step``, counted from 0 over all epochs.

    Args:
        config: Training settings.
        step: The step about to be taken.
        steps_per_epoch: Steps in an epoch.
    """
    epoch = step / steps_per_epoch
    if epoch < config.warmup_epochs:
        return config.learning_rate * (step + 1) / math.ceil(config.warmup_epochs * steps_per_epoch)
    if config.schedule == "cosine":
        span = max(config.epochs - config.warmup_epochs, 1e-9)
        return config.learning_rate * 0.5 * (1 + math.cos(math.pi * (epoch - config.warmup_epochs) / span))
    passed = sum(int(epoch) >= milestone for milestone in config.milestones)
    return config.learning_rate * config.gamma**passed
