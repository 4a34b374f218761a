"""A study's folder, ``studies/<name>/``."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dynsearch.errors import OtherSettingsError, StudyError, shown
from dynsearch.files import read_yaml, write_yaml
from dynsearch.locks import held_lock, is_in_use, shared_lock
from dynsearch.machine import described
from dynsearch.space import SearchSpace
from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.recipe_file import split_settings
from dynsearch.study.run_settings import DEFAULT_RUN, RunSettings
from dynsearch.validation import differences

_RECORDED = ("dynsearch", "torch", "torchvision", "timm", "optuna", "numpy", "decord")
_MAY_CHANGE = tuple(
    f"recipe.{name}" for name in ("num_trials", "one_shot.shared", "one_shot.retrain", "plugins")
)
_RUNNING = ".running.lock"


@dataclass(frozen=True)
class StudyFolder:
    """Where the files of one study lie: ``path`` is ``studies/<name>``."""

    path: Path

    @classmethod
    def named(cls, name: str, root: Path = Path("studies")) -> StudyFolder:
        """Return the folder of the study ``name``: of one that is there, also given as a path, or of a new one.

        A bare name means a study below ``root`` before a folder here.

        Raises:
            StudyError: The name can't be a folder's.
        """
        given = Path(os.path.expanduser(name))
        places = (
            [given, root / given] if name.startswith(".") or len(given.parts) > 1 else [root / given, given]
        )
        for path in places if name else ():
            inside = path.parent if os.path.isfile(path) else path  # One of its files means the study.
            if os.path.isfile(inside / "study.yaml"):
                return cls(inside)
        if len(given.parts) > 1 and given.parent.absolute() == root.absolute():
            name = given.name
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise StudyError(
                f"{name!r} can't name a study", where="--name", hint="Use letters, digits, '.', '_' and '-'"
            )
        return cls(root / name)

    @classmethod
    def existing(cls, name: str, root: Path = Path("studies")) -> StudyFolder:
        """Return the folder of a study that has been started, given by its name or as a path.

        Raises:
            StudyError: There is none; the message lists those there are.
        """
        with contextlib.suppress(StudyError):
            folder = cls.named(name, root)
            if os.path.isfile(folder.study_file):
                return folder
        there = [folder.path.name for folder in cls.all_in(root)]
        raise StudyError(
            f"there is no study {name!r} in {root}",
            hint=f"Studies: {', '.join(there)}" if there else "Run `dynsearch study` first",
        )

    @classmethod
    def all_in(cls, root: Path) -> list[StudyFolder]:
        """Return the studies below ``root``, or of this folder where there is no such root, by name."""
        place = root if os.path.isdir(root) else Path()
        return [cls(path.parent) for path in sorted(place.glob("*/study.yaml"))]

    @property
    def name(self) -> str:
        """The study's name: its folder's, whatever it was called when it began."""
        return Path(os.path.abspath(self.path)).name

    @property
    def study_file(self) -> Path:
        """The resolved recipe, with versions."""
        return self.path / "study.yaml"

    def trial(self, number: int) -> Path:
        """Return the folder of a trial."""
        return self.path / "trials" / str(number)

    @property
    def is_trained(self) -> bool:
        """Whether anything that was trained lies in it: weights, scores, or the state of an interrupted training."""
        kinds = ("**/*.safetensors", "**/scores-*.npz")
        places = [self.path / name for name in ("trials", "bases", "one-shot")]
        return any(next(place.glob(kind), None) for place in places for kind in kinds)

    @property
    def is_running(self) -> bool:
        """Whether a driver is at work on it, here or on a machine that shares the folder."""
        return is_in_use(self.path / _RUNNING)

    def running(self) -> AbstractContextManager[Callable[[], AbstractContextManager[bool]]]:
        """Say during the block that a driver is at work; see :func:`dynsearch.locks.shared_lock`."""
        return shared_lock(self.path / _RUNNING)

    @contextlib.contextmanager
    def prepared(self) -> Iterator[None]:
        """Wait for this process's turn to prepare the study: to make its record, and what all drivers need."""
        with held_lock(self.path / ".driver.lock"):
            yield

    def checked(self, recipe: StudyRecipe, space: SearchSpace, run: RunSettings) -> RunSettings:
        """Check that the study, if it has begun, goes on with its settings; see :meth:`record`, which writes them."""
        if not self.study_file.is_file():
            return run
        refuse_other_settings(self.settings(), settings_of(recipe, space), str(self.study_file))
        return run.model_copy(update={"storage": self.run_settings().storage})

    def settings(self) -> dict[str, Any]:
        """Return what ``study.yaml`` says of recipe and space, all fields resolved; StudyError for wrong ones."""
        return {"recipe": self.recipe().resolved(), "space": self.read_study_file().get("space", {})}

    def record(
        self,
        recipe: StudyRecipe,
        space: SearchSpace,
        data: Mapping[str, Any] | None = None,
        run: RunSettings = DEFAULT_RUN,
    ) -> RunSettings:
        """Write ``study.yaml``, or check that the study goes on with the settings it began with.

        ``data`` is what is worth knowing of the data: sizes of the splits, groups that are held out. Returns ``run``
        with the storage that the record lies in, which stays where it was first.

        Raises:
            OtherSettingsError: A setting differs that would change the meaning of earlier trials; all are listed.
        """
        run = self.checked(recipe, space, run)
        now = settings_of(recipe, space)
        begun = self.study_file.is_file()
        identity = self.identity() if begun else {"name": self.name, "id": uuid.uuid4().hex}
        versions = {name: version(name) for name in _RECORDED} | {"python": platform.python_version()}
        facts = {} if data is None else {"data": dict(data)}
        run_too = {"recipe": now["recipe"], "run": run.resolved(), "space": now["space"]}
        about = {"name": self.name, "record": identity}
        write_yaml(
            self.study_file,
            {**about, **run_too, **facts, "versions": versions, "machine": described()},
        )
        return run

    def identity(self) -> dict[str, str]:
        """Return what the study's record is known by: the ``name`` it began with and, if it has one, an ``id``."""
        values = self.read_study_file() if os.path.isfile(self.study_file) else {}
        recorded = values.get("record")
        recorded = recorded if isinstance(recorded, dict) else {"name": values.get("name")}
        return {key: str(recorded[key]) for key in ("name", "id") if recorded.get(key)}

    def keep_identity(self, identity: Mapping[str, str]) -> None:
        """Write down what the study's record is known by."""
        if self.identity() != identity:
            values = self.read_study_file()
            write_yaml(self.study_file, {"name": self.name, **values, "record": dict(identity)})

    def recipe(self) -> StudyRecipe:
        """Return the recipe recorded in ``study.yaml``; StudyError where it has wrong fields."""
        return self._settings()[0]

    def run_settings(self) -> RunSettings:
        """Return how the study was carried out last, as recorded; StudyError for wrong fields."""
        return self._settings()[1]

    def _settings(self) -> tuple[StudyRecipe, RunSettings]:
        values = self.read_study_file()
        recipe = values.get("recipe")
        if isinstance(recipe, dict) and "run" in values:
            recipe = recipe | {"run": values["run"]}
        read, run = split_settings(recipe, error=StudyError, where=f"{self.study_file}, recipe")
        return read.carried_in(self.path), run

    def read_study_file(self) -> dict[str, Any]:
        """Return what ``study.yaml`` holds; StudyError where it can't be read, or is no mapping."""
        values = read_yaml(self.study_file, StudyError)
        if not isinstance(values, dict):
            raise StudyError(f"holds no mapping of fields, got {shown(values)}", where=str(self.study_file))
        return values


def settings_of(recipe: StudyRecipe, space: SearchSpace) -> dict[str, Any]:
    """Return all that decides a study's results, as plain values."""
    return {"recipe": recipe.resolved(), "space": space.model_dump(mode="json")}


def refuse_other_settings(before: Mapping[str, Any], now: Mapping[str, Any], where: str) -> None:
    """Refuse settings that would change the meaning of earlier trials, whose settings were found ``where``.

    Raises:
        OtherSettingsError: Some differ; all are listed. Fields that came later count as at their defaults.
    """
    recipe, _ = split_settings(before["recipe"], error=StudyError, where=where)
    found = {"recipe": recipe.resolved(), "space": before["space"]}
    if others := list(differences(found, dict(now), _MAY_CHANGE)):
        raise OtherSettingsError(
            f"was begun with other settings: {'; '.join(others)}",
            where=where,
            hint="Use the settings it began with, or give another --name; `dynsearch study restart` and "
            "`delete` make room",
        )
