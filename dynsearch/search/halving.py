"""Early stopping of bad trials: successive halving on top-1 at the budget, without waiting for other trials.

Optuna's pruners refuse studies with several objectives, so the rule is here: at a rung, a trial goes on if its
top-1 is among the best third of those measured there so far (ASHA, Li et al. 2020, in the form that stops
instead of pausing). Hyperband lets trials begin at different rungs, in turns. Every value and decision is in
the record before it takes effect, so that a study that is killed and resumed decides the same.
"""

from collections.abc import Sequence

import optuna
from optuna.trial import FrozenTrial, Trial

ETA = 3
"""A third of the trials goes on at each rung."""

_RUNGS = "rungs"


def rungs(pruner: str, epochs: int, number: int) -> tuple[int, ...]:
    """Return the epochs after which a trial may be stopped: a ninth and a third of all ``epochs``.

    With ``hyperband`` the trial's number decides at which rung it begins.
    """
    every = tuple(sorted({epochs // ETA**k for k in (1, 2)} - {0, epochs}))
    if pruner == "none":
        return ()
    return every if pruner == "asha" else every[number % (len(every) + 1) :]


def goes_on(study: optuna.Study, trial: Trial, pruner: str, epochs: int, epoch: int, top1: float) -> bool:
    """Record the trial's top-1 on calibration, at the budget, after ``epoch`` and return whether it goes on.

    Asked again, the answer is the same. ``epochs`` are those of a whole training.
    """
    if epoch in values(trial):
        return stopped_at(trial) != epoch
    group = rungs(pruner, epochs, trial.number)
    others = [
        values(other)[epoch]
        for other in study.get_trials(deepcopy=False)
        if other.number != trial.number
        and epoch in values(other)
        and rungs(pruner, epochs, other.number) == group
    ]
    good = is_good(top1, others)
    measured = {"top1": top1, "goes_on": good}
    trial.set_user_attr(_RUNGS, {**trial.user_attrs.get(_RUNGS, {}), str(epoch): measured})
    return good


def is_good(top1: float, others: Sequence[float]) -> bool:
    """Return whether ``top1`` is in the best third of itself and ``others``; the first trial at a rung is."""
    num_better = sum(other > top1 for other in others)
    return num_better * ETA < len(others) + 1


def values(trial: Trial | FrozenTrial) -> dict[int, float]:
    """Return the trial's top-1 by rung."""
    return {int(epoch): measured["top1"] for epoch, measured in trial.user_attrs.get(_RUNGS, {}).items()}


def stopped_at(trial: Trial | FrozenTrial) -> int | None:
    """Return the epoch after which the trial was stopped, None if it was not."""
    measured = trial.user_attrs.get(_RUNGS, {})
    return next((int(epoch) for epoch in measured if not measured[epoch]["goes_on"]), None)
