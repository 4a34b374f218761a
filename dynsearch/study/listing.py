"""What there is to say of a study in a line: for lists of studies, and before one is removed."""

import datetime
from pathlib import Path
from typing import Any

from optuna.trial import TrialState

from dynsearch.errors import DynsearchError
from dynsearch.study.folder import StudyFolder
from dynsearch.study.record import open_record

_COLUMNS = (
    "dataset", "measure", "budget", "done", "running", "interrupted", "failed", "top1", "cost", "when", "problem",
)  # fmt: skip


def study_row(folder: StudyFolder) -> dict[str, Any]:
    """Return a study's name, data set, budget, trials by state, best point under its budget, and when it last changed.

    A trial without an end counts as ``running`` while a driver is at work, else as ``interrupted``. What can't be read
    is None, with the reason in ``problem``.
    """
    row: dict[str, Any] = {"name": folder.name, **dict.fromkeys(_COLUMNS), "path": str(folder.path)}
    try:
        recipe, changed = folder.recipe(), folder.study_file.stat().st_mtime
        row |= {"dataset": recipe.dataset, "measure": recipe.measure.name, "budget": recipe.budget}
        row["when"] = _text(datetime.datetime.fromtimestamp(changed))
        trials = open_record(folder).get_trials(deepcopy=False)
    except DynsearchError as error:
        return row | {"problem": f"{error.problem}".rstrip(".")}
    done = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    unended = sum(trial.state == TrialState.RUNNING for trial in trials)
    at_work = folder.is_running
    row |= {
        "done": len(done),
        "running": unended if at_work else 0,
        "interrupted": 0 if at_work else unended,
        "failed": sum(trial.state == TrialState.FAIL for trial in trials),
    }
    if done:
        top1, cost = max(((*trial.values,) for trial in done), key=lambda values: (values[0], -values[1]))
        row |= {"top1": top1, "cost": cost}
    ends = [trial.datetime_complete for trial in trials if trial.datetime_complete is not None]
    return row | ({"when": _text(max(ends))} if ends else {})


def size_of(folder: StudyFolder) -> int:
    """Return the bytes of a study's files."""
    return sum(path.lstat().st_size for path in Path(folder.path).rglob("*") if path.is_file())


def _text(moment: datetime.datetime) -> str:
    return moment.isoformat(" ", "seconds")
