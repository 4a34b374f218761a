"""A point of a study as a bundle."""

from collections.abc import Sequence
from pathlib import Path

from dynsearch.data.catalogue import open_dataset
from dynsearch.errors import BundleError
from dynsearch.export.budgets import write_budgets
from dynsearch.export.bundle import Bundle, write_bundle
from dynsearch.export.ownership import BUDGETS, CONTENTS, check_export
from dynsearch.export.train import calibrated_bundle
from dynsearch.files import write_text
from dynsearch.frontier import MergedPoint
from dynsearch.study.data_record import recorded_data
from dynsearch.study.folder import StudyFolder
from dynsearch.study.origin import Origin
from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.results import StudyResults
from dynsearch.thresholds import full_inference
from dynsearch.training.made import SCORES, WEIGHTS, facts_in, key_in
from dynsearch.training.run import read_scores


def export_point(
    folder: StudyFolder,
    results: StudyResults,
    point: MergedPoint[int],
    output: Path,
    *,
    budget: float | None = None,
    all_budgets: bool = False,
    under: StudyRecipe | None = None,
    data_root: Path | None = None,
    allow_outside: bool = False,
    force: bool = False,
) -> Bundle:
    """Write a point of a study's frontier as a bundle.

    Args:
        folder: The study's files.
        results: What it found.
        point: One of its points.
        output: Folder of the bundle.
        budget: The one it was chosen under; None means the study's own.
        all_budgets: Write the networks and thresholds of all its points too, for :meth:`LoadedNetwork.at`.
        under: The recipe by whose costs, and limits, it was; None means the study's own.
        data_root: The data set's own folder, whose classes are asked for; None takes those the study recorded.
        allow_outside: Let its videos lie outside that folder; a study that recorded so needs it no more.
        force: Write over what is not an untouched exported bundle too.

    Raises:
        BundleError: ``output`` is a file, or holds what would be lost; or the trial's weights are not its scores'.
        DataError: The study recorded no classes, and its data set can't be read.
    """
    check_export(output, [folder.path, *([data_root] if data_root else [])], force=force)
    recipe = under or folder.recipe()
    if budget is not None:
        recipe = recipe.model_copy(update={"budget": budget})
    networks = {
        key: (results.plans[key], _weights(folder.trial(key)))
        for key in ({other.key for other in results.points} if all_budgets else {point.key})
    }
    bundle = write_bundle(
        output,
        plan=results.plans[point.key],
        point=point,
        full=full_inference(results.scores[point.key][1]),
        frontier=[(results.plans[other.key], other) for other in results.points],
        weights=networks[point.key][1],
        class_names=_class_names(folder, data_root, allow_outside=allow_outside),
        recipe=recipe,
        anew=True,
        data=recorded_data(folder),
        root=data_root or (Path(origin.data_root) if (origin := Origin.of_study(folder)) else None),
    )
    if all_budgets:
        write_budgets(output / BUDGETS, networks, results.points, facts_in(bundle.weights) or {})
    return bundle


def export_at(
    bundle: Bundle, output: Path, budget: float, *, force: bool = False
) -> tuple[Bundle, MergedPoint[int]]:
    """Write a bundle that was trained in full, or scored, at another budget; return the point too.

    The network is the same; the thresholds are those that its own exit scores give for the budget.

    Args:
        bundle: With its exit scores on calibration and test.
        output: Folder of the new bundle.
        budget: Mean cost per video on calibration, in the bundle's measure.
        force: Write over what is not an untouched exported bundle too.

    Raises:
        BundleError: The bundle has no exit scores, or ``output`` holds what would be lost.
        InfeasibleBudgetError: Its cheapest point costs more.
    """
    check_export(output, [bundle.folder], force=force)
    scores, plan, recipe = read_scores(bundle.folder, bundle.plan), bundle.plan, bundle.recipe
    if scores is None:
        raise BundleError(
            "has the thresholds of one budget, and no exit scores that tell others",
            where=str(bundle.folder),
            hint="Export the study with this budget, or train the bundle with `dynsearch train`",
        )
    at = calibrated_bundle(
        output, plan, recipe, bundle.class_names, scores, budget, bundle.weights, anew=True
    )
    if (bundle.folder / CONTENTS).is_file():
        write_text(output / CONTENTS, (bundle.folder / CONTENTS).read_text(encoding="utf-8"))
    return at


def _weights(trial: Path) -> Path:
    """Return a trial's weights; BundleError where its scores are of others."""
    if key_in(trial / WEIGHTS) != key_in(trial / SCORES["test"]):
        raise BundleError(
            "is of another training than the scores beside it",
            where=str(trial / WEIGHTS),
            hint="Put the trial's own weights back",
        )
    return trial / WEIGHTS


def _class_names(folder: StudyFolder, data_root: Path | None, *, allow_outside: bool) -> Sequence[str]:
    origin, recipe = Origin.of_study(folder), folder.recipe()
    if data_root is None and origin is not None:
        return origin.class_names
    dataset = open_dataset(
        recipe.dataset,
        data_root,
        **recipe.splitting,
        allow_outside=allow_outside or folder.run_settings().allow_outside,
    )
    return dataset.class_names
