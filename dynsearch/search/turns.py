"""Turns for all network families of a study."""

from __future__ import annotations

from collections.abc import Sequence

import optuna


def take_turns(study: optuna.Study, families: Sequence[str], num_trials: int) -> None:
    """Line up trials so that the families take turns and each has its share; a single family needs none.

    What else a trial proposes is the sampler's. Called again it lines up what is missing of ``num_trials``.
    """
    if len(families) > 1:
        for number in range(len(study.get_trials(deepcopy=False)), num_trials):
            study.enqueue_trial({"family": families[number % len(families)]})
