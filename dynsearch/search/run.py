"""Running a study from its recipe to its frontier."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dynsearch import resources
from dynsearch.errors import DynsearchError, OtherSettingsError, RecipeError
from dynsearch.search.driver import Driver, Observer
from dynsearch.search.engines import Engine, Job, LocalEngine, RayEngine
from dynsearch.search.evaluator import TrainingEvaluator
from dynsearch.search.one_shot.library import Library
from dynsearch.search.one_shot.strategy import line_up, settled
from dynsearch.search.one_shot.training import SharedWeights
from dynsearch.search.proposals import check_budget
from dynsearch.space import SearchSpace
from dynsearch.study.data_record import keep_data
from dynsearch.study.folder import StudyFolder
from dynsearch.study.frontier_files import LiveFrontier
from dynsearch.study.notes import DashboardNotes, note_study
from dynsearch.study.origin import Origin
from dynsearch.study.predictions import one_shot_folder
from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.recipe_file import check_together
from dynsearch.study.record import check_begun, keep_settings, open_record
from dynsearch.study.removal import empty, in_use, was_trained
from dynsearch.study.results import StudyResults
from dynsearch.study.run_settings import DEFAULT_RUN, RunSettings
from dynsearch.training.clip_source import ClipSource
from dynsearch.training.loop import EpochReport
from dynsearch.training.progress import StepReport

ENGINES: dict[str, Callable[..., Engine]] = {
    "local": lambda run, evaluator, **how: LocalEngine(evaluator, **how),
    "ray": lambda run, evaluator, **how: RayEngine(
        evaluator, address=run.ray_address, gpus_per_trial=run.gpus_per_trial, **how
    ),
}
"""Engines by name, made from run settings, an evaluator, and what all take: slots, processes of a trial, and so on."""


def run_study(
    recipe: StudyRecipe,
    folder: StudyFolder,
    source: ClipSource,
    observer: Observer,
    on_epoch: Callable[[Job, EpochReport | StepReport], None] | None = None,
    origin: Origin | None = None,
    *,
    run: RunSettings = DEFAULT_RUN,
    data: Mapping[str, Any] | None = None,
    anew: bool = False,
) -> StudyResults:
    """Run a study, go on with one that was interrupted, or join one that runs, and write its frontier.

    Args:
        recipe: What to do.
        folder: Where the study lies.
        source: The data set's clips.
        observer: Told of every step.
        on_epoch: Called with the job after every epoch, and with where it is a few times a second.
        origin: The command and the data set, to be kept in the study's folder.
        run: How to do it.
        data: What ``study.yaml`` records of the data.
        anew: Whether what the study has is removed first.

    Raises:
        RecipeError: The run can't carry out the recipe.
        StudyError: The study began with other settings or other data.
        InputError: The folder holds results that other settings or videos made.
        StudyFailedError: Every trial failed.
        InfeasibleBudgetError: No plan of the space has an exit within the budget.
    """
    try:
        check_together(recipe, run)
    except ValueError as error:
        raise RecipeError(str(error)) from error
    space = SearchSpace.load(resources.find("search_spaces", recipe.space)).only(recipe.families)
    recipe = _affordable(settled(recipe, space), folder, space, source.num_classes, observer)
    num_classes, is_one_shot = source.num_classes, recipe.strategy == "one-shot"
    how = (recipe.one_shot, recipe.training, recipe.seed)
    library = Library(one_shot_folder(folder), space, source, *how, observer, run, recipe.measure)
    evaluator = _evaluator(recipe, library)
    one_shot = {"one_shot": recipe.one_shot.facts()} if is_one_shot else {}
    made = evaluator.made(recipe.workers_per_trial, **one_shot)

    engine = _engine(recipe, evaluator, library, on_epoch)
    with contextlib.closing(engine), folder.running() as alone:
        with folder.prepared():
            with _begun_or_not(folder):
                with alone() as is_alone:
                    _make_room(folder, recipe, space, run, observer, anew=anew, is_alone=is_alone)
                    if not folder.study_file.is_file():  # What an earlier study left may be of other data.
                        check_begun(folder, recipe, space, made)
                    if said := keep_data(folder, source.identity, in_use=not is_alone):
                        observer.noted(said)
                    if unknown := check_begun(folder, recipe, space, made):
                        observer.noted(
                            f"{len(unknown)} files of results don't say what made them, first {unknown[0]}; they are "
                            "taken as made by these settings"
                        )
                    kept = folder.record(recipe, space, data, run)
                _say_where(kept.storage, run.storage, observer)
                whence = origin.add_to(folder) if origin else None
                study = open_record(folder, create=recipe.measure)
            keep_settings(study, recipe, space)
            note_study(study, recipe, whence)
            to_train, hours = recipe, run.max_hours
            if is_one_shot:
                to_train, hours = line_up(study, recipe, folder, space, library, engine, run.max_hours)
        frontier = LiveFrontier(study, folder, recipe)
        driver = Driver(
            study=study,
            recipe=to_train,
            space=space,
            engine=engine,
            folder=folder,
            num_classes=num_classes,
            observer=observer,
            after_trial=Paced(frontier.write),
            notes=DashboardNotes(folder, recipe.budget),
            max_hours=hours,
        )
        driver.run()
        return frontier.end()


def _evaluator(recipe: StudyRecipe, library: Library) -> TrainingEvaluator:
    """Return what evaluates the study's jobs."""
    own = (library.space, library.source.num_classes)
    shared = SharedWeights(library.folder, *own, recipe.one_shot, recipe.seed)
    return TrainingEvaluator(
        library.source,
        recipe.training,
        recipe.seed,
        shared if recipe.strategy == "one-shot" else None,
        recipe.one_shot.warm_start == "one-shot",
        recipe,
        library.run.save_every_steps,
        recipe.measure,
        recipe.calibration == "folds",
        library,
    )


def _engine(
    recipe: StudyRecipe,
    evaluator: TrainingEvaluator,
    library: Library,
    on_epoch: Callable[[Job, EpochReport | StepReport], None] | None,
) -> Engine:
    """Return what runs the study's jobs, and tells of trials and of one-shot networks."""

    def tell(job: Job, report: EpochReport | StepReport) -> None:
        if job.kind == "network":
            library.advanced(job, report)
        elif on_epoch:
            on_epoch(job, report)

    run = library.run
    return ENGINES[run.engine](
        run,
        evaluator,
        num_slots=run.concurrent,
        on_epoch=tell,
        workers_per_trial=recipe.workers_per_trial,
        timeout=run.timeout,
    )


def _affordable(
    recipe: StudyRecipe, folder: StudyFolder, space: SearchSpace, num_classes: int, observer: Observer
) -> StudyRecipe:
    """Return the recipe with the study's own tables of times; a study that can't begin leaves none behind."""
    own = folder.path if folder.study_file.is_file() else None
    check_budget(space, recipe.carried_in(own, observer.noted), num_classes)
    return recipe.carried_in(folder.path, observer.noted)


@contextlib.contextmanager
def _begun_or_not(folder: StudyFolder) -> Iterator[None]:
    """Leave no study behind whose record could not be made: it would stay where it was asked for first."""
    new = [
        path
        for name in ("origin.yaml", "data.json", "study.yaml")
        if not (path := folder.path / name).is_file()
    ]
    try:
        yield
    except DynsearchError:
        if folder.study_file in new:
            for path in new:
                path.unlink(missing_ok=True)
        raise


def _make_room(
    folder: StudyFolder,
    recipe: StudyRecipe,
    space: SearchSpace,
    run: RunSettings,
    observer: Observer,
    *,
    anew: bool,
    is_alone: bool,
) -> None:
    """Remove what the study has if it is to begin ``anew``, or is another now and nothing was trained yet."""
    if anew:
        if not is_alone:
            raise in_use(folder)
        empty(folder)
    try:
        folder.checked(recipe, space, run)
    except OtherSettingsError as error:
        if not is_alone or was_trained(folder):
            raise
        observer.noted(f"the study {error.problem}; nothing was trained, so it begins anew")
        empty(folder)


class Paced:
    """Calls an action unless it has taken more than a share of the time so far: the longer it takes, the less often."""

    def __init__(
        self,
        action: Callable[[], object],
        *,
        share: float = 0.05,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._action = action
        self._share = share
        self._clock = clock
        self._not_before = float("-inf")

    def __call__(self) -> None:
        """Do it, if it is time."""
        began = self._clock()
        if began < self._not_before:
            return
        self._action()
        ended = self._clock()
        self._not_before = ended + (ended - began) * (1 / self._share - 1)


def _say_where(kept: str | None, asked: str | None, observer: Observer) -> None:
    """Say where the study's record lies, if it is not where it was asked for now."""
    if asked not in (None, kept):
        observer.noted(f"the study's record stays where it is, in {kept or 'SQLite in its folder'}")
