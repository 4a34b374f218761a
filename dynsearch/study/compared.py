"""Studies copied into one storage in memory, for a dashboard that compares them."""

import re
from collections.abc import Sequence

import optuna
from optuna.storages import InMemoryStorage

from dynsearch.errors import StudyError
from dynsearch.study.folder import StudyFolder
from dynsearch.study.record import open_record


def copied(folders: Sequence[StudyFolder]) -> InMemoryStorage:
    """Return a storage with the studies of several folders as they are now, with their notes and screened plans.

    Raises:
        StudyError: A study has no record, or it can't be read.
    """
    storage = InMemoryStorage()
    names = [folder.name for folder in folders]
    for folder in folders:
        name = folder.name if names.count(folder.name) == 1 else str(folder.path)
        _copy(open_record(folder), storage, name)
        try:
            screening = open_record(folder, part="screening")
        except StudyError:  # It had none.
            continue
        _copy(screening, storage, f"{name}/screening")
    return storage


def _copy(study: optuna.Study, storage: InMemoryStorage, name: str) -> None:
    optuna.copy_study(
        from_study_name=study.study_name, from_storage=study._storage, to_storage=storage, to_study_name=name
    )
    copy = optuna.load_study(study_name=name, storage=storage)
    number_of = {str(trial._trial_id): trial.number for trial in study.get_trials(deepcopy=False)}
    new = {trial.number: trial._trial_id for trial in copy.get_trials(deepcopy=False)}
    # Notes on trials stand under their ids, which are others now.
    for key, value in study._storage.get_study_system_attrs(study._study_id).items():
        if (found := re.fullmatch(r"dashboard:(\d+):(note_.*)", key)) and found[1] in number_of:
            place = f"dashboard:{new[number_of[found[1]]]}:{found[2]}"
            storage.set_study_system_attr(copy._study_id, place, value)
