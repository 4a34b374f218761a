import csv
import json
import os
import shutil
import signal

import numpy as np
import pytest

from dynsearch.data import check, check_problems, open_dataset
from dynsearch.data.check import _look_at, check_dataset
from dynsearch.errors import DataError, InputError
from tests.data.videos import encode


@pytest.fixture
def broken(motions_root, tmp_path):
    """A copy of the small motions data set with one problem of each kind; returns (root, ids by kind)."""
    root = tmp_path / "broken"
    shutil.copytree(motions_root, root)
    train = json.loads((root / "labels/train.json").read_text())
    validation = json.loads((root / "labels/validation.json").read_text())
    videos = root / "20bn-something-something-v2"
    missing, garbage, cut, shared = (entry["id"] for entry in train[:4])
    (videos / f"{missing}.mp4").unlink()
    (videos / f"{garbage}.mp4").write_bytes(b"<html>404</html>")
    (videos / f"{cut}.mp4").write_bytes((videos / f"{cut}.mp4").read_bytes()[:600])
    validation.append(train[3])
    (root / "labels/validation.json").write_text(json.dumps(validation))
    return root, {"missing": {missing}, "unreadable": {garbage, cut}, "shared": {shared}}


def test_a_good_data_set_has_no_problems(motions_root):
    report = check_dataset("motions", motions_root, num_workers=2)

    assert report.problems == []
    assert report.num_videos == {"train": 36, "test": 12}


@pytest.mark.reliability(
    "Files",
    "a data set with missing, damaged and doubled videos",
    happens="`dynsearch data check` lists every one with its reason",
)
@pytest.mark.parametrize("num_workers", [0, 2])
def test_every_kind_of_problem_is_found(broken, num_workers):
    root, expected = broken
    report = check_dataset("motions", root, num_workers=num_workers)

    found = {kind: {p.video_id for p in report.problems if p.kind == kind} for kind in report.counts()}
    assert found == expected
    assert report.counts() == {"missing": 1, "unreadable": 2, "shared": 1}
    assert next(p for p in report.problems if p.kind == "shared").split == "train+test"


def test_short_videos_are_found(motions_root):
    report = check_dataset("motions", motions_root, min_frames=25)

    assert report.counts() == {"too short": 48}
    assert "25 wanted" in report.problems[0].detail


def test_the_csv_has_a_row_for_each(broken, tmp_path):
    report = check_dataset("motions", broken[0])
    report.write_csv(tmp_path / "problems.csv")

    with open(tmp_path / "problems.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["video_id"] for row in rows] == [problem.video_id for problem in report.problems]
    assert set(rows[0]) == {"kind", "split", "video_id", "path", "detail", "duplicate_of"}


def test_copies_under_other_names_are_duplicates(motions_root, tmp_path):
    root = tmp_path / "copies"
    shutil.copytree(motions_root, root)
    videos = root / "20bn-something-something-v2"
    train = json.loads((root / "labels/train.json").read_text())
    test = json.loads((root / "labels/validation.json").read_text())
    shutil.copy(videos / f"{train[3]['id']}.mp4", videos / f"{test[5]['id']}.mp4")

    (problem,) = check_dataset("motions", root, num_workers=0).problems

    assert (problem.kind, problem.split, problem.video_id) == ("duplicate", "test", test[5]["id"])
    assert problem.duplicate_of == f"train/{train[3]['id']}"
    assert "under two labels:" in problem.detail


def test_an_interrupted_check_goes_on_and_a_later_one_reads_what_changed(broken, tmp_path, monkeypatch):
    class InterruptedError(Exception):
        pass

    def stop(done, total):
        if done == 20:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        check_dataset("motions", broken[0], num_workers=0, progress=stop)
    (journal,) = (tmp_path / "home/checks").iterdir()
    with journal.open("a") as file:
        file.write('["cut off by a ki')

    calls = []
    resumed = check_dataset("motions", broken[0], num_workers=0, progress=lambda *call: calls.append(call))
    whole = check_dataset("motions", broken[0], num_workers=0, fresh=True)
    again = check_dataset("motions", broken[0], num_workers=0)

    # 20 were read; the missing one is looked for again, and one of them is annotated twice.
    assert resumed.num_resumed == 20
    assert calls[-1] == (49 - resumed.num_resumed,) * 2
    assert resumed.problems == whole.problems == again.problems
    assert (whole.num_resumed, again.num_resumed) == (0, 48)
    changed = broken[0] / "20bn-something-something-v2/7.mp4"
    changed.write_bytes(changed.read_bytes() + b" ")
    assert check_dataset("motions", broken[0], num_workers=0).num_resumed == 47


def abort_at_third(record, *, reader):
    if record.label == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return _look_at(record, reader=reader)


@pytest.mark.reliability("Files", "a data set with missing, damaged and doubled videos")
def test_a_decoder_that_ends_its_process_is_one_problem_a_video(motions_root, monkeypatch):
    monkeypatch.setattr(check, "_look_at", abort_at_third)

    report = check_dataset("motions", motions_root, num_workers=2)

    assert report.counts() == {"unreadable": 4}
    assert "ended the process that read it (signal SIGKILL)" in report.problems[0].detail


def test_progress_counts_every_video(motions_root):
    calls = []
    check_dataset("motions", motions_root, num_workers=2, progress=lambda *call: calls.append(call))

    assert calls[-1] == (48, 48)


def test_bad_arguments_are_refused(motions_root, tmp_path):
    with pytest.raises(InputError, match="min_frames"):
        check_dataset("motions", motions_root, min_frames=0)
    with pytest.raises(InputError, match=r"no data set 'nope'.*motions, sthv2, sthv1"):
        check_dataset("nope")
    with pytest.raises(DataError, match="missing: labels"):
        check_dataset("sthv2", tmp_path)


@pytest.fixture
def own(tmp_path):
    """Twelve videos of two classes, listed in one file by the function that is returned."""
    root = tmp_path / "own"
    root.mkdir()
    for number in range(12):
        encode(
            root / f"{number}.avi",
            [np.full((32, 48, 3), 9 * number + t, np.uint8) for t in range(12)],
            "mpeg4",
        )

    def write(*rows, name="all.csv", videos=range(12)):
        lines = ["path,label,start,end", *(f"{n}.avi,{'ab'[n % 2]},," for n in videos), *rows]
        (root / name).write_text("\n".join(lines))
        return root

    return write


def check_csv(root, **options):
    return check_dataset("csv", root, num_workers=0, **options)


@pytest.mark.reliability(
    "Statistics",
    "parts of one file, or one file under two spellings, listed as videos of their own",
)
def test_files_in_two_splits_are_named(own):
    own("0.avi,a,0,0.5", "2.avi,a,0,0.5", name="train.csv", videos=range(3, 8))
    root = own("0.avi,b,0.5,1", "2.avi,b,0.25,1", name="test.csv", videos=range(8, 12))
    report = check_csv(root)
    assert [(found.kind, found.split, found.video_id) for found in report.problems] == [
        ("same time", "train+test", "2.avi#0.25-1"),
        ("two splits", "train+test", "0.avi#0.5-1"),
    ]
    assert check_csv(root, split_files=True).counts() == {"same time": 1}


@pytest.mark.reliability(
    "Files",
    "parts of a video that show some of the same, the same content under two labels, classes with hardly any videos",
    happens="`dynsearch data check` names them, for the splits that a study would make",
    sees="the same content as ... in train, under two labels: b here, a there; a study has them in train and test",
)
def test_overlaps_labels_and_rare_classes_are_named(own):
    root = own("0.avi,a,0,0.5", "0.avi,a,0.25,1", "1.avi,c,,", videos=range(2, 12))
    shutil.copyfile(root / "3.avi", root / "4.avi")
    found = {problem.kind: problem for problem in check_csv(root).problems}
    assert set(found) == {"duplicate", "few"}
    assert (
        "the same content as 3.avi in train, under two labels: a here, b there"
        not in found["duplicate"].detail
    )
    assert found["duplicate"].detail.endswith("under two labels: a here, b there")
    assert (found["few"].video_id, found["few"].detail) == ("c", "the class has 1 video in all")
    notes = " ".join(check_csv(root).notes)
    assert "2 videos show some of the same as another of their split, first " in notes
    assert "0.avi#0-0.5 and 0.avi#0.25-1" in notes
    assert "classes have one video or none in a split of a study: a (1 in calibration" in notes
    details = {seed: check_csv(root, seed=seed).problems[0].detail for seed in range(8)}
    for seed, detail in details.items():
        splits = open_dataset("csv", root, seed=seed).splits
        where = [
            next(s for s, records in splits.items() if any(r.video_id == v for r in records))
            for v in ("3.avi", "4.avi")
        ]
        assert (f"; a study has them in {' and '.join(where)}" in detail) == (where[0] != where[1])
    assert len(set(details.values())) > 1


def test_whole_files_are_read_only_where_sizes_and_samples_are_equal(own, monkeypatch):
    root = own()
    shutil.copyfile(root / "2.avi", root / "6.avi")
    read = []
    monkeypatch.setattr(check_problems, "_digest", lambda path: read.append(path.name) or "the same")
    assert check_csv(root).counts() == {"duplicate": 1}
    assert sorted(read) == ["2.avi", "6.avi"]
