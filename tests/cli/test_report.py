"""``dynsearch report`` on a toy study, with and without its videos at hand."""

import base64
import dataclasses
import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from dynsearch.api.report import make_report
from dynsearch.data.records import VideoRecord
from dynsearch.data.thumbnails import thumbnail, thumbnails
from dynsearch.errors import StudyError
from dynsearch.machine import available_cores
from dynsearch.measures import COST_MEASURES
from dynsearch.scores import ExitScores
from dynsearch.study.folder import StudyFolder
from dynsearch.study.origin import Origin
from dynsearch.study.record import open_record
from dynsearch.study.report_files import read_beside
from dynsearch.study.results import read_results
from tests.cli.miniature import write_webm
from tests.cli.runner import dynsearch
from tests.report.html.studies import data_of
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
    data = data_of(text)
    assert not any(video["jpeg"] for video in data["pictured"])
    assert data["commands"] == ["dynsearch study --dataset toy --seed 3"]
    assert data["made"]["machine"].endswith(f", {available_cores()} cores")
    assert data["made"]["first trial began"] <= data["made"]["last trial ended"]
    assert data["classes"] == ["pushing", "pulling", "<turning>", "lifting"]
    assert [trial["reason"] for trial in data["trials"] if trial["state"] == "failed"] == [
        "ValueError: no such thing"
    ]
    dynsearch("report", "toy", "--output", "again.html", cwd=folder.path.parents[1])
    assert (folder.path.parents[1] / "again.html").read_text() == text


def test_videos_at_hand_are_shown(folder, video, tmp_path):
    records = [VideoRecord(f"test{i}", video, 0) for i in range(119)]
    missing = make_report(folder, tmp_path / "report.html", records)
    text = (tmp_path / "report.html").read_text()
    shown = {video["id"] for video in data_of(text)["pictured"]}
    pictures = [video["jpeg"] for video in data_of(text)["pictured"] if video["jpeg"]]
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


def test_several_studies_are_shown_side_by_side(folder):
    work = folder.path.parents[1]
    run(folder.path.with_name("other"), ToyEvaluator(), max_gflops=0.05, num_trials=3, seed=8)
    result = dynsearch("report", "toy", "other", cwd=work)
    page = work / "studies" / "report-toy-other.html"
    assert page.name in result.out
    data = data_of(page.read_text())
    (other,) = data["others"]
    found = json.loads(dynsearch("frontier", "toy", "other", "--max-gflops", "0.03", "--json", cwd=work).out)
    assert [point["test_top1"] for point in found["frontiers"]["other"]] == [
        p["top1"] for p in other["points"]
    ]
    assert [point["test_top1"] for point in found["frontiers"]["toy"]] == [p["top1"] for p in data["points"]]
    best = {
        name: [row for row in rows if row["calibration_gflops"] <= 0.03][-1]["trial"]
        for name, rows in found["frontiers"].items()
    }
    assert {row["study"]: row["trial"] for row in found["points"]} == best
    shown = dynsearch("frontier", "toy", "other", "--plot", "both.png", cwd=work)
    assert (work / "both.png").stat().st_size > 1000
    assert [line.split()[0] for line in shown.out.splitlines()[-2:]] == ["toy", "other"]
    assert (
        "plot-grid draws"
        in dynsearch("frontier", "toy", "other", "--plot-grid", "g.png", cwd=work, code=2).err
    )
    assert not (folder.path / "frontier.csv").exists()


@pytest.mark.reliability(
    "Statistics", "studies of different test videos, or in different units, shown side by side",
    happens="the page and the command say that accuracies can't be compared; units are refused",
    sees="its accuracies can't be compared; costs, in ms, can't be shown beside those in GFLOPs",
)  # fmt: skip
def test_what_cant_be_compared_is_said(folder, monkeypatch):
    work = folder.path.parents[1]
    elsewhere = StudyFolder(folder.path.with_name("elsewhere"))
    shutil.copytree(folder.path, elsewhere.path)
    for path in elsewhere.path.glob("trials/*/scores-test.npz"):
        scores = ExitScores.load(path)
        names = [f"x{name}" for name in scores.video_ids_N]
        dataclasses.replace(scores, video_ids_N=np.array(names)).save(path)
    said = dynsearch("frontier", "toy", "elsewhere", cwd=work)
    assert "elsewhere was measured on other test videos" in said.err
    dynsearch("report", "toy", "elsewhere", cwd=work)
    assert (
        "can't be compared"
        in data_of((work / "studies/report-toy-elsewhere.html").read_text())["others"][0]["remark"]
    )
    first = read_results(open_record(folder), folder, solver="frontier")
    in_ms = [
        dataclasses.replace(p, calibration=dataclasses.replace(p.calibration, measure=COST_MEASURES["ms"]))
        for p in first.points
    ]
    with pytest.raises(StudyError, match="GFLOPs, can't be shown beside those of a, in ms"):
        read_beside("a", dataclasses.replace(first, points=in_ms), folder)
