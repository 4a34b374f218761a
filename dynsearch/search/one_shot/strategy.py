"""The one-shot strategy up to the retraining: train once, screen, and put the most promising plans in line."""

import time
from collections.abc import Callable
from dataclasses import replace

import optuna
from optuna.trial import TrialState

from dynsearch.errors import RecipeError
from dynsearch.families.grid.one_shot import has_heads_of
from dynsearch.frontier.placements import PlacementFrontier, PlacementPoint, rank_plans
from dynsearch.plan import Plan
from dynsearch.scores import CONFIDENCE_MEASURES, DEFAULT_MEASURE
from dynsearch.scores.score_grid import ScoreGrid
from dynsearch.search.driver import Observer
from dynsearch.search.one_shot.library import Library
from dynsearch.search.one_shot.screening import Screening
from dynsearch.search.one_shot.screening_record import Screened, screened
from dynsearch.search.one_shot.training import SharedWeights, trunk_of
from dynsearch.space import SearchSpace, space_family
from dynsearch.study.folder import StudyFolder
from dynsearch.study.notes import note_screening
from dynsearch.study.predictions import one_shot_folder, save_prediction
from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.record import line_up_once, open_record
from dynsearch.study.run_settings import RunSettings
from dynsearch.thresholds import evaluate_policy
from dynsearch.training.clip_source import ClipSource


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
    return recipe.model_copy(update={"strategy": recipe.strategy or ("retrain" if others else "one-shot")})


def shared_weights(
    recipe: StudyRecipe, folder: StudyFolder, space: SearchSpace, num_classes: int
) -> SharedWeights | None:
    """Return the weights of the study's one-shot networks, which plans may share; None where there are none."""
    if recipe.strategy != "one-shot":
        return None
    return SharedWeights(one_shot_folder(folder), space, num_classes, recipe.one_shot, recipe.seed)


def line_up(
    study: optuna.Study,
    recipe: StudyRecipe,
    folder: StudyFolder,
    space: SearchSpace,
    source: ClipSource,
    observer: Observer,
    run: RunSettings,
) -> tuple[StudyRecipe, float | None]:
    """Screen the space and enqueue the plans to be trained alone in ``study``; done again, it adds what lacks.

    Returns:
        The recipe for the driver that trains them, with as many trials as there are plans, and the hours left.

    Raises:
        StudyError: No plan screened keeps within the budget.
    """
    started = time.monotonic()
    deadline = None if run.max_hours is None else started + 3600 * run.max_hours
    home = one_shot_folder(folder)
    settings = (recipe.one_shot, recipe.training, recipe.seed)
    library = Library(home, space, source, *settings, observer, run, recipe.measure)
    screening = open_record(folder, create=recipe.measure, part="screening")
    note_screening(screening, folder.name, recipe.measure)
    Screening(
        screening,
        space,
        library.grid,
        source.num_classes,
        recipe.budget,
        recipe.num_trials,
        recipe.seed,
        observer,
        recipe.measure,
        _confidence(recipe),
        recipe.limits_on,
    ).run(deadline)
    num_shared, num_alone = recipe.one_shot.shared, recipe.one_shot.retrain
    ranked = shortlist(screening, space, library.grid, max(num_shared, num_alone), recipe.budget)
    alone = ranked[:num_alone]
    shared = [found for found in ranked if has_heads_of(found.plan, space.exits.max_depth)][:num_shared]
    for found in shared:
        library.prepared(trunk_of(found.plan, space))
        line_up_once(study, found.params, shared=True)
    for found in alone:
        save_prediction(home, found.plan, library.grid(trunk_of(found.plan, space)))
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
) -> list[Screened]:
    """Return at most ``num_plans`` screened plans that keep most of the frontier under the budget, best first."""
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
