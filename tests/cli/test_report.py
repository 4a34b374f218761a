"""``dynsearch report`` on a toy study, with and without its videos at hand."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from dynsearch.api.report import make_report
from dynsearch.data.records import VideoRecord
from dynsearch.data.thumbnails import thumbnail, thumbnails
from dynsearch.study.folder import StudyFolder
from dynsearch.study.origin import Origin
from tests.cli.miniature import write_webm
from tests.cli.runner import dynsearch
from tests.search.toy import ToyEvaluator, run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = StudyFolder(tmp_path_factory.mktemp("work") / "studies" / "toy")
    run(folder.path, ToyEvaluator(fail_on={1}), max_gflops=0.05, num_trials=4)
    Origin(
        commands=["dynsearch study --dataset toy --seed 3"],
        data_root="/nowhere",
        class_names=["pushing", "pulling", "<turning>", "lifting"],
        num_videos={"calibration": 120, "test": 120},
    ).add_to(folder)
    return folder


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("videos") / "square.webm"
    write_webm(path, (3, 0), seed=1)
    return path


def test_the_command_writes_a_report_from_the_studys_files_alone(folder):
    result = dynsearch("report", "toy", cwd=folder.path.parents[1])
    text = (folder.path / "report.html").read_text()
    assert "report.html" in result.out
    assert "videos have no picture" in result.err
    assert "<img" not in text
    for words in (
        "dynsearch study --dataset toy --seed 3", "pushing", "&lt;turning&gt;", "ValueError: no such thing",
        "Hypervolume", "Which videos stop early",
    ):  # fmt: skip
        assert words in text
    dynsearch("report", "toy", "--output", "again.html", cwd=folder.path.parents[1])
    assert (folder.path.parents[1] / "again.html").read_text() == text


def test_videos_at_hand_are_shown(folder, video, tmp_path):
    records = [VideoRecord(f"test{i}", video, 0) for i in range(119)]
    missing = make_report(folder, tmp_path / "report.html", records)
    text = (tmp_path / "report.html").read_text()
    pictures = re.findall(r'<img src="data:image/jpeg;base64,([^"]+)"', text)
    shown = set(re.findall(r'<span class="id">(test\d+)</span>', text))
    assert missing == len({"test119"} & shown)
    assert len(pictures) == len(shown) - missing > 0
    assert base64.b64decode(pictures[0]) == thumbnail(records[0])


def test_a_thumbnail_is_a_strip_of_four_frames_in_order(video):
    picture = np.asarray(Image.open(io.BytesIO(thumbnail(VideoRecord("x", video, 0)))).convert("L"))
    height, width = picture.shape
    assert height == 90
    places = []
    for frame in np.split(picture, 4, axis=1):
        places.append(np.flatnonzero((frame[:, :-2] > 150).sum(axis=0) > 10).mean())
    assert places == sorted(places), "the square moves to the right"
    assert width % 4 == 0


def test_damaged_and_missing_videos_are_left_out(video, tmp_path):
    (tmp_path / "bad.webm").write_bytes(b"nothing")
    records = [
        VideoRecord("good", video, 0),
        VideoRecord("bad", tmp_path / "bad.webm", 0),
        VideoRecord("gone", tmp_path / "gone.webm", 0),
        VideoRecord("other", video, 0),
    ]
    assert set(thumbnails(records, ["good", "bad", "gone"])) == {"good"}


def test_a_study_without_trials_says_so(tmp_path, folder):
    (tmp_path / "studies" / "new").mkdir(parents=True)
    (tmp_path / "studies" / "new" / "study.yaml").write_text((folder.path / "study.yaml").read_text())
    assert "no trials yet" in dynsearch("report", "new", cwd=tmp_path, code=2).err
