import json
import os

import pytest

from dynsearch.data import open_dataset
from dynsearch.data.catalogue import read_annotations
from dynsearch.errors import DataError

LABELS = {"Putting something on something": "1", "Dropping something": "0"}
TEMPLATES = ["Dropping [something]", "Putting [something] on [something]"]


def write_layout(root, names="labels/{}.json", suffix=".webm", **changes):
    """Write a tiny data set: 8 training and 4 validation videos (empty files: nothing decodes them here)."""
    entries = [
        {"id": str(100 + index), "label": "x", "template": TEMPLATES[index % 2], "placeholders": ["a"]}
        for index in range(12)
    ]
    files = {"labels": LABELS, "train": entries[:8], "validation": entries[8:], "test": [{"id": "1"}]}
    files |= changes
    folder = root / "20bn-something-something-v2"
    folder.mkdir(parents=True)
    for index in range(12):
        (folder / f"{100 + index}{suffix}").touch()
    for part, content in files.items():
        path = root / names.format(part)
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return root


def read(root, **options):
    return read_annotations("sthv2", root, **options)


@pytest.mark.parametrize(
    "names",
    ["labels/{}.json", "{}.json", "something-something-v2-{}.json", "labels/something-something-v2-{}.json"],
)
@pytest.mark.parametrize("suffix", [".webm", ".mp4"])
def test_both_releases_names_are_read(tmp_path, names, suffix):
    root = write_layout(tmp_path / "data", names, suffix)

    annotations = read(root)

    assert annotations.class_names == ("Dropping something", "Putting something on something")
    assert [record.label for record in annotations.train] == [0, 1] * 4
    assert [record.video_id for record in annotations.test] == ["108", "109", "110", "111"]
    assert annotations.test[0].path == root / "20bn-something-something-v2" / f"108{suffix}"


def test_open_dataset_carves_calibration_out_of_train(tmp_path):
    root = write_layout(tmp_path / "data")

    dataset = open_dataset("sthv2", root, calibration_fraction=0.25)

    ids = {name: {record.video_id for record in records} for name, records in dataset.splits.items()}
    assert {name: len(found) for name, found in ids.items()} == {"train": 6, "calibration": 2, "test": 4}
    assert ids["train"] | ids["calibration"] == {str(number) for number in range(100, 108)}
    assert not ids["train"] & ids["calibration"]
    assert sorted(record.label for record in dataset.splits["calibration"]) == [0, 1]


@pytest.mark.reliability(
    "Files",
    "a data set that is not there",
    happens="one message lists all missing files and where to get them",
    sees="`the data set is not complete there, missing: ...`",
)
def test_missing_data_is_one_message_with_all_files_place_and_advice(tmp_path):
    with pytest.raises(DataError) as caught:
        open_dataset("sthv2", tmp_path / "nowhere")

    message = str(caught.value)
    assert str(tmp_path / "nowhere") in message
    for name in ("labels", "train", "validation"):
        assert f"labels/{name}.json" in message
        assert f"something-something-v2-{name}.json" in message
    assert "20bn-something-something-v2/" in message
    assert "https://www.qualcomm.com" in message
    assert "--data-root" in message


def test_only_what_is_missing_is_listed(tmp_path):
    root = write_layout(tmp_path / "data")
    (root / "labels/train.json").unlink()

    with pytest.raises(DataError, match=r"missing: labels/train.json or train.json or") as caught:
        read(root)
    assert "validation" not in caught.value.problem


@pytest.mark.reliability(
    "Files",
    "annotated videos that are missing",
    happens="are counted, the first named",
    sees="`... of ... annotated videos are missing, first ...`",
)
def test_missing_videos_are_counted_and_named(tmp_path):
    root = write_layout(tmp_path / "data")
    for number in (103, 110):
        (root / f"20bn-something-something-v2/{number}.webm").unlink()

    with pytest.raises(DataError, match=r"2 of 12 annotated videos are missing, first 103, 110.*qualcomm"):
        read(root)
    assert len(read(root, allow_missing=True).train) == 8


@pytest.mark.parametrize("video_id", ["../secret", "/etc/passwd", "a/b", "..", "", "a\\b", "x\0y"])
@pytest.mark.reliability(
    "Security",
    "annotation ids and paths that leave the data root, and links that do",
    happens="are refused with the file they stand in",
    sees="the video id '../secret' would leave the folder of videos",
)
def test_ids_that_leave_the_root_are_refused(tmp_path, video_id):
    root = write_layout(tmp_path / "data", train=[{"id": video_id, "template": TEMPLATES[0]}])

    with pytest.raises(DataError, match="would leave the folder") as caught:
        read(root)
    assert "train.json" in str(caught.value.where)


def test_a_video_that_is_a_link_out_of_the_folder_is_refused(tmp_path):
    root = write_layout(tmp_path / "data")
    video = root / "20bn-something-something-v2/100.webm"
    (tmp_path / "secret.webm").touch()
    video.unlink()
    video.symlink_to(tmp_path / "secret.webm")

    with pytest.raises(DataError, match=r"outside the data root: 1, first 100 \(.*secret"):
        read(root)


def test_the_folder_of_videos_may_be_a_link(tmp_path):
    root = write_layout(tmp_path / "data")
    os.rename(root / "20bn-something-something-v2", tmp_path / "big-disk")
    (root / "20bn-something-something-v2").symlink_to(tmp_path / "big-disk")

    assert len(read(root).train) == 8


@pytest.mark.reliability(
    "Files",
    "annotations with classes that are not in the label file",
    happens="are refused",
    sees="`... classes are not in ..., first ...`",
)
def test_unknown_classes_name_the_file_and_the_first_ten(tmp_path):
    entries = [{"id": "100", "template": f"Class [{number}]"} for number in range(14)]
    root = write_layout(tmp_path / "data", train=entries)

    with pytest.raises(
        DataError, match=r"14 classes are not in labels.json, first 'Class 0'.*'Class 9'\."
    ) as caught:
        read(root)
    assert str(caught.value.where).endswith("train.json")


@pytest.mark.reliability(
    "Files",
    "broken annotation files",
    happens="are named with entry or line",
    sees="`expected a list of videos, got ...`",
)
@pytest.mark.parametrize(
    ("part", "content", "reason"),
    [
        ("train", "[{", "line 1"),
        ("train", {"id": "1"}, "expected a list of videos"),
        ("train", [], "expected a list of videos"),
        ("train", [{"id": "1", "template": "Dropping [something]"}, {"id": "2"}], "entry 2 should be"),
        ("validation", ["1"], "entry 1 should be"),
        ("labels", [], "class name"),
        ("labels", {"Dropping something": "x"}, "not a whole number"),
        ("labels", {"Dropping something": "1"}, "must be 0 to 0"),
        ("labels", {"a": "0", "b": "0"}, "must be 0 to 1"),
    ],
)
def test_broken_annotation_files_are_named(tmp_path, part, content, reason):
    root = write_layout(tmp_path / "data", **{part: content})

    with pytest.raises(DataError, match=reason) as caught:
        read(root)
    assert str(caught.value.where).endswith(f"{part}.json")


@pytest.mark.reliability(
    "Files",
    "a video annotated twice",
    happens="is refused: it could be in two splits",
    sees="`... video ids are annotated more than once, first ...`",
)
def test_a_video_annotated_twice_is_refused(tmp_path):
    root = write_layout(tmp_path / "data", validation=[{"id": "100", "template": TEMPLATES[0]}])

    with pytest.raises(DataError, match=r"100 \(train and test\)"):
        open_dataset("sthv2", root)


def test_the_official_annotation_files_are_read(tmp_path, shared_data):
    official = shared_data / "annotations/something-something-v2"
    validation = json.loads((official / "validation.json").read_text())
    (tmp_path / "20bn-something-something-v2").mkdir()
    (tmp_path / "labels").mkdir()
    for name in ("labels", "validation", "test"):
        (tmp_path / f"labels/{name}.json").symlink_to(official / f"{name}.json")
    # train.json is not among the real files: a part of the real validation entries stands for it.
    (tmp_path / "labels/train.json").write_text(json.dumps(validation[:1000]))

    annotations = read(tmp_path, allow_missing=True)

    assert len(annotations.class_names) == 174
    assert annotations.class_names[0] == "Approaching something with your camera"
    assert len(annotations.test) == 24_777
    assert {record.label for record in annotations.test} == set(range(174))
