"""Which screened plans are worth training alone, and what the one-shot network says of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import optuna

from dynsearch.frontier.placements import PlacementFrontier, PlacementPoint, rank_plans
from dynsearch.plan import Exit, ExitPlacement, Plan
from dynsearch.scores.score_grid import ScoreGrid
from dynsearch.search.one_shot.screening_record import Screened, screened
from dynsearch.space import SearchSpace
from dynsearch.thresholds import evaluate_policy


def shortlist(
    screening: optuna.Study,
    space: SearchSpace,
    grid: Callable[[Plan], ScoreGrid],
    num_plans: int,
    budget: float,
) -> list[Screened]:
    """Return at most ``num_plans`` screened plans that together keep most of the frontier, best first.

    Args:
        screening: The screening study.
        space: The study's space.
        grid: Returns the score grid of a trunk.
        num_plans: How many at most.
        budget: The budget; what costs more does not count.
    """
    by_trunk: dict[Plan, list[Screened]] = {}
    for found in screened(screening):
        by_trunk.setdefault(trunk_of(found.plan, space), []).append(found)
    searched = {}
    for trunk, plans in by_trunk.items():
        scores = grid(trunk)
        points = [
            PlacementPoint(
                found.plan.exits, evaluate_policy(found.policy, scores.exit_scores(found.plan.exits))
            )
            for found in plans
        ]
        searched[trunk] = (scores, PlacementFrontier(points))
    by_id = {found.plan.plan_id: found for plans in by_trunk.values() for found in plans}
    ranked = rank_plans(searched, num_plans, budget=budget)
    return [by_id[replace(plan.key, exits=plan.placement).plan_id] for plan in ranked]


def trunk_of(plan: Plan, space: SearchSpace) -> Plan:
    """Return the trunk that stands for ``plan``: the last cell of its grid as its only exit."""
    return replace(plan, exits=ExitPlacement((Exit(plan.num_sets, space.exits.max_depth),)))
