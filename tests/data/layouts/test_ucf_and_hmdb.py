import shutil

import numpy as np
import pytest

from dynsearch.data import open_dataset, read_frames
from dynsearch.data.layouts.hmdb51 import read_hmdb51
from dynsearch.data.layouts.ucf101 import read_ucf101
from dynsearch.errors import DataError, InputError
from tests.data.videos import encode

UCF_SIZES = {"1": (9537, 3783), "2": (9586, 3734), "3": (9624, 3696)}


@pytest.fixture(scope="module")
def avi(tmp_path_factory):
    """One short MPEG-4 AVI with B-frames, as UCF-101's are."""
    frames = [np.full((48, 64, 3), 10 * index, np.uint8) for index in range(12)]
    return encode(tmp_path_factory.mktemp("avi") / "v.avi", frames, "mpeg4", bf="2")


def write_ucf101(root, avi, lists="ucfTrainTestlist", videos="UCF-101"):
    """Two classes, groups g01 to g08 of two clips each; g01 and g02 are split 1's test groups."""
    (root / lists).mkdir(parents=True)
    (root / lists / "classInd.txt").write_text("1 Archery\r\n2 Biking\r\n")
    entries = {
        f"{name}/v_{name}_g{group:02d}_c{clip:02d}.avi": (label, group)
        for label, name in enumerate(("Archery", "Biking"), start=1)
        for group in range(1, 9)
        for clip in (1, 2)
    }
    for entry in entries:
        path = root / videos / entry
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(avi, path)
    for split, tested in (("1", (1, 2)), ("2", (3, 4)), ("3", (5, 6))):
        test = [entry for entry, (_, group) in entries.items() if group in tested]
        train = [f"{entry} {label}" for entry, (label, group) in entries.items() if group not in tested]
        (root / lists / f"testlist0{split}.txt").write_text("\n".join(test))
        (root / lists / f"trainlist0{split}.txt").write_text("\n".join(train))
    return root


@pytest.mark.parametrize("videos", [".", "UCF-101"])
@pytest.mark.parametrize("lists", ["ucfTrainTestlist", "."])
def test_ucf101_as_downloaded_is_opened(tmp_path, avi, videos, lists):
    dataset = open_dataset("ucf101", write_ucf101(tmp_path / "ucf", avi, lists, videos))

    assert dataset.class_names == ("Archery", "Biking")
    assert {name: len(records) for name, records in dataset.splits.items()} == {
        "train": 20,
        "calibration": 4,
        "test": 8,
    }
    record = dataset.splits["test"][0]
    assert read_frames(record.path, [0, 11]).shape == (2, 48, 64, 3)


def test_ucf101_calibrates_on_whole_groups(tmp_path, avi):
    root = write_ucf101(tmp_path / "ucf", avi)

    dataset = open_dataset("ucf101", root, calibration_fraction=0.4, seed=3)

    groups = [set(dataset.groups(split)) for split in ("train", "calibration", "test")]
    assert groups[2] == {"g01", "g02"}
    assert len(groups[1]) == 2
    assert not groups[0] & groups[1]
    assert len(set.union(*groups)) == 8


def test_ucf101_has_three_splits(tmp_path, avi):
    root = write_ucf101(tmp_path / "ucf", avi)

    assert open_dataset("ucf101@2", root).groups("test") == ["g03", "g04"]
    assert open_dataset("ucf101@3", root).groups("test") == ["g05", "g06"]
    with pytest.raises(InputError, match=r"no split '4'.*ucf101@1, ucf101@2, ucf101@3"):
        open_dataset("ucf101@4", root)


def test_missing_ucf101_files_are_named(tmp_path, avi):
    root = write_ucf101(tmp_path / "ucf", avi)
    (root / "UCF-101/Biking/v_Biking_g01_c02.avi").unlink()

    with pytest.raises(DataError, match=r"1 of 32 annotated videos are missing, first v_Biking_g01_c02"):
        open_dataset("ucf101", root)
    with pytest.raises(DataError, match=r"missing: ucfTrainTestlist/classInd.txt.*crcv.ucf.edu"):
        open_dataset("ucf101", tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("file", "line", "reason"),
    [
        ("trainlist01.txt", "v_Archery_g01_c01.avi 1", "line 1: expected `CLASS/VIDEO.avi`"),
        ("trainlist01.txt", "Archery/v_Archery_g01_c01.avi 2", "line 1: expected class number 1 for Archery"),
        ("trainlist01.txt", "Chess/v_Chess_g01_c01.avi 1", "line 1: the class 'Chess' is not in"),
        ("trainlist01.txt", "Archery/../../secret.avi 1", "would leave the folder"),
        ("testlist01.txt", "", "holds nothing"),
        ("classInd.txt", "1 Archery\n3 Biking", "line 2: expected `2 CLASS`"),
    ],
)
@pytest.mark.reliability("Security", "annotation ids and paths that leave the data root, and links that do")
def test_broken_ucf101_lists_name_file_and_line(tmp_path, avi, file, line, reason):
    root = write_ucf101(tmp_path / "ucf", avi)
    (root / "ucfTrainTestlist" / file).write_text(line)

    with pytest.raises(DataError, match=reason) as caught:
        read_ucf101(root)
    assert file in caught.value.where


@pytest.mark.parametrize("split", UCF_SIZES)
def test_the_official_ucf101_lists_are_read(shared_data, split):
    annotations = read_ucf101(shared_data / "annotations/ucf101", split=split)

    assert (len(annotations.train), len(annotations.test)) == UCF_SIZES[split]
    assert len(annotations.class_names) == 101
    train, test = ({record.group for record in part} for part in (annotations.train, annotations.test))
    assert train | test == {f"g{number:02d}" for number in range(1, 26)}
    assert not train & test


def write_hmdb51(root, avi):
    lists = root / "testTrainMulti_7030_splits"
    lists.mkdir(parents=True)
    for name in ("clap", "shake_hands"):
        lines = []
        for film in range(9):
            for take in range(2):
                clip = f"Film{film}_{name}_u_cm_np1_fr_med_{take}.avi"
                path = root / "hmdb51" / name / clip
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(avi, path)
                lines.append(f"{clip} {2 if film < 2 else 0 if film == 2 else 1} ")
        (lists / f"{name}_test_split1.txt").write_text("\n".join(lines))
    return root


def test_hmdb51_as_downloaded_is_opened(tmp_path, avi):
    dataset = open_dataset("hmdb51", write_hmdb51(tmp_path / "hmdb", avi), calibration_fraction=0.3)

    assert dataset.class_names == ("clap", "shake_hands")
    assert dataset.groups("test") == ["Film0", "Film1"]
    assert {name: len(records) for name, records in dataset.splits.items()} == {
        "train": 16,
        "calibration": 8,
        "test": 8,
    }
    assert not set(dataset.groups("train")) & set(dataset.groups("calibration"))


def test_broken_hmdb51_lists_name_file_and_line(tmp_path, avi):
    root = write_hmdb51(tmp_path / "hmdb", avi)
    (root / "testTrainMulti_7030_splits/clap_test_split1.txt").write_text("a.avi 1\nb.avi 3\n")

    with pytest.raises(DataError, match=r"clap_test_split1.txt: line 2: expected .* got 'b.avi 3'"):
        read_hmdb51(root)
    with pytest.raises(DataError, match=r"missing: testTrainMulti_7030_splits/\*_test_split2.txt"):
        open_dataset("hmdb51@2", root)


@pytest.mark.parametrize("split", ["1", "2", "3"])
def test_the_official_hmdb51_lists_are_read(shared_data, split):
    annotations = read_hmdb51(shared_data / "annotations/hmdb51", split=split)

    assert (len(annotations.train), len(annotations.test)) == (3570, 1530)
    assert len(annotations.class_names) == 51
    films = {record.group for record in annotations.train}
    assert 900 < len(films) < 1100
    assert "April_09" in films or "Aussie_Brunette_Brushing_Hair_II" in films
