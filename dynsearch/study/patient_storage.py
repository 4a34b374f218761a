"""A database server's storage that waits where the server goes away for a while."""

import functools
import logging
import time
from collections.abc import Callable
from typing import Any

from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from sqlalchemy.exc import InterfaceError, OperationalError

from dynsearch.errors import DynsearchError

_SECONDS = 600.0
_SECONDS_BETWEEN = 0.5
_OPERATIONS = (
    "create_new_study", "delete_study", "set_study_user_attr", "set_study_system_attr", "get_study_id_from_name",
    "get_study_name_from_id", "get_study_directions", "get_study_user_attrs", "get_study_system_attrs",
    "get_all_studies", "_create_new_trial", "_set_trial_param", "get_trial_param", "set_trial_state_values",
    "set_trial_intermediate_value", "set_trial_user_attr", "set_trial_system_attr", "get_trial", "_get_trials",
    "get_trial_id_from_study_id_trial_number",
)  # fmt: skip

_log = logging.getLogger(__name__)


class PatientStorage(RDBStorage):
    """Optuna's storage on a server that may be restarted: what fails for want of it is done again when it answers.

    The first connection is not waited for: a wrong address is better told at once. Nothing is lost or done twice by
    doing an operation again, except that a trial may be created in vain; drivers take such a trial up like any other
    left behind.
    """


def _patiently(operation: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(operation)
    def until_done(storage: PatientStorage, *args: Any, **kwargs: Any) -> Any:
        started = last_said = None
        while True:
            try:
                result = operation(storage, *args, **kwargs)
            except UpdateFinishedTrialError:
                if started is None or operation.__name__ != "set_trial_state_values":
                    raise
                result = True  # It was done before, and only the answer lost.
            except (StorageInternalError, OperationalError, InterfaceError) as error:
                reason = _loss(error)
                if reason is None:
                    raise
                if (
                    started is None
                ):  # At once a second time: the server may be back, and only the connection lost.
                    started = time.monotonic()
                    continue
                last_said = last_said or _say(reason)
                _wait(started, reason, error)
                continue
            if last_said and started is not None:
                _log.warning("The database answers again, after %.0f seconds.", time.monotonic() - started)
            return result

    return until_done


for _name in _OPERATIONS:
    setattr(PatientStorage, _name, _patiently(getattr(RDBStorage, _name)))


def _loss(error: Exception) -> str | None:
    """Return what became of the connection, in a line; None where ``error`` is about something else."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    if not isinstance(cause, OperationalError | InterfaceError):
        return None
    return " ".join(str(cause.orig).split())[:200]


def _say(reason: str) -> bool:
    _log.warning(
        "The database does not answer (%s); waiting for it, up to %.0f minutes.", reason, _SECONDS / 60
    )
    return True


def _wait(started: float, reason: str, error: Exception) -> None:
    if time.monotonic() - started > _SECONDS:
        raise DynsearchError(
            f"the database has not answered for {_SECONDS / 60:g} minutes: {reason}",
            hint="Start it; the same command again goes on",
        ) from error
    time.sleep(_SECONDS_BETWEEN)
