"""Files of a trial that optuna-dashboard shows, without a second copy of them."""

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import optuna
from optuna.artifacts import FileSystemArtifactStore, get_all_artifact_meta, upload_artifact
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna.trial import Trial

from dynsearch.errors import DynsearchError
from dynsearch.files import written_whole
from dynsearch.study.folder import StudyFolder


class LinkedFiles(FileSystemArtifactStore):
    """Keeps links to the study's own files (copies where links can't be made).

    They are hard links, or with ``follow`` symbolic ones: of a file that is written anew they show what it holds now.
    """

    def __init__(self, folder: Path, *, follow: bool = False) -> None:
        super().__init__(folder)
        self.folder, self.follow = folder, follow

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Keep the file that ``content_body`` reads."""
        path = self.folder / artifact_id
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if self.follow:
                os.symlink(os.path.relpath(os.path.realpath(content_body.name), path.parent.resolve()), path)
            else:
                os.link(content_body.name, path)
        except OSError:  # Another file system, or one without links.
            with written_whole(path) as temporary, temporary.open("wb") as file:
                shutil.copyfileobj(content_body, file)


def artifact_store(folder: StudyFolder, *, follow: bool = False) -> LinkedFiles:
    """Return the store of a study's artifacts; see :class:`LinkedFiles`."""
    return LinkedFiles(folder.path.resolve() / "artifacts", follow=follow)


def attach(about: optuna.Study | Trial, store: LinkedFiles, path: Path) -> None:
    """Attach a file to a study, or a trial that has not been told yet, unless one of its name is attached."""
    storage = about._storage if isinstance(about, optuna.Study) else about.storage
    attached = {meta.filename for meta in get_all_artifact_meta(about, storage=storage)}
    if path.name not in attached:
        upload_artifact(artifact_store=store, file_path=str(path), study_or_trial=about)


class SeveralStores:
    """Reads the artifacts of several studies; none is written."""

    def __init__(self, stores: Sequence[LinkedFiles]) -> None:
        self.stores = stores

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Open an artifact, wherever it is."""
        for store in self.stores[:-1]:
            with contextlib.suppress(ArtifactNotFound):
                return store.open_reader(artifact_id)
        return self.stores[-1].open_reader(artifact_id)

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Refuse."""
        raise DynsearchError("studies that are only compared are not written to")

    remove = write
