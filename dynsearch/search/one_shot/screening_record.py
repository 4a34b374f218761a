"""The screening study: every plan that one-shot scores found worth having, as an Optuna trial of its own."""

import json
from dataclasses import dataclass, field, replace
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import Trial, TrialState, create_trial

from dynsearch.families.grid.choices import exit_params
from dynsearch.frontier.placements import PlacementPoint
from dynsearch.measures import CostMeasure
from dynsearch.plan import Plan
from dynsearch.space import SearchSpace
from dynsearch.study.notes import note_screened
from dynsearch.study.record import PLAN, plan_of
from dynsearch.thresholds import ExitPolicy

TRUNK = "trunk_id"
"""The attribute by which a trial names its trunk."""


@dataclass
class Replay:
    """A trial with known parameters, which notes the distribution of each that is asked for."""

    params: dict[str, Any]
    distributions: dict[str, BaseDistribution] = field(default_factory=dict)

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Return the parameter's value."""
        self.distributions[name] = CategoricalDistribution(choices)
        return self.params[name]

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """Return the parameter's value."""
        self.distributions[name] = IntDistribution(low, high)
        return int(self.params[name])


@dataclass(frozen=True)
class Screened:
    """A recorded plan, the parameters by which the space proposes it, and the thresholds it was found with."""

    params: dict[str, Any]
    plan: Plan
    policy: ExitPolicy


def screened(study: optuna.Study) -> list[Screened]:
    """Return all plans recorded so far."""
    return [
        Screened(
            trial.params,
            plan_of(trial),
            ExitPolicy(
                (*map(float, trial.user_attrs["thresholds"]), float("-inf")), trial.user_attrs["confidence"]
            ),
        )
        for trial in study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    ]


def known_trunks(study: optuna.Study) -> set[str]:
    """Return the ids of the trunks whose plans are all recorded."""
    trials = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    return {trial.user_attrs[TRUNK] for trial in trials if trial.user_attrs["is_best"]}


def record_plans(
    proposal: Trial,
    space: SearchSpace,
    trunk: Plan,
    points: list[PlacementPoint],
    excess: float,
    measure: CostMeasure,
) -> None:
    """Record ``points`` of the trunk that ``proposal`` asked for; the last and best of them as its own outcome.

    Each is a placement worth having with its best point within the budget. Interrupted and called again, it records
    what is missing. ``excess`` is the cost of the cheapest cell above the budget, not positive.
    """
    study = proposal.study
    there = {
        t.user_attrs.get("plan_id") for t in study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    }
    for point in points[:-1]:
        plan = replace(trunk, exits=point.placement)
        if plan.plan_id not in there:
            replay = _replayed(proposal, space, point)
            trial = create_trial(
                params=replay.params,
                distributions=replay.distributions,
                values=_values(point),
                user_attrs=_attributes(trunk, plan, point, is_best=False),
                constraints={measure.name: excess},
                system_attrs={"constraints": [excess], PLAN: json.dumps(plan.to_dict())},
            )
            number = study._storage.create_new_trial(study._study_id, template_trial=trial)
            note_screened(study, number, plan, point.chosen, _values(point)[0])
    best = points[-1]
    replay = _replayed(proposal, space, best)
    for name in replay.distributions.keys() - proposal.params.keys():
        value = replay.distributions[name].to_internal_repr(replay.params[name])
        proposal.storage.set_trial_param(proposal._trial_id, name, value, replay.distributions[name])
    plan = replace(trunk, exits=best.placement)
    for name, value in _attributes(trunk, plan, best, is_best=True).items():
        proposal.set_user_attr(name, value)
    proposal.storage.set_trial_system_attr(proposal._trial_id, PLAN, json.dumps(plan.to_dict()))
    note_screened(study, proposal._trial_id, plan, best.chosen, _values(best)[0])
    study.tell(proposal, _values(best))


def _replayed(proposal: Trial, space: SearchSpace, point: PlacementPoint) -> Replay:
    params = {name: value for name, value in proposal.params.items() if not _is_of_exits(name)}
    replay = Replay(params | exit_params(space, point.placement))
    space.sample(replay)
    replay.params = {name: replay.params[name] for name in replay.distributions}
    return replay


def _is_of_exits(name: str) -> bool:
    return name.startswith("exit") or name == "num_exits"


def _values(point: PlacementPoint) -> tuple[float, float]:
    return (point.top1 if point.expected is None else point.expected.top1, point.cost)


def _attributes(trunk: Plan, plan: Plan, point: PlacementPoint, *, is_best: bool) -> dict[str, Any]:
    chosen = point.chosen
    return {
        TRUNK: trunk.plan_id,
        "is_best": is_best,
        "plan_id": plan.plan_id,
        "exits": str(plan.exits),
        "frame_order": str(plan.frame_order),
        "confidence": chosen.policy.confidence,
        "thresholds": [repr(value) for value in chosen.thresholds[:-1]],
        "exit_share": [round(value, 4) for value in chosen.exit_share],
        "chosen_top1": point.top1,
        f"expected_{chosen.measure.name}": point.cost if point.expected is None else point.expected.cost,
    }
