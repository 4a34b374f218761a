"""What moves the weights: SGD, what timm has, and a user's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dynsearch.errors import InputError
from dynsearch.registry import Registry

if TYPE_CHECKING:
    import torch

    from dynsearch.training.config import TrainingConfig

OptimizerMaker = Callable[..., "torch.optim.Optimizer"]
"""Called with the groups of parameters (dicts with ``params``) and, by name, ``lr``, ``weight_decay``, ``momentum`` and
``nesterov``. The training loop sets each group's ``lr`` before every step."""


def _sgd(groups: list[dict[str, Any]], **options: Any) -> torch.optim.Optimizer:
    import torch

    return torch.optim.SGD(groups, **options)


OPTIMIZERS: Registry[OptimizerMaker] = Registry("optimizer", {"sgd": _sgd})
"""Optimizers by name; ``training.optimizer`` may also name any of ``timm.optim``, for instance ``adamw``."""


def check_optimizer(name: str) -> None:
    """Refuse a name that stands for no optimizer, here or in timm; InputError names some."""
    if name in OPTIMIZERS or name in _timms():
        return
    try:
        OPTIMIZERS.checked(name)
    except InputError as error:
        some = ", ".join(_timms()[:6])
        raise InputError(
            error.problem, where=error.where, hint=f"{error.hint}; and timm's: {some}, ..."
        ) from error


def make_optimizer(groups: list[dict[str, Any]], config: TrainingConfig) -> torch.optim.Optimizer:
    """Return the optimizer that ``config`` names, for parameters with their ``part_rate``.

    Weight decay is for all parameters, biases and norms too.

    Raises:
        InputError: There is none of that name.
    """
    check_optimizer(config.optimizer)
    options: dict[str, Any] = {
        "lr": config.learning_rate,
        "weight_decay": config.weight_decay,
        "momentum": config.momentum,
    }
    if config.optimizer in OPTIMIZERS:
        return OPTIMIZERS[config.optimizer](groups, nesterov=config.nesterov, **options)
    from timm.optim._optim_factory import create_optimizer_v2

    return create_optimizer_v2(groups, opt=config.optimizer, filter_bias_and_bn=False, **options)


def _timms() -> list[str]:
    from timm.optim._optim_factory import list_optimizers

    return [str(name) for name in list_optimizers()]
