"""Data sets listed in Python; studies on them are in ``tests/api/test_study.py``."""

import pytest

from dynsearch.data.catalogue import open_dataset
from dynsearch.data.from_python import add_dataset
from dynsearch.errors import DynsearchError, InputError


def test_a_list_is_opened_by_its_name_in_three_splits(tmp_path):
    videos = []
    for i in range(20):
        (tmp_path / f"{i}.mp4").write_bytes(b"")
        videos.append((tmp_path / f"{i}.mp4", "ab"[i % 2], None, f"person {i // 4}"))
    info = add_dataset("listed-in-a-test", videos, calibration_fraction=0.25)
    assert add_dataset("listed-in-a-test", videos, calibration_fraction=0.25) is info
    opened = open_dataset("listed-in-a-test")
    assert opened.class_names == ("a", "b")
    ids = {split: {record.video_id for record in records} for split, records in opened.splits.items()}
    assert sorted(map(len, ids.values())) == [4, 4, 12]
    assert set.union(*ids.values()) == {str(path) for path, *_ in videos}
    groups = [set(opened.groups(split)) for split in opened.splits]
    assert set.union(*groups) == {f"person {i}" for i in range(5)}
    assert sum(map(len, groups)) == 5
    with pytest.raises(InputError, match="already"):
        add_dataset("listed-in-a-test", videos[:10])


def test_videos_may_have_several_labels(tmp_path):
    videos = [
        (tmp_path / f"{i}.mp4", ["a", "b"] if i % 2 else ["b"], "test" if i > 15 else None) for i in range(20)
    ]
    info = add_dataset("several-in-a-test", videos)
    assert info.metrics[0] == "map"
    assert [record.labels for record in info.read(tmp_path).test] == [(1,), (0, 1), (1,), (0, 1)]


def test_groups_of_a_table_are_text_and_blank_ones_are_none(tmp_path):
    groups = ["anna", "anna ", "", " ", None, float("nan"), 1, "1"]
    videos = [(tmp_path / f"{i}.mp4", "ab"[i % 2], None, group) for i, group in enumerate(groups)]
    records = add_dataset("grouped-in-a-test", videos).read(tmp_path).train
    assert [record.group for record in records] == ["anna", "anna", None, None, None, None, "1", "1"]


@pytest.mark.parametrize(
    ("videos", "says"),
    [
        ([("a.mp4",)], r"a video is \(path, label\)"),
        ([("a.mp4", "x"), ("b.mp4", "x")], "has 1 classes"),
        ([("a.mp4", 3)], "a video is"),
        ([("a.mp4", "x", "calibration")], "split of a.mp4: must be train or test"),
        ([("a.mp4", " ")], "label of a.mp4: must be a text"),
    ],
)
def test_lists_that_are_no_data_set(videos, says):
    with pytest.raises(DynsearchError, match=says):
        add_dataset("wrong", videos)


def test_the_name_of_a_data_set_that_ships_is_taken():
    with pytest.raises(InputError, match="there is a data set 'motions' already"):
        add_dataset("motions", [("a.mp4", "x"), ("b.mp4", "y")])
