import os
from pathlib import Path

import pytest

from dynsearch.data.motions.dataset import MotionsSizes, generate_motions
from tests.data.corpus import Corpus

SMALL = MotionsSizes(num_train=36, num_validation=12, num_unlabelled=2, side=48, seed=3)


@pytest.fixture(autouse=True)
def _own_home(monkeypatch, tmp_path):
    """Frame caches and journals of checks stay in the test's own folder."""
    monkeypatch.setenv("DYNSEARCH_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="session")
def motions_root(tmp_path_factory):
    """A small motions data set, complete."""
    root = tmp_path_factory.mktemp("data") / "motions"
    generate_motions(root, SMALL, num_workers=0)
    return root


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real annotation files and clips, which is not part of the repository."""
    repository = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("DYNSEARCH_SHARED_DATA", repository.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set DYNSEARCH_SHARED_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def corpus(shared_data):
    """The made good and bad videos, which are not part of the repository."""
    if not (shared_data / "videos").is_dir():
        pytest.skip(f"no videos/ in {shared_data}")
    return Corpus(shared_data / "videos")
