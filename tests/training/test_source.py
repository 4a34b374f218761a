import numpy as np
import pytest
import yaml

from dynsearch.data.reader import READERS
from dynsearch.data.records import VideoDataset, VideoRecord
from dynsearch.study.folder import StudyFolder
from dynsearch.training import TrainingConfig
from dynsearch.training.config import FrameCacheConfig
from dynsearch.training.source import DatasetClips
from tests.plans import small_plan
from tests.search.toy import SPACE, recipe


def test_a_study_records_which_groups_calibrate_and_test(tmp_path):
    def records(groups):
        return [
            VideoRecord(f"{group}-{n}", tmp_path / "v.mp4", n, group) for group in groups for n in range(2)
        ]

    splits = {"train": records("abcd"), "calibration": records("ef"), "test": records("g")}
    dataset = VideoDataset(
        name="csv", root=tmp_path, class_names=("x", "y"), splits=splits, missing=("gone", "lost")
    )

    StudyFolder(tmp_path / "s").record(recipe(), SPACE, DatasetClips(dataset).facts())

    assert yaml.safe_load((tmp_path / "s/study.yaml").read_text())["data"] == {
        "videos": {"train": 8, "calibration": 4, "test": 2},
        "missing": 2,
        "calibration_groups": ["e", "f"],
        "test_groups": ["g"],
    }


def test_a_data_set_without_groups_records_its_sizes(tmp_path):
    record = VideoRecord("1", tmp_path / "v.mp4", 0)
    splits = {"train": [record], "calibration": [record], "test": [record]}
    dataset = VideoDataset(name="sthv2", root=tmp_path, class_names=("x", "y"), splits=splits)

    assert DatasetClips(dataset).facts() == {
        "videos": {"train": 1, "calibration": 1, "test": 1},
        "missing": 0,
    }


class WhiteReader:
    """All frames of all videos are white."""

    def read(self, path, choose, *, strict):
        return np.full((len(choose(10)), 48, 48, 3), 255, dtype=np.uint8)


@pytest.mark.parametrize("cache", [None, FrameCacheConfig(num_frames=4, size=40)])
def test_the_reader_asked_for_reads_the_clips_and_fills_the_cache(tmp_path, monkeypatch, cache):
    monkeypatch.setitem(READERS, "white", WhiteReader)
    monkeypatch.setenv("DYNSEARCH_HOME", str(tmp_path / "home"))
    (tmp_path / "v.mp4").write_bytes(bytes([0, 0, 0, 24]) + b"ftypmp42" + bytes(100))
    record = VideoRecord("1", tmp_path / "v.mp4", 0)
    splits = {"train": [record], "calibration": [record], "test": [record]}
    dataset = VideoDataset(name="csv", root=tmp_path, class_names=("x", "y"), splits=splits)
    source = DatasetClips(dataset, cache, reader="white", num_workers=0)
    plan, config = small_plan("4x3", image_size=32), TrainingConfig()

    ((clips, _, _),) = source.loader("test", plan, config, training=False, seed=0)

    white = clips.amax(dim=(0, 1, 3, 4), keepdim=True)
    assert (clips == white).all()
    assert white.min() > 2
