import numpy as np
import pytest

from dynsearch.data import open_dataset
from dynsearch.data.catalogue import read_annotations
from dynsearch.data.record_frames import num_record_frames, read_record
from dynsearch.data.records import VideoRecord
from dynsearch.errors import DataError, InputError, VideoError
from tests.data import barcode
from tests.data.videos import encode

TESTS = ("dynsearch.data.layouts.csv_videos",)


@pytest.fixture(scope="module")
def avi(tmp_path_factory):
    frames = [np.full((32, 48, 3), 10 * index, np.uint8) for index in range(9)]
    return encode(tmp_path_factory.mktemp("avi") / "v.avi", frames, "mpeg4", bf="2").read_bytes()


def sizes(dataset):
    return {name: len(records) for name, records in dataset.splits.items()}


def write_folders(root, avi, parts=("",), people=5, takes=2):
    for part in parts:
        for name in ("wave", "jump"):
            folder = root / part / name
            folder.mkdir(parents=True, exist_ok=True)
            for person in range(people):
                for take in range(takes):
                    (folder / f"p{person}_{name}{take}.avi").write_bytes(avi)
    return root


def test_class_folders_alone_get_a_test_split_that_no_seed_changes(tmp_path, avi):
    root = write_folders(tmp_path / "own", avi)

    first, second = (open_dataset("folders", root, seed=seed, calibration_fraction=0.25) for seed in (0, 1))

    assert first.class_names == ("jump", "wave")
    assert sizes(first) == {"train": 12, "calibration": 4, "test": 4}
    assert first.splits["test"] == second.splits["test"]
    assert first.splits["calibration"] != second.splits["calibration"]


@pytest.mark.reliability(
    "Files",
    "videos with other endings, in capitals or without one, and files that are none",
    happens="what can be read is taken, the rest is counted by ending and named",
    sees="left out, as no videos by their names: 2 .wmv, 1 .txt; first ...",
)
def test_videos_of_all_endings_are_taken_and_the_rest_is_named(tmp_path, avi):
    endings = [".mp4", ".m4v", ".MOV", ".flv", ".3gp", ".mpeg", ".mts", ".ogv", ".mpg", ""]
    for name in ("wave", "jump"):
        (tmp_path / name).mkdir()
        for number, ending in enumerate(endings):
            (tmp_path / name / f"{number}{ending}").write_bytes(avi)
        (tmp_path / name / "10.wmv").write_bytes(b"0&\xb2u")
    (tmp_path / "wave/notes.txt").touch()

    dataset = open_dataset("folders", tmp_path)

    assert sum(sizes(dataset).values()) == 20
    (note,) = dataset.notes
    assert "2 .wmv, 1 .txt; first jump/10.wmv, wave/10.wmv, wave/notes.txt. .wmv: convert" in note


@pytest.mark.reliability(
    "Files", "videos with other endings, in capitals or without one, and files that are none"
)
@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (["wave/1.wmv", "jump/2.wmv"], "0 folders with videos.*; left out, as no videos .* 2 .wmv"),
        (["1.mp4", "2.mp4"], "0 folders with videos.*; 2 videos in own/ lie in no class folder"),
        (["all/wave/1.mp4", "all/jump/2.mp4"], "all videos are in all/. Give .*/all as data root"),
        (["train/1.mp4", "test/2.mp4"], "holds test/, train/, but no train/ with class folders"),
        (["val/wave/1.mp4", "val/jump/1.mp4", "wave/2.mp4", "jump/3.mp4"], "holds val/, but no train/"),
        (["train/a/1.mp4", "train/b/1.mp4", "val/a/1.mp4", "valid/a/1.mp4"], "may both be the val split"),
    ],
)
def test_folders_without_classes_say_what_there_is(tmp_path, files, reason):
    for name in files:
        (tmp_path / "own" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "own" / name).touch()

    with pytest.raises(DataError, match=reason):
        open_dataset("folders", tmp_path / "own")


def test_folders_of_frames_are_videos_where_there_are_no_files(tmp_path, avi):
    for name in ("wave/0", "wave/1", "wave/2", "jump/take/0", "jump/take/1", "jump/take/2"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "00001.jpg").touch()

    ids = [record.video_id for record in read_annotations("folders", tmp_path).train]
    assert sorted(ids) == ["jump/take/0", "jump/take/1", "jump/take/2", "wave/0", "wave/1", "wave/2"]

    write_folders(tmp_path, avi)
    mixed = open_dataset("folders", tmp_path)
    assert sum(sizes(mixed).values()) == 20
    assert "6 .jpg" in mixed.notes[0]


def test_a_link_to_a_folder_above_leads_nowhere(tmp_path, avi):
    write_folders(tmp_path, avi)
    (tmp_path / "wave/again").symlink_to(tmp_path / "wave")
    (tmp_path / "jump/all").symlink_to(tmp_path / "jump")

    assert sum(sizes(open_dataset("folders", tmp_path)).values()) == 20


@pytest.mark.parametrize(
    ("train", "test"), [("train", "test"), ("Training", "val"), ("TRAIN", "validation"), ("train_set", "dev")]
)
def test_train_and_test_folders_are_the_splits(tmp_path, avi, train, test):
    root = write_folders(tmp_path / "own", avi, (train, test))

    dataset = open_dataset("folders", root, calibration_fraction=0.2)

    assert sizes(dataset) == {"train": 16, "calibration": 4, "test": 20}
    assert dataset.splits["test"][0].video_id == f"{test}/jump/p0_jump0.avi"
    said = () if test == "test" else (f"{test}/ (20 videos) is the test split, for there is no other",)
    assert dataset.notes == said


@pytest.mark.reliability(
    "Files",
    "train, val and test side by side, as lists or folders",
    happens="val calibrates and test is the test split; equal ones are one test split; all of it is said",
    sees="val/ (... videos) calibrates, test/ (...) is the test split",
)
def test_val_beside_test_calibrates(tmp_path, avi):
    root = write_folders(tmp_path / "own", avi, ("train", "val", "test", "extra"))
    (root / "val/wave/p0_wave0.avi").write_bytes(avi + b" ")

    dataset = open_dataset("folders", root, calibration_fraction=0.2)
    (root / "val/wave/p0_wave0.avi").write_bytes(avi)
    copied = open_dataset("folders", root, calibration_fraction=0.2)

    assert sizes(dataset) == {"train": 20, "calibration": 20, "test": 20}
    assert {record.video_id[:4] for record in dataset.splits["calibration"]} == {"val/"}
    assert dataset.notes == (
        "extra/ is left out with 20 videos, because train/ is there and it is no split",
        "val/ (20 videos) calibrates, test/ (20) is the test split",
        "calibration_fraction 0.2 is not used: the data set has videos to calibrate on",
    )
    assert sizes(copied) == {"train": 16, "calibration": 4, "test": 20}
    assert copied.notes[1] == "val/ and test/ hold the same videos, which are the test split"


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("path,group", "{folder}/{file}.avi,{person}"),
        ("video,subject,age", "{folder}/{file}.avi,{person},7"),
        (None, "{file}.avi,{person}"),
        (None, "{person},{file}"),
    ],
)
def test_a_csv_of_groups_keeps_people_together(tmp_path, avi, header, row):
    root = write_folders(tmp_path / "own", avi)
    lines = [
        row.format(folder=path.parent.name, file=path.stem, person=path.stem[:2])
        for path in sorted(root.rglob("*.avi"))
    ]
    (root / ("people.csv" if header else "groups.csv")).write_text(
        "\n".join([header, *lines] if header else lines)
    )

    dataset = open_dataset("folders", root, calibration_fraction=0.25)
    chosen = open_dataset("folders@p1+p3", root, calibration_fraction=0.3)

    people = [set(dataset.groups(split)) for split in ("train", "calibration", "test")]
    assert [len(found) for found in people] == [3, 1, 1]
    assert set.union(*people) == {"p0", "p1", "p2", "p3", "p4"}
    assert chosen.groups("test") == ["p1", "p3"]
    assert sizes(chosen) == {"train": 8, "calibration": 4, "test": 8}


def test_leaving_out_a_group_that_is_not_there_lists_those_that_are(tmp_path, avi):
    root = write_folders(tmp_path / "own", avi, people=2)
    with pytest.raises(InputError, match=r"no group 'p9'.*Groups there: none"):
        open_dataset("folders@p9", root)
    lines = [f"{path.name},{path.stem[:2]}" for path in root.rglob("*.avi")]
    (root / "groups.csv").write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"no group 'p9'.*Groups there: p0, p1"):
        open_dataset("folders@p9", root)
    with pytest.raises(InputError, match="none is left to train on"):
        open_dataset("folders@p0+p1", root)


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda root, avi: None, "there is no such folder"),
        (lambda root, avi: (root / "a").mkdir(parents=True), "holds 0 folders with videos"),
        (
            lambda root, avi: [write_folders(root, avi), (root / "groups.csv").write_text("q,r\ns,t")],
            "none of its columns names the videos",
        ),
        (
            lambda root, avi: [
                write_folders(root, avi),
                (root / "groups.csv").write_text("p0_wave0.avi,1,2\np1_wave0.avi,1,2"),
            ],
            "2 columns that may be the groups",
        ),
        (
            lambda root, avi: [
                write_folders(root, avi, ("train", "test")),
                (root / "test/wave").rename(root / "test/wink"),
            ],
            "1 classes are not in train, first 'wink'",
        ),
    ],
)
def test_folders_that_can_not_be_used_are_explained(tmp_path, avi, prepare, reason):
    prepare(tmp_path / "own", avi)

    with pytest.raises(DataError, match=reason):
        open_dataset("folders", tmp_path / "own")


def write_csv(root, avi, name, text):
    root.mkdir(exist_ok=True)
    (root / "clips").mkdir(exist_ok=True)
    for index in range(12):
        (root / f"clips/{index}.avi").write_bytes(avi)
    (root / name).write_text(text, encoding="utf-8")
    return root


def rows(numbers):
    return "\n".join(f"clips/{number}.avi,{('wave', 'jump')[number % 2]}" for number in numbers)


def test_two_csv_files_are_the_splits(tmp_path, avi):
    root = write_csv(tmp_path / "own", avi, "train.csv", rows(range(8)))
    write_csv(root, avi, "test.csv", rows(range(8, 12)))

    dataset = open_dataset("csv", root, calibration_fraction=0.25)

    assert dataset.class_names == ("jump", "wave")
    assert sizes(dataset) == {"train": 6, "calibration": 2, "test": 4}
    assert dataset.splits["test"][0].path == root / "clips/8.avi"


def test_one_csv_file_may_have_columns_in_any_order_and_a_split(tmp_path, avi):
    lines = [
        f"{('train', 'test')[number > 7]},{number % 2},p{number % 3},clips/{number}.avi"
        for number in range(12)
    ]
    text = "\ufeffsplit,class,person,file\r\n" + "\r\n".join(lines)
    root = write_csv(tmp_path / "own", avi, "all.csv", text)

    dataset = open_dataset("csv", root, calibration_fraction=0.3)

    assert dataset.class_names == ("0", "1")
    assert len(dataset.splits["test"]) == 4
    assert len(dataset.groups("calibration")) == 1
    assert open_dataset("csv@p2", root, calibration_fraction=0.4).groups("test") == ["p2"]


def test_numbers_as_classes_are_in_their_own_order(tmp_path, avi):
    lines = [f"clips/{number}.avi,{(2, 10, 9)[number % 3]}" for number in range(12)]
    root = write_csv(tmp_path / "own", avi, "all.csv", "\n".join(lines))

    dataset = open_dataset("csv", root, calibration_fraction=0.4)
    assert dataset.class_names == ("2", "9", "10")


@pytest.mark.reliability("Files", "a broken CSV data set", happens="is refused with file and line")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("clips/0.avi\n", "line 1: expected path,label"),
        ("path,label\nclips/0.avi\n", "line 2: expected a path and a label"),
        ("path,age\nclips/0.avi,3\n", "line 1: expected columns called path and label"),
        ("clips/0.avi,wave\nclips/1.avi,\n", "line 2: expected a path and a label"),
        ("clips/0.avi,wave,a,b\n", "line 1: expected start and end in seconds"),
        ("clips/0.avi,wave,3,2\n", "line 1: expected 0 <= start < end"),
        ("clips/0.avi,wave\n../x.avi,jump\n", "outside the data root: 1, first /.*/x.avi"),
        ("clips/0.avi,wave\n/etc/passwd,jump\n", "outside the data root: 1, first /etc/passwd"),
        (
            "path,label,split\nclips/0.avi,wave,test\nclips/1.avi,jump,fold2\n",
            "line 3: expected train, val or test",
        ),
        ("clips/0.avi,wave\nclips/\0.avi,jump\n", "line 2 holds a NUL character"),
        ("clips/0.avi,wave\nclips/1.avi,wave\n", "has 1 class, at least 2"),
        ("clips/0.avi,wave\nclips/77.avi,jump\n", "1 of 2 annotated videos are missing, first clips/77.avi"),
        ("", "holds nothing"),
    ],
)
def test_broken_csv_files_name_file_and_line(tmp_path, avi, text, reason):
    root = write_csv(tmp_path / "own", avi, "all.csv", text)

    with pytest.raises(DataError, match=reason):
        open_dataset("csv", root)


@pytest.mark.reliability("Security", "annotation ids and paths that leave the data root, and links that do")
def test_a_link_out_of_the_root_and_several_files_are_refused(tmp_path, avi):
    root = write_csv(tmp_path / "own", avi, "all.csv", rows(range(12)))
    (tmp_path / "secret.avi").write_bytes(avi)
    (root / "clips/3.avi").unlink()
    (root / "clips/3.avi").symlink_to(tmp_path / "secret.avi")
    with pytest.raises(DataError, match=r"outside the data root: 1, first clips/3.avi \(.*secret.avi"):
        open_dataset("csv", root)
    write_csv(root, avi, "more.csv", rows(range(12)))
    with pytest.raises(DataError, match="holds 2 CSV files"):
        open_dataset("csv", root)


def test_parts_of_videos_are_read_by_seconds(tmp_path):
    frames = [barcode.draw(index) for index in range(60)]
    for name, codec, options in (("a.mp4", "libx264", {}), ("b.avi", "mpeg4", {"bf": "2"})):
        path = encode(tmp_path / name, frames, codec, rate=12, **options)
        part = VideoRecord("part", path, 0, seconds=(1.0, 2.5))

        read = read_record(part, lambda count: [0, count - 1], strict=True)

        assert num_record_frames(part) == 18
        assert [barcode.read(frame) for frame in read] == [12, 29]
        with pytest.raises(VideoError, match="no frame from second 9 to 12: it lasts"):
            read_record(VideoRecord("late", path, 0, seconds=(9.0, 12.0)), lambda count: [0], strict=True)


def test_parts_of_one_video_are_videos_of_their_own(tmp_path, avi):
    lines = [
        f"clips/{number}.avi,{label},{start},{start + 0.3}"
        for number in range(12)
        for label, start in (("wave", 0), ("jump", 0.4))
    ]
    root = write_csv(tmp_path / "own", avi, "all.csv", "\n".join(lines))

    dataset = open_dataset("csv", root)

    assert sum(sizes(dataset).values()) == 24
    assert dataset.splits["train"][0].video_id.count("#") == 1


def test_the_gestures_are_split_by_person(shared_data):
    dataset = open_dataset("csv@3+9+14", shared_data / "gestures", calibration_fraction=3 / 17)

    assert len(dataset.class_names) == 14
    assert sum(sizes(dataset).values()) == 1960
    people = [set(dataset.groups(split)) for split in ("train", "calibration", "test")]
    assert [len(found) for found in people] == [len(people[0]), 17 - len(people[0]), 3]
    assert len(set.union(*people)) == 20
    share = len(dataset.splits["calibration"]) / (1960 - len(dataset.splits["test"]))
    assert share == pytest.approx(3 / 17, abs=0.04)
