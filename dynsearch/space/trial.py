"""Drawing choices from a trial."""

from typing import Any, Protocol


class Suggester(Protocol):
    """The two methods of an Optuna trial that sampling a plan needs."""

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Return one of ``choices``."""

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """Return an integer in [low, high]."""


def choose(trial: Suggester, name: str, choices: list[Any]) -> Any:
    """Return one of ``choices``; a single one is not asked for."""
    return choices[0] if len(choices) == 1 else trial.suggest_categorical(name, choices)


def between(trial: Suggester, name: str, low: int, high: int) -> int:
    """Return an integer in [low, high]; a single one is not asked for."""
    return low if low == high else trial.suggest_int(name, low, high)
