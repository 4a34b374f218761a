"""Training one plan in full, alone, into a bundle."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from dynsearch.budget import last_that_fits
from dynsearch.errors import BundleError
from dynsearch.export.bundle import Bundle, write_bundle
from dynsearch.files import read_yaml
from dynsearch.frontier import MergedPoint, merge
from dynsearch.frontier.merge import cheapest_without_loss
from dynsearch.plan import Plan
from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.recipe_file import split_settings
from dynsearch.thresholds import full_inference
from dynsearch.training.folds import FOLDED, with_folds
from dynsearch.training.loop import EpochReport
from dynsearch.training.made import WEIGHTS, Made, file_digest
from dynsearch.training.only_heads import HeadFitting
from dynsearch.training.progress import OnStep
from dynsearch.training.ranks import ALONE, Ranks
from dynsearch.training.run import TrainedScores, found_scores, plan_made, train_and_score
from dynsearch.training.source import DatasetClips


def trained_already(
    plan: Plan,
    recipe: StudyRecipe,
    source: DatasetClips,
    folder: Path,
    *,
    start_from: Path | None = None,
    processes: int = 1,
    fitting: HeadFitting | None = None,
) -> str | None:
    """Return in a few words that ``folder`` holds the plan trained as :func:`train_bundle` would; None if not.

    Raises:
        InputError: It holds what another plan, other settings or videos made.
        WeightsError: The weights that training starts from are not there.
    """
    if fitting is not None:
        plan, made = fitting.found_in(folder)
    else:
        made = _made(plan, recipe, source, start_from, processes)
    found_scores(folder, plan, source, made)
    if not (unknown := made.check(folder)):
        return "trained already" if (folder / WEIGHTS).is_file() else None
    recorded = folder / "recipe.yaml"
    if not recorded.is_file():
        return f"trained already ({unknown[0].name} does not say by which settings)"
    before, _ = split_settings(read_yaml(recorded, BundleError), error=BundleError, where=str(recorded))
    made.refuse_others(before.facts(), recorded)
    return "trained already (as far as recipe.yaml tells)"


def train_bundle(
    plan: Plan,
    recipe: StudyRecipe,
    source: DatasetClips,
    folder: Path,
    *,
    start_from: Path | None = None,
    fitting: HeadFitting | None = None,
    save_every_steps: int | None = 1000,
    ranks: Ranks = ALONE,
    on_start: Callable[[str], None] | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
    on_step: OnStep | None = None,
) -> tuple[Bundle, MergedPoint[int]] | None:
    """Train ``plan`` by ``recipe``, calibrate it under the recipe's budget, and write a bundle.

    Interrupted, the same call goes on from the last saved state. Besides the bundle's files, ``folder``
    gets ``metrics.jsonl`` and the exit scores of both held-out splits.

    Args:
        plan: What to train.
        recipe: Training settings, seed, solver and budget.
        source: The clips.
        folder: Where everything goes.
        start_from: Weights to start from, of the same plan.
        fitting: Heads that are fitted on what is trained, which is all that is done then.
        save_every_steps: Steps after which the state is saved within an epoch; None saves it after each epoch only.
        ranks: The processes that train together.
        on_start: Told, in the first process, what of starting weights was loaded.
        on_epoch: Called after every epoch, in every process.
        on_step: Called a few times a second, while training and scoring, in the first process.

    Returns:
        The bundle and its operating point in the first process, None in others.

    Raises:
        InputError: ``folder`` holds what another plan, other settings or videos made.
        InfeasibleBudgetError: The plan's cheapest point is over the budget.
    """
    if fitting is not None:
        plan, scores = fitting.run(folder, on_start, on_step)
    else:
        own = (plan, source, recipe.training, folder)
        alike: dict[str, Any] = {
            "seed": recipe.seed, "measure": recipe.measure, "save_every_steps": save_every_steps, "ranks": ranks,
            "on_step": on_step,
        }  # fmt: skip
        scores = train_and_score(
            *own, start_from=start_from, made=_made(plan, recipe, source, start_from, ranks.count), on_start=on_start,
            on_epoch=on_epoch, widen=partial(with_folds, *own, **alike) if recipe.calibration == "folds" else None,
            **alike,
        )  # fmt: skip
    if not ranks.is_first:
        return None
    data = {"data": source.identity, "root": source.dataset.root}
    return calibrated_bundle(
        folder, plan, recipe, source.dataset.class_names, scores, recipe.budget, folder / WEIGHTS, **data
    )


def _made(
    plan: Plan, recipe: StudyRecipe, source: DatasetClips, start_from: Path | None, processes: int
) -> Made:
    start = {"weights": file_digest(start_from)} if start_from else None
    folded = FOLDED if recipe.calibration == "folds" else {}
    how: dict[str, Any] = {"measure": recipe.measure, "processes": processes, "start": start}
    return plan_made(plan, source, recipe.training, recipe.seed, **how, **folded)


def calibrated_bundle(
    folder: Path,
    plan: Plan,
    recipe: StudyRecipe,
    class_names: Sequence[str],
    scores: TrainedScores,
    budget: float | None,
    weights: Path,
    **more: Any,
) -> tuple[Bundle, MergedPoint[int]]:
    """Write a bundle of ``weights`` with thresholds chosen on calibration, and return its point too.

    Without a budget, the cheapest point is chosen that is as accurate on calibration as the full network; ``more`` is
    what :func:`write_bundle` takes besides.

    Raises:
        InfeasibleBudgetError: The plan's cheapest point is over the budget.
    """
    points = merge(
        {0: (scores.calibration, scores.test)},
        solver=recipe.solver,
        confidence=recipe.confidence,
        limits=recipe.limits_on(plan, len(class_names)),
        **recipe.solver_options,
    )
    if budget is not None:
        chosen = last_that_fits(points, budget, lambda point: point.calibration.cost, recipe.measure)
    else:
        chosen = cheapest_without_loss(points, full_inference(scores.calibration))
        budget = chosen.calibration.cost
    bundle = write_bundle(
        folder,
        plan=plan,
        point=chosen,
        full=full_inference(scores.test),
        frontier=[(plan, point) for point in points],
        weights=weights,
        class_names=class_names,
        recipe=recipe.model_copy(update={"budget": budget}),
        **more,
    )
    return bundle, chosen
