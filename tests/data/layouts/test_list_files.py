"""Lists of videos under the names that people give them, side by side."""

import pytest

from dynsearch.data.catalogue import open_dataset, read_annotations
from dynsearch.errors import DataError

TESTS = ("dynsearch.data.layouts.split_names",)

ROW = "v/{0:02}.mp4,{1}"


def write(root, lists, row=ROW, suffix=""):
    """Write lists of videos by number: even ones are of class 0."""
    (root / "v").mkdir(parents=True, exist_ok=True)
    for name, numbers in lists.items():
        for number in numbers:
            (root / f"v/{number:02}.mp4").touch()
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("\n".join(row.format(number, number % 2) for number in numbers) + suffix)
    return root


def numbers(annotations):
    return [sorted(int(record.path.stem) for record in records) for records in annotations.splits().values()]


TRAIN, VAL, TEST = range(6), (6, 7), (8, 9)


@pytest.mark.reliability("Files", "train, val and test side by side, as lists or folders")
@pytest.mark.parametrize(
    ("lists", "names"),
    [
        ({}, ("train.csv", "val.csv", "test.csv")),
        ({}, ("TRAIN.CSV", "Valid.csv", "Test.csv")),
        ({}, ("training.txt", "validation.txt", "testing.txt")),
        ({}, ("trainlist01.txt", "vallist01.txt", "testlist01.txt")),
        ({}, ("train_split.csv", "dev_split.csv", "test_split.csv")),
        (
            {},
            (
                "ucf101_train_split_1_videos.txt",
                "ucf101_val_split_1_videos.txt",
                "ucf101_test_split_1_videos.txt",
            ),
        ),
        ({}, ("splits/train.csv", "splits/eval.csv", "splits/test.csv")),
        ({"notes.txt": ()}, ("annotations/train.tsv", "annotations/val.tsv", "annotations/test.tsv")),
        ({"trainlist02.txt": TRAIN}, ("trainlist01.txt", "vallist01.txt", "testlist01.txt")),
        ({"all.csv": range(10), "trainval.csv": range(8)}, ("train.csv", "val.csv", "test.csv")),
    ],
)
@pytest.mark.parametrize("row", [ROW, "v/{0:02}.mp4 {1}", "v/{0:02}.mp4\t{1}"])
def test_three_lists_are_three_splits(tmp_path, lists, names, row):
    root = write(tmp_path, lists | dict(zip(names, (TRAIN, VAL, TEST), strict=True)), row)

    found = read_annotations("csv", root)
    dataset = open_dataset("csv", root)

    assert numbers(found) == [list(TRAIN), list(VAL), list(TEST)]
    assert found.class_names == ("0", "1")
    last = [name.rpartition("/")[2] for name in names]
    assert f"{last[1]} (2 videos) calibrates, {last[2]} (2) is the test split" in found.notes
    assert [len(records) for records in dataset.splits.values()] == [6, 2, 2]
    assert dataset.notes == found.notes
    for name in lists:
        assert name in found.notes[0]


@pytest.mark.reliability("Files", "train, val and test side by side, as lists or folders")
def test_equal_lists_are_one_split_and_val_alone_is_the_test_split(tmp_path):
    root = write(tmp_path, {"train.csv": TRAIN, "val.csv": VAL, "test.csv": VAL})
    found = read_annotations("csv", root)
    assert numbers(found) == [list(TRAIN), [], list(VAL)]
    assert found.notes == ("val.csv and test.csv hold the same videos, which are the test split",)

    (root / "test.csv").unlink()
    found = read_annotations("csv", root)
    assert numbers(found) == [list(TRAIN), [], list(VAL)]
    assert found.notes == ("val.csv (2 videos) is the test split, for there is no other",)


def test_a_column_may_name_three_splits(tmp_path):
    lines = [
        f"v/{number:02}.mp4,{number % 2},{split}"
        for numbers, split in ((TRAIN, "Training"), (VAL, "dev"), (TEST, "TEST"))
        for number in numbers
    ]
    root = write(tmp_path, {"x.csv": range(10)})
    (root / "x.csv").write_text("\n".join(["path,label,split", *lines]))

    assert numbers(read_annotations("csv", root)) == [list(TRAIN), list(VAL), list(TEST)]


@pytest.mark.parametrize(
    ("lists", "reason"),
    [
        (
            {"train.csv": TRAIN, "val.csv": VAL, "test.csv": (7, 8)},
            "annotated more than once, first v/07.mp4",
        ),
        (
            {"train_a.csv": TRAIN, "train_b.csv": VAL},
            "train_a.csv and train_b.csv may both be the train split",
        ),
        ({"val.csv": VAL, "test.csv": TEST}, "holds 2 CSV files"),
        ({"a.csv": TRAIN, "b.csv": VAL}, r"holds 2 CSV files \(a.csv, b.csv\), expected train.csv"),
        ({}, "holds 0 CSV files"),
    ],
)
def test_lists_that_can_not_be_told_apart_are_refused(tmp_path, lists, reason):
    with pytest.raises(DataError, match=reason):
        open_dataset("csv", write(tmp_path, lists))


def test_blanks_in_paths(tmp_path):
    root = write(tmp_path, {"all.csv": range(10)}, "v/my clip {0:02}.mp4 {1}")
    for number in range(10):
        (root / f"v/my clip {number:02}.mp4").touch()

    found = read_annotations("csv", root)

    assert found.train[0].video_id == "v/my clip 00.mp4"
    assert found.class_names == ("0", "1")
