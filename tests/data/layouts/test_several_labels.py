import json

import pytest

from dynsearch.data import open_dataset
from dynsearch.data.catalogue import get_metrics, read_annotations
from dynsearch.data.clips import ClipDataset, label_tensor
from dynsearch.errors import DataError, InputError
from tests.data.layouts.several import CLASSES, write_activitynet, write_json

TESTS = ("dynsearch.data.layouts.activitynet", "dynsearch.data.layouts.fcvid")


def read(name, root, **options):
    return read_annotations(name, root, **options)


@pytest.fixture(scope="module")
def activitynet(tmp_path_factory):
    return write_activitynet(tmp_path_factory.mktemp("anet"), sizes=(12, 6), frames=3)


def test_activitynet_as_downloaded_is_opened(activitynet):
    dataset = open_dataset("activitynet", activitynet, calibration_fraction=0.25)

    assert dataset.class_names == CLASSES
    assert [len(dataset.splits[split]) for split in ("train", "calibration", "test")] == [9, 3, 6]
    record = dataset.splits["test"][0]
    assert (record.video_id, record.label, record.labels) == ("va000000000", 0, (0, 1))
    assert record.path.name == "v_va000000000.webm"
    assert get_metrics("activitynet")[0] == get_metrics("fcvid")[0] == "map"


def test_labels_become_zeros_and_ones(activitynet):
    records = open_dataset("activitynet", activitynet, calibration_fraction=0.25).splits["test"]
    clips = ClipDataset(records, num_frames=2, image_size=32, training=False, seed=0, num_classes=3)

    _, labels, _ = clips.batch([0, 1, 2])

    assert labels.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    with pytest.raises(InputError, match="need num_classes"):
        label_tensor(records)


def test_vanished_videos_are_left_out_and_listed(tmp_path):
    root = write_activitynet(tmp_path / "data", sizes=(6, 3), frames=2)
    (root / "videos/v_tr000000004.webm").unlink()
    (root / "videos/v_va000000001.webm").rename(root / "va000000001.webm")  # elsewhere, and without v_

    annotations = read("activitynet", root)

    assert (len(annotations.train), len(annotations.test)) == (5, 3)
    assert annotations.missing == ("tr000000004",)
    assert len(read("activitynet", root, allow_missing=True).train) == 6


def test_the_real_lists_are_read_and_the_same_as_json(tmp_path, shared_data):
    folder = shared_data / "annotations/activitynet"
    for name in ("action_name.csv", "anet_train_video.txt", "anet_val_video_multi_label.txt"):
        (tmp_path / name).symlink_to(folder / name)

    lists = read("activitynet", tmp_path, allow_missing=True)

    assert (len(lists.train), len(lists.test), len(lists.class_names)) == (10_024, 4_926, 200)
    labels = {record.video_id: record.labels for record in [*lists.train, *lists.test]}
    assert lists.class_names[labels["sJFgo9H6zNo"][0]] == "Fun sliding down"
    assert labels["N-LaOcSqZaM"] == (58, 189)

    database = {
        record.video_id: {
            "subset": subset,
            "annotations": [
                {"segment": [0, 1], "label": lists.class_names[label]} for label in record.labels
            ],
        }
        for subset, records in (("training", lists.train), ("validation", lists.test))
        for record in records
    }
    write_json(tmp_path, {"database": database})
    official = read("activitynet", tmp_path, allow_missing=True)
    for ours, theirs in ((lists.train, official.train), (lists.test, official.test)):
        assert [named(record, lists) for record in ours] == [named(record, official) for record in theirs]


def named(record, annotations):
    return record.video_id, {annotations.class_names[label] for label in record.labels}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "JSON"),
        ('{"taxonomy": []}', 'expected {"database"'),
        ({"database": {"a": 3}}, "video 'a' should be"),
        ({"database": {"a": {"subset": "training", "annotations": [{}]}}}, "video 'a' should be"),
        (
            {"database": {"../a": {"subset": "training", "annotations": [{"label": "A"}]}}},
            "would leave the folder",
        ),
        (
            {
                "database": {
                    "a": {"subset": "training", "annotations": [{"label": "A"}]},
                    "b": {"subset": "validation", "annotations": [{"label": "B"}]},
                }
            },
            r"1 classes have no training video, first \['B'\]",
        ),
    ],
)
def test_broken_activitynet_files_are_named(tmp_path, content, reason):
    write_json(tmp_path, content)

    with pytest.raises(DataError, match=reason) as caught:
        read("activitynet", tmp_path)
    assert "activity_net.v1-3.min.json" in str(caught.value)


@pytest.mark.parametrize("line", ["v_a 10", "v_a 10 x", "v_a 10 2"])
def test_broken_lists_name_the_line(tmp_path, line):
    (tmp_path / "action_name.csv").write_text("action\nArchery\nDodgeball\n")
    (tmp_path / "anet_train_video.txt").write_text(f"v_b 9 1\n{line}\n")
    (tmp_path / "anet_val_video_multi_label.txt").write_text("v_c 9 1\n")

    with pytest.raises(DataError, match="line 2: expected `v_ID FRAMES LABEL` with labels below 2"):
        read("activitynet", tmp_path)


def test_without_its_files_one_message_says_what_to_get(tmp_path):
    with pytest.raises(DataError, match=r"missing: activity_net.v1-3.min.json or .*Download activity_net"):
        read("activitynet", tmp_path)
    with pytest.raises(DataError, match=r"FCVID_VideoName_TrainTestSplit.txt.*FCVID_Label.txt"):
        read("fcvid", tmp_path)


FCVID = {
    "making cake/a.mp4 train": "1 0 0",
    "making cake/b.mp4 test": "1\t0\t1",
    "panda\\c d.mp4\ttest": "0 1 0",
    "panda/e.avi train": "0 1 0",
    "panda/f.mp4 train": "0 0 0",
    "beach/g.mp4 train": "0 1 1",
}


def write_fcvid(root, rows):
    (root / "materials").mkdir(parents=True)
    (root / "materials/FCVID_VideoName_TrainTestSplit.txt").write_text("\n".join(rows))
    (root / "materials/FCVID_Label.txt").write_text("\n".join(rows.values()))
    for line in rows:
        path = root / "videos" / line.replace("\\", "/").replace("\t", " ").rpartition(" ")[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def test_fcvid_as_released_is_read(tmp_path):
    annotations = read("fcvid", write_fcvid(tmp_path, FCVID))

    # Nobody has category 3 alone, so no folder gives it a name.
    assert annotations.class_names == ("making cake", "panda", "category 3")
    train = {record.video_id: record.labels for record in annotations.train}
    assert train == {"making cake/a": (0,), "panda/e": (1,), "beach/g": (1, 2)}
    assert {record.video_id: record.labels for record in annotations.test} == {
        "making cake/b": (0, 2),
        "panda/c d": (1,),
    }
    assert [record.path.name for record in annotations.train] == ["a.mp4", "e.avi", "g.mp4"]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ({"x/a.mp4 train": "1 0", "x/b.mp4": "0 1"}, "line 2: expected `CLASS/VIDEO.mp4 train`"),
        ({"x/a.mp4 train": "1 0", "x/b.mp4 test": "0 2"}, "line 2: expected 2 values 0 or 1"),
        ({"x/a.mp4 train": "1 0", "x/b.mp4 test": "0 x"}, "line 2: expected 2 values 0 or 1"),
        ({"x/a.mp4 train": "1 0", "x/b.mp4 test": "0 1\n1 1"}, "has 3 lines, but FCVID_VideoName"),
        ({"x/a.mp4 train": "1 0", "../b.mp4 test": "0 1"}, "would leave the data root"),
    ],
)
@pytest.mark.reliability("Security", "annotation ids and paths that leave the data root, and links that do")
def test_broken_fcvid_files_are_named(tmp_path, rows, reason):
    with pytest.raises(DataError, match=reason):
        read("fcvid", write_fcvid(tmp_path, rows))


def test_check_lists_missing_videos_of_both(activitynet, tmp_path):
    from dynsearch.data.check import check_dataset

    root = write_activitynet(tmp_path / "data", sizes=(3, 3), frames=2)
    (root / "videos/v_tr000000001.webm").unlink()

    report = check_dataset("activitynet", root, num_workers=0)

    assert report.counts() == {"missing": 1}
    assert json.loads((root / "activity_net.v1-3.min.json").read_text())["version"] == "VERSION 1.3"
