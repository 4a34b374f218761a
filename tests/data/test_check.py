import csv
import json
import os
import shutil
import signal

import pytest

from dynsearch.data import check
from dynsearch.data.check import _look_at, check_dataset
from dynsearch.errors import DataError, InputError


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
