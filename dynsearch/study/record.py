"""The Optuna study: the only record of which trials there are and how they ended."""

import contextlib
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from dynsearch.errors import DynsearchError, OtherSettingsError, StudyError
from dynsearch.measures import CostMeasure
from dynsearch.plan import Plan, family_name
from dynsearch.space import SearchSpace
from dynsearch.study.folder import StudyFolder, refuse_other_settings, settings_of
from dynsearch.study.identity import Records
from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.storage import no_trials, open_storage, record_file
from dynsearch.thresholds import OperatingPoint
from dynsearch.training.made import Made

SHARED = {"weights": "shared"}
"""The attribute of a trial that is measured with the one-shot network's own weights, and not trained; also a fact of
its results."""
MADE = "made"  # a trial's attribute: the key of what made its results
PLAN = "dynsearch:plan"  # a trial's system attribute; a user attribute, "plan", before
_ERROR = "dynsearch:error"  # a system attribute, the whole of the user attribute "error"
_FAULT = "fault: "  # begins the attribute of each kind of fault
_SETTINGS = "dynsearch:settings"  # the study's system attribute with all that decides its results

_log = logging.getLogger(__name__)


def open_record(
    folder: StudyFolder, *, create: CostMeasure | None = None, part: str | None = None
) -> optuna.Study:
    """Open the study's record, or that of its ``part``.

    With ``create``, make the record if there is none, of costs in this measure. Only drivers do so, one at a time.

    Raises:
        StudyError: There is no record, or it can't be read.
        OtherSettingsError: It began with other settings than ``study.yaml`` has.
    """
    optuna.logging.set_verbosity(logging.WARNING)
    try:
        study = _opened(records_of(folder, create=create is not None), create is not None, part)
    except DynsearchError:
        raise
    except Exception as error:  # SQLAlchemy and alembic raise errors of many unrelated types.
        raise StudyError(
            f"its record can't be opened: {' '.join(str(error).split())[:200]}", where=folder.name
        ) from error
    if folder.study_file.is_file() and (begun := _begun_with(study)):
        refuse_other_settings(json.loads(begun), folder.settings(), f"{folder.study_file} and the record")
    if create is not None and study.metric_names != (names := ["top1", create.name]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names(names)
    return study


def records_of(folder: StudyFolder, *, create: bool = False) -> Records:
    """Open the storage of the study's record, made if ``create`` says so; StudyError where that can't be."""
    file, storage = record_file(folder), open_storage(folder, create=create)
    return Records(folder, storage, own=file is not None and file.parent == folder.path.resolve())


def _opened(records: Records, create: bool, part: str | None) -> optuna.Study:
    found, folder = records.find(part), records.folder
    original = records.copied_from(found) if found is not None else None
    if original is not None and create:
        raise StudyError(
            f"is a copy of {original}, and both have one record: the files of its trials would lie apart",
            where=str(folder.path),
            hint="Go on there, or take that folder away first",
        )
    if original is not None:
        _log.warning("%s is a copy of %s; both have one record.", folder.path, original)
    if found is not None:
        study = optuna.load_study(study_name=found.study_name, storage=records.storage)
    elif not create:
        raise no_trials(folder)
    else:
        study = optuna.create_study(
            study_name=records.name(part), storage=records.storage, directions=["maximize", "minimize"]
        )
    if create:
        records.mark(study, part)
    return study


def check_begun(folder: StudyFolder, recipe: StudyRecipe, space: SearchSpace, made: Made) -> list[Path]:
    """Refuse to go on with a study that other settings began, before anything is written.

    Args as of :meth:`StudyFolder.record`; ``made`` is what makes the results of all trials. Returns those in the folder
    that don't say what made them.

    Raises:
        OtherSettingsError: The study's record began with other settings.
        StudyError: Nobody knows by which settings it began.
        InputError: The folder holds results that others made.
    """
    try:
        study = open_record(folder)
    except OtherSettingsError:
        raise
    except StudyError:  # There is none yet; one that can't be opened is told of when it is written.
        study = None
    if begun := study and _begun_with(study):
        refuse_other_settings(json.loads(begun), settings_of(recipe, space), f"{folder.name}, its record")
    unknown = made.check_study(folder.path)
    known = begun or folder.study_file.is_file()
    if not known and (unknown or (study and study.get_trials(deepcopy=False))):
        raise StudyError(
            "its study.yaml is gone, and what is left does not say by which settings it was made",
            where=str(folder.path),
            hint="Put study.yaml back, or give another --name",
        )
    return unknown


def keep_settings(study: optuna.Study, recipe: StudyRecipe, space: SearchSpace) -> None:
    """Record the settings that the study began with, or goes on with."""
    text = json.dumps(settings_of(recipe, space))
    study._storage.set_study_system_attr(study._study_id, _SETTINGS, text)


def _begun_with(study: optuna.Study) -> str | None:
    """Return the settings that the study began with; earlier versions kept them where dashboards show them."""
    kept = study._storage.get_study_system_attrs(study._study_id).get(_SETTINGS)
    return kept or study.user_attrs.get("settings")


@contextlib.contextmanager
def told_of_full_disks(name: str) -> Iterator[None]:
    """Raise one DynsearchError that says why a record can't be written any more: a full disk, or the database."""
    try:
        yield
    except (StorageInternalError, SQLAlchemyError, OSError) as error:
        reason = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
        raise DynsearchError(
            f"its record can't be written: {' '.join(str(reason).split())[:200]}",
            where=name,
            hint="What it holds is kept. Check free space, then run the same command again",
        ) from error


def take_up(study: optuna.Study, trial: FrozenTrial) -> Trial:
    """Return a live trial for one that an earlier driver left RUNNING."""
    return Trial(study, trial._trial_id)


def set_budget(trial: Trial, excess: float, measure: CostMeasure) -> None:
    """Record the budget as a constraint, kept when ``excess`` is at most zero.

    Written twice: Optuna 5 reads ``constraints:NAME``, optuna-dashboard 0.21 only the older attribute.
    """
    if measure.name not in trial.constraints:
        trial.set_constraint(measure.name, excess)
    trial.storage.set_trial_system_attr(trial._trial_id, "constraints", [excess])


def describe_plan(trial: Trial, plan: Plan) -> None:
    """Record what the trial's parameters amount to."""
    trial.set_user_attr("plan_id", plan.plan_id)
    # A system attribute, which dashboards don't show: it is long.
    trial.storage.set_trial_system_attr(trial._trial_id, PLAN, json.dumps(plan.to_dict()))
    trial.set_user_attr("family", family_name(plan))
    trial.set_user_attr("exits", str(plan.exits))
    trial.set_user_attr("frame_order", str(plan.frame_order))


def describe_point(trial: Trial, point: OperatingPoint, made: str | None) -> None:
    """Record the thresholds and exit shares of the trial's operating point under the budget, and its results' key."""
    if made is not None:
        trial.set_user_attr(MADE, made)
    trial.set_user_attr("thresholds", [round(value, 6) for value in point.thresholds[:-1]])
    trial.set_user_attr("exit_share", [round(value, 4) for value in point.exit_share])


def add_fault(trial: Trial, kind: str, reason: str) -> None:
    """Record that the trial was cut off."""
    trial.set_user_attr(f"{_FAULT}{kind}", _in_short(reason))


def describe_failure(trial: Trial, error: str) -> None:
    """Record why the trial failed: whole where dashboards don't show it, in short where they do."""
    trial.storage.set_trial_system_attr(trial._trial_id, _ERROR, error)
    trial.set_user_attr("error", _in_short(error))


def failure_of(trial: FrozenTrial) -> str:
    """Return why the trial failed; empty if it did not."""
    return str(trial.system_attrs.get(_ERROR, trial.user_attrs.get("error", "")))


def _in_short(reason: str) -> str:
    """Return a reason that stretches no page of a dashboard."""
    return reason if len(reason) <= 90 else f"{reason[:87]}..."


def faults_of(trial: Trial) -> list[str]:
    """Return of which kinds the trial's faults were, in their order."""
    former = [fault["kind"] for fault in trial.user_attrs.get("faults", [])]
    return former + [name.removeprefix(_FAULT) for name in trial.user_attrs if name.startswith(_FAULT)]


def plan_of(trial: FrozenTrial) -> Plan:
    """Return the plan a recorded trial stands for."""
    values: dict[str, Any] = json.loads(trial.system_attrs.get(PLAN) or trial.user_attrs["plan"])
    return Plan.from_dict(values)


def has_plan(trial: FrozenTrial) -> bool:
    """Return whether a recorded trial became a plan."""
    return PLAN in trial.system_attrs or "plan" in trial.user_attrs


def is_shared(trial: Trial | FrozenTrial) -> bool:
    """Return whether the trial's network has the one-shot network's own weights."""
    return SHARED.items() <= trial.user_attrs.items()


def line_up_once(study: optuna.Study, params: dict[str, Any], *, shared: bool) -> None:
    """Enqueue a trial with these parameters and weights, unless there is one."""
    there = (trial for trial in study.get_trials(deepcopy=False) if is_shared(trial) == shared)
    if params not in [trial.system_attrs.get("fixed_params", trial.params) for trial in there]:
        study.enqueue_trial(params, user_attrs=SHARED if shared else None)


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that trained and were measured, by number."""
    return study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
