"""What stands for training settings in the key of a training: the same text in every version, for the same settings."""

from __future__ import annotations

from dynsearch.training.config import TrainingConfig

_LATER: frozenset[str] = frozenset({"optimizer"})
"""Fields that came after 0.1. At their defaults they are left out, so that trainings of then go on."""


def settings_text(config: TrainingConfig) -> str:
    """Return a text that is the same for the same settings."""
    return config.model_dump_json(exclude=_at_default(config))


def former_settings_text(
    config: TrainingConfig, num_workers: int, save_every_steps: int | None, timeout: float
) -> str:
    """Return what 0.1 wrote for the settings of a one-shot network, when these three were among them."""
    values = {name: getattr(config, name) for name in type(config).model_fields}
    values = {name: value for name, value in values.items() if name not in _at_default(config)}
    bad = values.pop("max_bad_videos")
    values |= {"num_workers": num_workers, "max_bad_videos": bad}
    values |= {"save_every_steps": save_every_steps, "timeout": timeout}
    return " ".join(f"{name}={value!r}" for name, value in values.items())


def _at_default(config: TrainingConfig) -> set[str]:
    return {name for name in _LATER if getattr(config, name) == type(config).model_fields[name].default}
