"""Calibration from Python: the command's answers, without the command."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas
import pytest
from scipy.special import softmax

import dynsearch
from dynsearch.errors import InfeasibleBudgetError, InputError, PolicyError, ScoresError
from dynsearch.scores import ExitScores
from dynsearch.thresholds import evaluate_policy
from tests.cli.runner import dynsearch_here
from tests.thresholds.tables import random_scores


@pytest.fixture
def both():
    scores = random_scores(0, num_videos=300)
    return scores.select(np.arange(150)), scores.select(np.arange(150, 300))


@pytest.fixture
def files(both, tmp_path):
    paths = tmp_path / "calibration.npz", tmp_path / "test.npz"
    for scores, path in zip(both, paths, strict=True):
        scores.save(path)
    return paths


def test_a_point_is_the_best_under_the_budget_and_measured_on_the_test_scores(both):
    found = dynsearch.calibrate(both[0], 4, test=both[1])
    points = [point for point in found.frontier if point.cost <= 4]
    assert found.point == max(points, key=lambda point: point.top1)
    assert found.policy == found.point.policy
    assert found.applied[found.chosen] == evaluate_policy(found.policy, both[1])
    low, high = found.applied_intervals(found.chosen).top1
    assert low <= found.applied[found.chosen].top1 <= high
    assert dynsearch.calibrate(both[0], max_gflops=4).point == found.point


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        (["--max-gflops", "4", "--apply", "TEST"], {"max_gflops": 4, "test": True}),
        (["--max-gflops", "4", "--safe", "--delta", "0.2"], {"budget": 4, "safe": True, "delta": 0.2}),
        (["--cross-fit"], {"cross_fit": True}),
        (["--solver", "risk", "--max-drop", "0.1"], {"solver": "risk", "max_drop": 0.1}),
        (["--solver", "geometric", "--qs", "0.5,1"], {"solver": "geometric", "qs": [0.5, 1.0]}),
        (["--max-gflops", "4", "--check", "TEST", "--rematch", "TEST"], {"budget": 4, "check": True, "rematch": True}),
    ],
)  # fmt: skip
def test_it_is_what_the_command_says(files, tmp_path, typed, given):
    words = [str(files[1]) if word == "TEST" else word for word in typed]
    said = dynsearch_here("calibrate", files[0], *words, "--json", cwd=tmp_path).json
    given = {
        name: files[1] if name in ("test", "check", "rematch") else value for name, value in given.items()
    }
    found = dynsearch.calibrate(files[0], confidence="max-softmax", **given)
    assert json.loads(found.to_json()) == said
    assert set(found.to_dict()) == set(said)


def test_scores_may_be_a_table_with_costs_beside_it(both, tmp_path):
    both[0].to_pandas().to_csv(tmp_path / "scores.csv", index=False)
    costs = both[0].cost_E.tolist()
    found = dynsearch.calibrate(tmp_path / "scores.csv", 4, costs=costs)
    assert found.point.to_dict() == dynsearch.calibrate(both[0], 4).point.to_dict()
    with pytest.raises(ScoresError, match="a table has no costs"):
        dynsearch.calibrate(tmp_path / "scores.csv", 4)


def test_groups_may_be_a_list(both):
    names = [f"camera {i % 3}" for i in range(150)]
    found = dynsearch.calibrate(both[0], 4, by=names)
    assert {view.group: view.num_videos for view in found.groups} == {f"camera {i}": 50 for i in range(3)}
    right = sum(view.top1 * view.num_videos for view in found.groups)
    assert right / 150 == pytest.approx(found.point.top1)


def test_several_labels_a_video_are_judged_by_the_largest_sigmoid_unless_told():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(3, 80, 4)), rng.integers(0, 2, (80, 4))
    labels[:, 0] |= labels.sum(axis=1) == 0
    scores = ExitScores.from_logits(logits.astype(np.float32), labels, np.array([1.0, 2.0, 3.0]))
    assert dynsearch.calibrate(scores).confidence == "max-sigmoid"
    found = dynsearch.calibrate(scores, 2, confidence="margin")
    assert found.confidence == "margin"
    assert "max-sigmoid" in found.notes[0]
    assert 0 < found.point_map <= 1


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"budget": 1, "max_gflops": 1}, InputError, "max_gflops=1 and budget=1 are one"),
        ({"by_class": True}, InputError, "by_class is about one point"),
        ({"safe": True}, InputError, "safe is about one point"),
        ({"max_drop": 0.1, "budget": 4}, InputError, "is a promise of --solver risk"),
        ({"solver": "nonsens"}, InputError, "no threshold solver 'nonsens'"),
        ({"budget": 1e-9}, InfeasibleBudgetError, "the cheapest"),
        ({"budget": math.nan}, InputError, "must be a number"),
        ({"qs": [1.0]}, InputError, "--qs is for --solver geometric"),
    ],
)
def test_what_goes_not_together_is_refused(both, given, error, says):
    with pytest.raises(error) as caught:
        dynsearch.calibrate(both[0], **given)
    assert says in str(caught.value)


def of_logits(seed=1, *, num_classes=5, costs=(1.0, 2.0, 4.0), shift=0.0, **more):
    rng = np.random.default_rng(seed)
    labels = np.arange(200) % num_classes
    logits = rng.normal(size=(len(costs), 200, num_classes))
    logits += (1 + np.arange(len(costs)))[:, None, None] * np.eye(num_classes)[labels]
    return ExitScores.from_logits(logits + shift, labels, costs, **more)


@pytest.mark.reliability(
    "Statistics",
    "scores to apply thresholds to, or new videos, that do not belong to the calibration scores",
    happens="other numbers of exits or classes are refused; other costs, and videos of calibration, are said",
    sees="`..., but the calibration scores have ...`, `the exits' costs differ: ...`",
)
@pytest.mark.parametrize("role", ["test", "check", "rematch"])
@pytest.mark.parametrize(
    ("other", "refused", "says"),
    [
        (dict(costs=(1.0, 2.0, 4.0, 8.0)), True, "has 4 exits, but the calibration scores have 3"),
        (dict(num_classes=7), True, "has 7 classes, but the calibration scores have 5"),
        (dict(costs=(2.0, 4.0, 8.0)), False, "1, 2, 4 in the calibration scores, 2 times as much"),
        (dict(costs=(1.0, 3.0, 4.0)), False, "costs differ: 1, 3, 4 GFLOPs"),
        (dict(costs=(1 + 1e-7, 2.0, 4.0)), False, ""),
        (
            dict(seed=0, video_ids=[f"other-{i}" for i in range(200)]),
            False,
            "200 videos have the very logits",
        ),
        ({}, False, ""),
    ],
)
def test_scores_that_do_not_belong_together_are_refused_or_said(role, other, refused, says):
    fitted = of_logits(0, video_ids=[f"v{i}" for i in range(200)])
    new = of_logits(**{"video_ids": [f"w{i}" for i in range(200)]} | other)
    if refused:
        with pytest.raises(ScoresError, match=says):
            dynsearch.calibrate(fitted, 3, **{role: new})
        return
    notes = dynsearch.calibrate(fitted, 3, **{role: new}).notes
    assert len(notes) == bool(says)
    assert says in " ".join(notes)


@pytest.mark.reliability(
    "Statistics",
    "thresholds fitted on scores of the test or training split, or applied to those of training or calibration",
    happens="is said, with what to do",
    sees="`their split is ...`, `a point chosen on test videos looks better than it is: ...`",
)
def test_scores_of_the_wrong_split_are_said():
    for split, says in {
        "test": "fit on calibration",
        "training": "surer",
        "calibration": "",
        "val": "",
    }.items():
        notes = dynsearch.calibrate(of_logits(split=split)).notes
        assert says in " ".join(notes)
        assert len(notes) == bool(says)
    ids = [f"{i}" for i in range(200)]
    for split, says in {"test": "", "train": "surer", "calibration": "claimed on test", "": ""}.items():
        other = of_logits(2, split=split, video_ids=ids)
        notes = dynsearch.calibrate(of_logits(video_ids=[f"v{i}" for i in range(200)]), test=other).notes
        assert says in " ".join(notes)
        assert len(notes) == bool(says)


@pytest.mark.reliability(
    "Numbers", "a budget in another unit than the costs", happens="is said or refused with their range"
)
def test_a_budget_in_another_unit_is_said():
    (note,) = dynsearch.calibrate(of_logits(), 3e9).notes
    assert note == "max_gflops=3e+09 limits nothing: exits cost 1 to 4 GFLOPs per video. Did you mean 3?"
    assert dynsearch.calibrate(of_logits(), 4).notes == dynsearch.calibrate(of_logits(), math.inf).notes == []
    with pytest.raises(InfeasibleBudgetError, match=r"Give at least 1; the dearest costs [34]"):
        dynsearch.calibrate(of_logits(), 0.003)


def test_probabilities_may_be_said_to_be_some(tmp_path):
    scores = of_logits()
    given = replace(scores, logits_ENK=softmax(scores.logits_ENK.astype(np.float64), axis=-1))
    expected = dynsearch.calibrate(scores, 3).point
    found = dynsearch.calibrate(given, 3, probabilities=True)
    assert [note for note in found.notes if "can't tell its loss" not in note] == []
    assert found.point.exit_share == expected.exit_share
    np.testing.assert_allclose(found.point.thresholds, expected.thresholds, rtol=1e-5)
    given.save(tmp_path / "s.npz")
    assert "note: calibration scores: the logits" in dynsearch_here("calibrate", "s.npz", cwd=tmp_path).err
    said = dynsearch_here("calibrate", "s.npz", "--probabilities", "--json", "--max-gflops", 3, cwd=tmp_path)
    assert (said.json["point"]["exit_share"], said.json["notes"]) == (list(expected.exit_share), found.notes)


def test_labels_by_another_name_are_named(tmp_path):
    scores = of_logits()
    np.savez(tmp_path / "s.npz", logits=scores.logits_ENK, target=scores.labels_N, gmacs=scores.cost_E)
    with pytest.raises(ScoresError, match=r"unlabelled.*Did you mean target \(200,\) as labels"):
        dynsearch.calibrate(tmp_path / "s.npz")


def test_a_temperature_at_its_bound_is_said(tmp_path):
    labels = np.arange(60) % 3
    logits = np.stack([np.eye(3)[labels], -np.eye(3)[labels]]) + np.random.default_rng(0).normal(
        0, 0.1, (2, 60, 3)
    )
    ExitScores.from_logits(logits, labels, [1.0, 2.0]).save(tmp_path / "s.npz")
    said = dynsearch_here("calibrate", "s.npz", "--temperatures", cwd=tmp_path)
    assert "note: exit 1: the temperature is at its bound, 1e-06" in said.err
    assert "note: exit 2: the temperature is at its bound, 1e+06" in said.err
    assert "1e+06" in said.out


def test_without_a_budget_there_is_a_frontier_and_no_policy(both):
    found = dynsearch.calibrate(both[0])
    assert (found.point, found.chosen) == (None, None)
    with pytest.raises(PolicyError, match="no point was chosen"):
        _ = found.policy


def test_it_shows_itself(both):
    from matplotlib.axes import Axes

    found = dynsearch.calibrate(both[0], 4, test=both[1])
    table = found.to_pandas()
    assert isinstance(table, pandas.DataFrame)
    assert table["top1"].tolist() == [point.top1 for point in found.frontier]
    assert table["applied_gflops"].tolist() == [point.cost for point in found.applied]
    assert repr(found).startswith(f"Calibration({len(found.frontier)} points, max-softmax, chosen: top-1")
    assert found._repr_html_().count("<tr") <= 14
    axes = found.plot()
    assert isinstance(axes, Axes)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["calibration (fitted)", "applied", "applied, 95% interval", "chosen"]


def test_some_labels_may_be_blank_and_wrong_ones_name_their_file(tmp_path):
    rng = np.random.default_rng(0)
    logits, ids = rng.normal(size=(2, 2, 60, 3)), [[f"{split}{n}" for n in range(60)] for split in "ab"]
    labels = logits[:, -1].argmax(-1) + (rng.random((2, 60)) < 0.3)
    old, new = (
        ExitScores(cost_E=[1, 2], logits_ENK=x, labels_N=y % 3, video_ids_N=names)
        for x, y, names in zip(logits, labels, ids, strict=True)
    )
    path = tmp_path / "some.csv"
    path.write_text(
        "video_id,label\n" + "".join(f"b{n},{'' if n % 2 else new.labels_N[n]}\n" for n in range(60))
    )
    found = dynsearch.calibrate(old, 1.5, check=replace(new, labels_N=None), labels=path).drift
    point = dynsearch.calibrate(old, 1.5).point
    assert found.num_labelled == 30
    assert found.top1 == evaluate_policy(point.policy, new.select(np.arange(0, 60, 2))).top1
    path.write_text("video_id,label\nb0,3\n")
    with pytest.raises(ScoresError, match=r"is 3, but labels must be in 0\.\.2") as refused:
        dynsearch.calibrate(old, 1.5, check=new, labels=path)
    assert str(path) in str(refused.value)


def test_blank_groups_and_a_handful_of_videos_are_said(both):
    some = replace(both[0], groups_N=np.array([("", " ", "ann", "bob")[n % 4] for n in range(150)]))
    notes = dynsearch.calibrate(some, 4).notes
    assert some.groups.size_G.max() < 50
    assert "calibration scores: 76 of 150 videos have no group, and count as one each" in notes
    (few,) = [note for note in dynsearch.calibrate(both[0].select(range(5)), 4).notes if "only" in note]
    assert few == "calibration scores: they are of 5 videos only, and say little of new ones"
