"""Which Optuna study is a folder's record, whatever the folder or the Optuna study is called by now."""

import logging
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.study._frozen import FrozenStudy

from dynsearch.errors import StudyError
from dynsearch.study.folder import StudyFolder

MARK = "study_folder"
"""The attribute of an Optuna study that says whose record it is: an ``id``, its ``part``, its folder's ``path``."""
PARTS = ("screening",)
"""What a study keeps records of beside its trials."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Records:
    """The Optuna studies of a storage, seen from a study's folder.

    ``own`` is whether the storage is the study's alone: a file in its folder.
    """

    folder: StudyFolder
    storage: BaseStorage
    own: bool

    def find(self, part: str | None = None) -> FrozenStudy | None:
        """Return the study's record, or that of its ``part``; None if it has not begun.

        Raises:
            StudyError: There are several that may be it, or its name is taken by another folder's.
        """
        there = [study for study in self.storage.get_all_studies() if _part(study) == part]
        identity = self.folder.identity()
        marked = [study for study in there if "id" in identity and _mark(study).get("id") == identity["id"]]
        if marked:
            self._say_which(marked[0], there)
            return marked[0]
        ending = "" if part is None else f"/{part}"
        names = [f"{name}{ending}" for name in (identity.get("name"), self.folder.name)]
        called = next((study for name in names for study in there if study.study_name == name), None)
        if not self.own:
            return called if called is None or self._may_be(called, identity) else None
        if called is None and len(there) > 1:
            raise StudyError(
                f"its record holds the studies {_names(there)}, and none is known to be this folder's",
                where=str(self.folder.path),
                hint=f"Set `name` and `record` in {self.folder.study_file} to one of them",
            )
        found = called or next(iter(there), None)
        if found is not None:
            self._say_which(found, there)
        return found

    def copied_from(self, study: FrozenStudy) -> str | None:
        """Return the folder whose record ``study`` is, if this folder is a copy of that one."""
        path, own_id = _mark(study).get("path"), _mark(study).get("id")
        if self.own or path is None or not os.path.isfile(os.path.join(path, "study.yaml")):
            return None
        is_other = not os.path.samefile(path, self.folder.path)
        return str(path) if is_other and StudyFolder(Path(path)).identity().get("id") == own_id else None

    def name(self, part: str | None) -> str:
        """Return what the record, or that of a part, is to be called."""
        main = None if part is None else self.find()
        name = self.folder.identity().get("name", self.folder.name) if main is None else main.study_name
        return name if part is None else f"{name}/{part}"

    def mark(self, study: optuna.Study, part: str | None) -> None:
        """Write down in a record and in its folder that they belong together; only drivers do so."""
        identity = self.folder.identity()
        mark = study.user_attrs.get(MARK) or {}
        own_id = mark.get("id") or identity.get("id") or uuid.uuid4().hex
        now = {"id": own_id, "part": part} | ({} if self.own else {"path": str(self.folder.path.resolve())})
        if mark != now:
            study.set_user_attr(MARK, now)
        if self.folder.study_file.is_file():
            self.folder.keep_identity({"name": self.folder.name} | identity | {"id": own_id})

    def _may_be(self, study: FrozenStudy, identity: Mapping[str, str]) -> bool:
        """Return whether an unmarked study with this folder's name is its record; another folder's is refused."""
        path, is_marked = _mark(study).get("path"), bool(_mark(study))
        if path is not None and os.path.isdir(
            path
        ):  # Without its study.yaml, the folder is known by its trials.
            is_it = os.path.samefile(path, self.folder.path) and self.folder.is_trained
        else:  # One that is not marked yet was left by a driver that died, or is older than marks are.
            is_it = not is_marked and (
                "id" not in identity or not self.storage.get_all_trials(study._study_id)
            )
        if not is_it:
            whose = (
                "not of this folder"
                if path in (None, str(self.folder.path.resolve()))
                else f"of the folder {path}"
            )
            raise StudyError(
                f"there is a study {study.study_name!r} in this storage already, {whose}",
                where=str(self.folder.path),
                hint="Give another --name, or go on in the folder it is in now",
            )
        return True

    def _say_which(self, found: FrozenStudy, there: Sequence[FrozenStudy]) -> None:
        if self.own and len(there) > 1:
            _log.warning(
                "Of the studies %s in its record, %r is this folder's.", _names(there), found.study_name
            )


def _names(studies: Sequence[FrozenStudy]) -> str:
    return ", ".join(repr(study.study_name) for study in studies[:10])


def _part(study: FrozenStudy) -> str | None:
    mark = _mark(study)
    named = next((part for part in PARTS if study.study_name.endswith(f"/{part}")), None)
    return mark.get("part") if mark else named


def _mark(study: FrozenStudy) -> dict[str, Any]:
    mark = study.user_attrs.get(MARK)
    return mark if isinstance(mark, dict) else {}
