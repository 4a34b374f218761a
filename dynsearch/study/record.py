"""The Optuna study: the only record of which trials there are and how they ended."""

from __future__ import annotations

import contextlib
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from dynsearch.errors import DynsearchError, StudyError
from dynsearch.measures import CostMeasure
from dynsearch.plan import Plan, family_name
from dynsearch.study.folder import StudyFolder
from dynsearch.study.identity import Records
from dynsearch.study.storage import no_trials, open_storage, record_file
from dynsearch.thresholds import OperatingPoint

_log = logging.getLogger(__name__)


def open_record(
    folder: StudyFolder, *, create: CostMeasure | None = None, part: str | None = None
) -> optuna.Study:
    """Open the study's record.

    Args:
        folder: The study's folder.
        create: Make the record if there is none, of costs in this measure. Only drivers do so, one at a time.
        part: Open the record ``<name>/<part>`` beside it instead.

    Raises:
        StudyError: There is no record, or it can't be read.
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
    if create is not None and study.metric_names != (names := ["top1", create.name]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names(names)
    return study


def records_of(folder: StudyFolder, *, create: bool = False) -> Records:
    """Open the storage of the study's record.

    Args:
        folder: The study's folder.
        create: Make it if there is none.

    Raises:
        StudyError: There is none, or it can't be opened.
    """
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


@contextlib.contextmanager
def told_of_full_disks(name: str) -> Iterator[None]:
    """Say in one message why a record can't be written any more.

    Raises:
        DynsearchError: The disk is full, or the database fails.
    """
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
    trial.set_user_attr("plan", json.dumps(plan.to_dict()))
    trial.set_user_attr("family", family_name(plan))
    trial.set_user_attr("exits", str(plan.exits))
    trial.set_user_attr("frame_order", str(plan.frame_order))


def describe_point(trial: Trial, point: OperatingPoint) -> None:
    """Record the thresholds and exit shares of the trial's operating point under the budget."""
    trial.set_user_attr("thresholds", [round(value, 6) for value in point.thresholds[:-1]])
    trial.set_user_attr("exit_share", [round(value, 4) for value in point.exit_share])


def add_fault(trial: Trial, kind: str, reason: str) -> None:
    """Record that the trial was cut off."""
    faults = trial.user_attrs.get("faults", [])
    trial.set_user_attr("faults", [*faults, {"kind": kind, "reason": reason}])


def faults_of(trial: Trial) -> list[str]:
    """Return of which kinds the trial's faults were, in their order."""
    return [fault["kind"] for fault in trial.user_attrs.get("faults", [])]


def plan_of(trial: FrozenTrial) -> Plan:
    """Return the plan a recorded trial stands for."""
    values: dict[str, Any] = json.loads(trial.user_attrs["plan"])
    return Plan.from_dict(values)


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that trained and were measured, by number."""
    return study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
