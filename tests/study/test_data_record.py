"""A study is held to the data that it began with, and trials on other videos never share a frontier."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynsearch.api.report import make_report
from dynsearch.data.identity import DataIdentity, VideoIdentity
from dynsearch.errors import StudyError
from dynsearch.scores import ExitScores
from dynsearch.study.data_record import keep_data, recorded_data
from dynsearch.study.folder import StudyFolder
from dynsearch.study.record import open_record
from dynsearch.study.results import left_out_text, read_results
from tests.cli.runner import dynsearch_here
from tests.search.toy import SPACE, InlineEngine, ToyEvaluator, recipe, run

CLASSES = ("a", "b", "c", "d")
PLAN = next(iter(SPACE.cheapest_plans()))


def toy_data():
    """The identity of what the toy's trials are measured on, and of some training videos."""
    splits = {"train": {f"train{n}": VideoIdentity((CLASSES[n % 4],), f"{n}") for n in range(20)}}
    for split in ("calibration", "test"):
        drawn = ToyEvaluator.draw(PLAN, split)
        splits[split] = {
            str(name): VideoIdentity((CLASSES[label],), str(name))
            for name, label in zip(drawn.video_ids_N, drawn.labels_N, strict=True)
        }
    return DataIdentity(CLASSES, splits)


def without(data, split, *names):
    kept = {name: video for name, video in data.splits[split].items() if name not in names}
    return DataIdentity(data.class_names, {**data.splits, split: kept})


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A study of three toy trials, without a record of its data."""
    path = tmp_path_factory.mktemp("begun") / "s"
    run(path, engine=InlineEngine, num_trials=3, max_gflops=1)
    return path


@pytest.fixture
def folder(begun, tmp_path):
    return StudyFolder(shutil.copytree(begun, tmp_path / "s"))


@pytest.fixture
def old(folder):
    """The same, its last trial measured on a test split without three videos, as older versions let happen."""
    path = folder.trial(2) / "scores-test.npz"
    ExitScores.load(path).select(range(3, 120)).save(path)
    return folder


def test_a_new_study_records_its_data_and_is_then_held_to_them(tmp_path):
    folder, data = StudyFolder(tmp_path / "s"), toy_data()
    assert recorded_data(folder) is None
    assert keep_data(folder, data, in_use=False) is None
    assert recorded_data(folder) == data
    folder.record(recipe(), SPACE)
    assert keep_data(folder, data, in_use=False) is None

    fewer = without(data, "train", "train3", "train7")
    with pytest.raises(StudyError, match=r"2 videos gone in train, first train3, train7"):
        keep_data(folder, fewer, in_use=True)
    assert recorded_data(folder) == data
    said = keep_data(folder, fewer, in_use=False)
    assert said == (
        "the data set has changed before anything was trained: 2 videos gone in train, first train3, train7"
    )
    assert recorded_data(folder) == fewer

    (folder.path / "data.json").write_text("[]")
    with pytest.raises(StudyError, match="holds no identity of a data set"):
        keep_data(folder, data, in_use=False)


CHANGES = st.sampled_from(("gone", "new", "relabelled", "replaced", "renamed", "moved", "reordered"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=CHANGES,
    split=st.sampled_from(("train", "calibration", "test")),
    place=st.integers(0, 19),
    recorded=st.booleans(),
)
@pytest.mark.reliability(
    "Statistics",
    "the data set changes between two runs of a study: videos gone, new, relabelled, renamed, replaced or moved to "
    "another split",
    happens="refused before anything is trained; lists in another order, another place and touched files change "
    "nothing",
    sees="`its data set has changed since it began: ... 3 videos gone in test, first 34, 35, 36 ... or begin a new "
    "study with another --name`",
)
def test_any_change_of_the_data_is_refused_or_harmless(folder, kind, split, place, recorded):
    """Without a record only ids and labels of held-out videos are known, from the scores."""
    data = toy_data()
    (folder.path / "data.json").unlink(missing_ok=True)
    if recorded:
        assert "not recorded; from now on" in keep_data(folder, data, in_use=False)
    videos = list(data.splits[split].items())
    name, video = videos[place]
    other = {s: dict(v) for s, v in data.splits.items()}
    if kind in ("gone", "moved", "renamed"):
        del other[split][name]
    if kind in ("new", "renamed"):
        other[split]["another"] = video
    elif kind == "moved":
        other["test" if split == "train" else "train"][name] = video
    elif kind == "relabelled":
        other[split][name] = VideoIdentity((CLASSES[CLASSES.index(video.classes[0]) - 1],), video.content)
    elif kind == "replaced":
        other[split][name] = VideoIdentity(video.classes, "other")
    elif kind == "reordered":
        other[split] = dict(videos[place:] + videos[:place])

    unseen = not recorded and (kind == "replaced" or (split == "train" and kind != "moved"))
    if kind == "reordered" or unseen:
        keep_data(folder, DataIdentity(CLASSES, other), in_use=False)
        return
    with pytest.raises(StudyError, match="its data set has changed since it began: 1 video") as refused:
        keep_data(folder, DataIdentity(CLASSES, other), in_use=False)
    assert "another --name" in str(refused.value)


@pytest.mark.parametrize("names", [("test0", "test1", "test2"), ()])
def test_an_old_study_goes_on_with_data_that_some_of_its_trials_were_measured_on(old, names):
    assert "not recorded; from now on" in keep_data(old, without(toy_data(), "test", *names), in_use=False)

    results = read_results(open_record(old), old, solver="frontier")

    assert set(results.plans) == ({2} if names else {0, 1})
    assert set(results.left_out) == ({0, 1} if names else {2})


def test_an_old_study_does_not_go_on_with_other_data(old):
    with pytest.raises(StudyError, match="1 video gone in calibration, first calibration5"):
        keep_data(old, without(toy_data(), "calibration", "calibration5"), in_use=False)


@pytest.mark.reliability(
    "Statistics",
    "trials of a study of an older version that were measured on different test videos",
    happens="`frontier` and `report` open; those on other videos than most are left out, and named",
    sees="`left out: trial 2 on other videos (3 videos gone in test, first test0, test1, test2)`",
)
def test_trials_on_other_videos_are_left_out_and_named(old, tmp_path):
    told = dynsearch_here("frontier", old.path, cwd=tmp_path)
    assert "left out: trial 2 on other videos (3 videos gone in test, first test0, test1, test2)" in told.err
    assert "Frontier of 2 trained plans" in told.out
    assert dynsearch_here("frontier", old.path, "--json", cwd=tmp_path).json["left_out"].keys() == {"2"}
    make_report(old, tmp_path / "report.html", [])
    assert "left out, on other videos: 3 videos gone in test" in (tmp_path / "report.html").read_text()

    (old.path / "data.json").write_text(json.dumps(without(toy_data(), "test", "test9").to_dict()))
    told = dynsearch_here("frontier", old.path, cwd=tmp_path, code=2)
    assert "no trial was measured on the study's own videos: trials 0, 1 on other videos" in told.err
    assert "1 video new in test, first test9" in told.err


def test_another_order_of_the_test_videos_gives_the_same_figures(folder):
    before = read_results(open_record(folder), folder, solver="frontier")
    saving, table = before.saving, before.rows()
    for number in (0, 1, 2):
        path = folder.trial(number) / "scores-test.npz"
        ExitScores.load(path).select(np.random.default_rng(number).permutation(120)).save(path)

    now = read_results(open_record(folder), folder, solver="frontier")

    assert now.left_out == {}
    assert now.saving == saving
    assert now.rows() == table


def test_what_is_said_of_trials_on_other_videos():
    assert left_out_text({3: "x gone", 5: "x gone", 4: "y"}) == (
        "trials 3, 5 on other videos (x gone); trial 4 on other videos (y)"
    )


def test_where_folds_are_asked_for_trials_are_measured_on_training_videos_too(tmp_path):
    folder = StudyFolder(tmp_path / "s")
    run(folder.path, engine=InlineEngine, num_trials=2, max_gflops=1, calibration="folds", strategy="retrain")
    (folder.path / "data.json").write_text(json.dumps(toy_data().to_dict()))
    for number in (0, 1):
        path = folder.trial(number) / "scores-calibration.npz"
        own = ExitScores.load(path)
        fitted = own.select(range(19))  # of 20: one could not be read
        names, labels = [f"train{n}" for n in range(19)], np.arange(19) % 4
        both = zip(
            (own.video_ids_N, own.labels_N, own.logits_ENK), (names, labels, fitted.logits_ENK), strict=True
        )
        ids_N, labels_N, logits_ENK = (np.concatenate(two, axis=int(np.ndim(two[0]) == 3)) for two in both)
        replace(own, video_ids_N=ids_N, labels_N=labels_N, logits_ENK=logits_ENK).save(path)
    results = read_results(open_record(folder), folder, solver="frontier")
    assert (sorted(results.plans), results.left_out) == ([0, 1], {})
    assert results.points[-1].calibration.num_videos == own.num_videos + 19
    assert keep_data(folder, toy_data(), in_use=True) is None
    (folder.path / "data.json").unlink()
    assert "held to those of today" in keep_data(folder, toy_data(), in_use=True)
    folder.study_file.write_text(
        folder.study_file.read_text().replace("calibration: folds", "calibration: split")
    )
    with pytest.raises(StudyError, match="19 videos new in calibration|moved from train to calibration"):
        read_results(open_record(folder), folder, solver="frontier")
