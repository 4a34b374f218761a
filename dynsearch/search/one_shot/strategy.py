"""The one-shot strategy up to the retraining: train once, screen, and put the most promising plans in line."""

import functools
import time
from collections.abc import Callable
from dataclasses import replace

import optuna
from optuna.trial import TrialState

from dynsearch.budget import fits
from dynsearch.errors import RecipeError
from dynsearch.families.grid.one_shot import has_heads_of
from dynsearch.frontier.placements import PlacementFrontier, PlacementPoint, rank_plans
from dynsearch.plan import Plan
from dynsearch.scores import CONFIDENCE_MEASURES, DEFAULT_MEASURE
from dynsearch.scores.score_grid import ScoreGrid
from dynsearch.search.engines import Engine
from dynsearch.search.one_shot.jobs import Jobs
from dynsearch.search.one_shot.library import Library
from dynsearch.search.one_shot.screening import Screening
from dynsearch.search.one_shot.screening_record import Screened, screened
from dynsearch.search.one_shot.shape import Shape
from dynsearch.search.one_shot.training import trunk_of
from dynsearch.search.proposals import cheapest_cost
from dynsearch.space import SearchSpace, space_family
from dynsearch.study.folder import StudyFolder
from dynsearch.study.notes import note_screening
from dynsearch.study.predictions import save_prediction
from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.record import line_up_once, open_record
from dynsearch.thresholds import evaluate_policy


def settled(recipe: StudyRecipe, space: SearchSpace) -> StudyRecipe:
    """Return the recipe with its strategy; where it names none, one-shot if all plans of the space are grids.

    Raises:
        RecipeError: It asks for one-shot, but the space has plans of other families.
    """
    others = [name for name in space.families if not space_family(name).one_shot]
    if recipe.strategy == "one-shot" and others:
        raise RecipeError(
            f"one network can't stand for plans of the family {others[0]}",
            where="strategy",
            hint="Give --strategy retrain, or --families grid",
        )
    if recipe.calibration == "folds" and recipe.strategy != "retrain":
        raise RecipeError(
            "the one-shot network has seen the training videos, so thresholds can't be fitted to them",
            where="calibration",
            hint="With calibration: folds give --strategy retrain",
        )
    return recipe.model_copy(update={"strategy": recipe.strategy or ("retrain" if others else "one-shot")})


def line_up(
    study: optuna.Study,
    recipe: StudyRecipe,
    folder: StudyFolder,
    space: SearchSpace,
    library: Library,
    engine: Engine,
    max_hours: float | None,
) -> tuple[StudyRecipe, float | None]:
    """Screen the space and enqueue the plans to be trained alone in ``study``; done again, it adds what lacks.

    Returns:
        The recipe for the driver that trains them, with as many trials as there are plans, and the hours left.

    Raises:
        StudyError: No plan screened keeps within the budget.
    """
    started = time.monotonic()
    deadline = None if max_hours is None else started + 3600 * max_hours
    observer = library.observer
    screening = open_record(folder, create=recipe.measure, part="screening")
    note_screening(screening, folder.name, recipe.measure)
    num_classes = library.source.num_classes
    jobs = Jobs(engine, library, screening, recipe.budget, _confidence(recipe))
    shapes = [
        shape
        for shape in Shape.all_in(space)
        if fits(cheapest_cost(shape.within(space), recipe.measure, num_classes), recipe.budget)
    ]
    if 1 < len(shapes) <= recipe.num_trials and not screened(screening):
        jobs.train([shape.finest_trunk(space) for shape in shapes])
    Screening(
        screening,
        space,
        library.grid,
        num_classes,
        recipe.budget,
        recipe.num_trials,
        recipe.seed,
        observer,
        recipe.measure,
        _confidence(recipe),
        recipe.limits_on,
        jobs.make,
        engine.num_slots,
        jobs.stopped,
    ).run(deadline)
    num_shared, num_alone = recipe.one_shot.shared, recipe.one_shot.retrain
    ranked = functools.partial(shortlist, screening, space, library.grid, budget=recipe.budget)
    shared = [found for found in ranked(num_shared) if has_heads_of(found.plan, space.exits.max_depth)]
    # The network's own weights are as good as a plan's own below, where less is computed.
    alone = ranked(num_alone, upper=len(shared) > 0)
    jobs.make(trunk_of(found.plan, space) for found in shared)
    for found in shared:
        line_up_once(study, found.params, shared=True)
    for found in alone:
        save_prediction(library.folder, found.plan, library.grid(trunk_of(found.plan, space)))
        line_up_once(study, found.params, shared=False)
    states = [TrialState.COMPLETE, TrialState.FAIL, TrialState.RUNNING, TrialState.WAITING]
    num_trials = len(study.get_trials(deepcopy=False, states=states))
    hours = None if deadline is None else max((deadline - time.monotonic()) / 3600, 1e-9)
    observer.noted(
        f"of the plans that stand for the frontier under {recipe.budget:g} {recipe.measure.unit}, {len(shared)} keep "
        f"the network's own weights and {len(alone)} are trained alone"
    )
    return recipe.model_copy(update={"num_trials": num_trials}), hours


def _confidence(recipe: StudyRecipe) -> str:
    """Return what judges a cell of the grid: the recipe's measure, if a cell alone can be judged by it."""
    measure = recipe.confidence
    return DEFAULT_MEASURE if measure is None or measure not in CONFIDENCE_MEASURES else measure


def shortlist(
    screening: optuna.Study,
    space: SearchSpace,
    grid: Callable[[Plan], ScoreGrid],
    num_plans: int,
    budget: float,
    *,
    upper: bool = False,
) -> list[Screened]:
    """Return at most ``num_plans`` screened plans that keep most of the frontier under the budget, best first.

    With ``upper`` they are to keep its upper half.
    """
    if not num_plans:
        return []
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
    ranked = rank_plans(searched, num_plans, budget=budget, upper=upper)
    return [by_id[replace(plan.key, exits=plan.placement).plan_id] for plan in ranked]
