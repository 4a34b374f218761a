"""A sampler whose proposals depend on the seed, the trial's number and finished trials, and nothing else."""

import warnings
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial

from dynsearch.training.seeding import seed_from


class SeededTPESampler(BaseSampler):
    """Optuna's multivariate TPE, seeded anew for every trial and parameter.

    As Optuna's does, it draws the first ten trials at random.
    A study that is killed, even halfway through a proposal, and resumed therefore proposes what it would
    have proposed undisturbed. With ``parallel``, proposals avoid those of trials that run.
    """

    def __init__(self, seed: int, *, parallel: bool) -> None:
        self.seed = seed
        self.parallel = parallel

    def _tpe(self, *parts: object) -> TPESampler:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return TPESampler(
                multivariate=True,
                group=True,
                constant_liar=self.parallel,
                seed=seed_from(self.seed, *parts) % 2**32,
            )

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the parameters that earlier trials have in common, by group."""
        self._relative = self._tpe(trial.number)
        return self._relative.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return values for those parameters, drawn together."""
        return self._relative.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return a value for one other parameter."""
        tpe = self._tpe(trial.number, param_name)
        return tpe.sample_independent(study, trial, param_name, param_distribution)
