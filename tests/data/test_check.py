import csv
import json
import shutil

import pytest

from dynsearch.data.check import check_dataset
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
    assert set(rows[0]) == {"kind", "split", "video_id", "path", "detail"}


def test_progress_counts_every_video(motions_root):
    calls = []
    check_dataset("motions", motions_root, num_workers=2, progress=lambda *call: calls.append(call))

    assert calls[-1] == (48, 48)


def test_bad_arguments_are_refused(motions_root, tmp_path):
    with pytest.raises(InputError, match="min_frames"):
        check_dataset("motions", motions_root, min_frames=0)
    with pytest.raises(InputError, match=r"no data set 'nope'.*motions, sthv2"):
        check_dataset("nope")
    with pytest.raises(DataError, match="missing: labels"):
        check_dataset("sthv2", tmp_path)
