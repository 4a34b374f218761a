"""What a study's record holds, followed by looking only at trials that can have changed."""

from __future__ import annotations

from collections.abc import Iterator

import optuna
from optuna.trial import FrozenTrial, TrialState

from dynsearch.search.halving import stopped_at


class KnownTrials:
    """The trials of a study, its other drivers' too, as of the last ``update``.

    Args:
        study: The record.
    """

    def __init__(self, study: optuna.Study) -> None:
        self._study = study
        self._open: dict[int, FrozenTrial] = {}
        self._num_seen = 0
        self._num_ended = 0
        self._plans: dict[str, int] = {}

    def update(self) -> None:
        """Look at the trials that were not over the last time, and at new ones."""
        trials = self._study.get_trials(deepcopy=False)
        changing = [trials[number] for number in (*self._open, *range(self._num_seen, len(trials)))]
        self._num_seen = len(trials)
        self._open = {}
        for trial in changing:
            if not trial.state.is_finished():
                self._open[trial.number] = trial
            refused = trial.state == TrialState.PRUNED and stopped_at(trial) is None
            self._num_ended += trial.state.is_finished() and not refused
            if "plan_id" in trial.user_attrs and not refused and trial.state != TrialState.WAITING:
                self._plans.setdefault(trial.user_attrs["plan_id"], trial.number)

    @property
    def num_running(self) -> int:
        """Trials under way, or left behind."""
        return sum(1 for _ in self.running())

    @property
    def num_taken(self) -> int:
        """Trials that count against the number wanted: all that trained or are training, however they ended."""
        return self.num_running + self._num_ended

    def running(self) -> Iterator[FrozenTrial]:
        """Yield the trials under way, or left behind, by number."""
        return (trial for trial in self._open.values() if trial.state == TrialState.RUNNING)

    def with_plan(self, plan_id: str) -> int | None:
        """Return the first trial that has this plan and was not refused; None where there is none."""
        return self._plans.get(plan_id)
