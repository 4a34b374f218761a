"""Files of a trial that optuna-dashboard shows, without a second copy of them."""

import os
import shutil
from pathlib import Path
from typing import BinaryIO

from optuna.artifacts import FileSystemArtifactStore, get_all_artifact_meta, upload_artifact
from optuna.trial import Trial

from dynsearch.files import written_whole
from dynsearch.study.folder import StudyFolder


class LinkedFiles(FileSystemArtifactStore):
    """Keeps hard links to the study's own files (copies where links can't be made)."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Keep the file that ``content_body`` reads."""
        path = self.folder / artifact_id
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(content_body.name, path)
        except OSError:  # Another file system, or one without links.
            with written_whole(path) as temporary, temporary.open("wb") as file:
                shutil.copyfileobj(content_body, file)


def artifact_store(folder: StudyFolder) -> LinkedFiles:
    """Return the store of a study's artifacts."""
    return LinkedFiles(folder.path.resolve() / "artifacts")


def attach(trial: Trial, store: LinkedFiles, path: Path) -> None:
    """Attach the file at ``path`` to a trial that has not been told yet, unless one of its name is attached."""
    attached = {meta.filename for meta in get_all_artifact_meta(trial, storage=trial.storage)}
    if path.name not in attached:
        upload_artifact(artifact_store=store, file_path=str(path), study_or_trial=trial)
