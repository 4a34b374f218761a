import yaml

from dynsearch.data.records import VideoDataset, VideoRecord
from dynsearch.search.folder import StudyFolder
from dynsearch.training.source import DatasetClips
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
