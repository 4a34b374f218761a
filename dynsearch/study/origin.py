"""Where a study comes from, ``origin.yaml``: the commands that ran it and the data set they saw."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from dynsearch.data.records import VideoDataset
from dynsearch.errors import StudyError
from dynsearch.files import read_yaml, write_yaml
from dynsearch.study.folder import StudyFolder
from dynsearch.validation import Settings, describe


class Origin(Settings):
    """What a study needs to be understood without its data set."""

    commands: list[str] = []
    """The commands that ran the study, oldest first."""
    data_root: str
    """The data set's folder."""
    class_names: Annotated[list[str], Field(min_length=1)]
    """K names, in label order."""
    num_videos: Mapping[str, Annotated[int, Field(ge=0, lt=2**63)]]
    """By split."""

    @classmethod
    def of(cls, dataset: VideoDataset, command: str) -> Origin:
        """Return the origin of a study that ``command`` runs on ``dataset``."""
        return cls(
            commands=[command],
            data_root=str(dataset.root),
            class_names=list(dataset.class_names),
            num_videos={split: len(records) for split, records in dataset.splits.items()},
        )

    @classmethod
    def of_study(cls, folder: StudyFolder) -> Origin | None:
        """Read the study's ``origin.yaml``; None where it has none, StudyError where it has wrong fields."""
        path = _path(folder)
        if not path.is_file():
            return None
        values = read_yaml(path, StudyError)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise StudyError(describe(error), where=str(path)) from error

    def add_to(self, folder: StudyFolder) -> Origin:
        """Write this to the study's ``origin.yaml``, after the commands that are there; return both."""
        before = Origin.of_study(folder)
        commands = [] if before is None else before.commands
        if commands[-1:] != self.commands:
            commands = [*commands, *self.commands]
        both = self.model_copy(update={"commands": commands})
        write_yaml(_path(folder), both.model_dump(mode="json"))
        return both


def way_on(folder: StudyFolder) -> str:
    """Return what to do about a study that has no results yet: wait where a driver runs, else how to go on."""
    if folder.is_running:
        return "Wait for the first trial; `dynsearch dashboard` shows how far it is"
    command = last_command(folder)
    if command is None:
        return f"Nothing runs. Run `dynsearch study` with the settings it began with and --name {_quoted(folder)}"
    if folder.identity().get("name") != folder.name:  # The command alone would begin another study.
        command += (
            f" --name {_quoted(folder)}" if command.startswith("dynsearch study") else f", as {folder.path}"
        )
    return f"Nothing runs. It goes on with: {command}"


def last_command(folder: StudyFolder) -> str | None:
    """Return the command that ran the study last, as far as that is known."""
    with contextlib.suppress(StudyError):
        origin = Origin.of_study(folder)
        return origin.commands[-1] if origin and origin.commands else None
    return None


def _quoted(folder: StudyFolder) -> str:
    return shlex.quote(str(folder.path))


def _path(folder: StudyFolder) -> Path:
    return folder.path / "origin.yaml"
