"""What the report says of exits, classes and videos, against counting by hand."""

import dataclasses

import numpy as np
import pytest

from dynsearch.report.html import shown_videos
from dynsearch.report.html.axes import Scale, ticks
from dynsearch.report.html.measures import class_figures, exit_figures, reliabilities, stopping_exit
from dynsearch.report.html.tag import tag
from dynsearch.report.references import references_for
from dynsearch.scores import ExitScores
from tests.report.html.studies import facts


@pytest.fixture(scope="module")
def study():
    return facts()


def by_hand(study):
    """(exit, right) of every test video, one at a time."""
    test, thresholds = study.test, study.chosen.test.thresholds
    for i in range(test.num_videos):
        for k in range(test.num_exits):
            logits = test.logits_ENK[k, i].astype(float)
            probability = np.exp(logits - logits.max())
            if (probability / probability.sum()).max() > thresholds[k] or k == test.num_exits - 1:
                yield k, logits.argmax() == test.labels_N[i]
                break


def test_exits_are_those_of_the_policy(study):
    told = list(by_hand(study))
    assert stopping_exit(study).tolist() == [k for k, _ in told]
    for k, figure in enumerate(exit_figures(study)):
        here = [right for exit_, right in told if exit_ == k]
        assert figure.share == pytest.approx(len(here) / len(told))
        assert figure.top1_stopping == (pytest.approx(np.mean(here)) if here else None)
        assert figure.interval.low <= figure.top1_all <= figure.interval.high
    total = sum(figure.share * (figure.top1_stopping or 0) for figure in exit_figures(study))
    assert total == pytest.approx(study.chosen.test.top1)


def test_classes_add_up_to_the_whole(study):
    classes = class_figures(study)
    assert {figure.group for figure in classes} == {"a", "b", "c"}
    assert [figure.cost for figure in classes] == sorted(figure.cost for figure in classes)
    weights = [figure.num_videos for figure in classes]
    assert np.average([figure.top1 for figure in classes], weights=weights) == pytest.approx(
        study.chosen.test.top1
    )
    assert np.average([figure.cost for figure in classes], weights=weights) == pytest.approx(
        study.chosen.test.cost
    )


def test_temperatures_mend_overconfidence(study):
    hot = dataclasses.replace(
        study,
        calibration=hotter(study.calibration),
        test=hotter(study.test),
    )
    for (before, after), (_, calm) in zip(reliabilities(hot), reliabilities(study), strict=True):
        assert before.temperature == 1
        assert after.temperature == pytest.approx(5 * calm.temperature, rel=1e-3)
        assert after.error < before.error
        assert after.error == pytest.approx(calm.error, abs=1e-3)
        assert sum(count for _, _, count in before.bins) == study.test.num_videos


def hotter(scores):
    return ExitScores.from_logits(
        5 * scores.logits_ENK, scores.labels_N, scores.cost_E, plan_id=scores.plan_id
    )


def test_videos_shown_stop_where_it_says_and_vary_in_class(study):
    exit_N = stopping_exit(study)
    place = {name: i for i, name in enumerate(study.test.video_ids_N.tolist())}
    early, late = shown_videos(study)
    assert 0 < len(early) <= 8
    assert {exit_N[place[video.video_id]] for video in early} == {exit_N.min()}
    assert {exit_N[place[video.video_id]] for video in late} == {exit_N.max()}
    assert all(video.right for video in early)
    assert [video.confidence for video in early] == sorted((v.confidence for v in early), reverse=True)
    for videos in (early, late):
        labels = [video.label for video in videos]
        assert max(labels.count(label) for label in labels) <= 2


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (19.3, 28.4), (0.0161, 0.0777), (-3, 1200), (5, 5.0001), (2, 2)]
)
def test_ticks_are_round_and_inside(low, high):
    values = ticks(low, high)
    assert 1 <= len(values) <= 11
    assert all(low - 1e-9 <= value <= high + 1e-9 for value in values)
    steps = np.diff(values)
    if len(steps) > 1:
        assert np.allclose(steps, steps[0])
        assert f"{steps[0]:.0e}"[0] in "125" or f"{steps[0]:.1e}".startswith("2.5")


def test_scales_map_ends_to_ends():
    scale = Scale(2, 4, 100, 0)
    assert (scale(2), scale(3), scale(4)) == (100, 50, 0)
    assert Scale(1, 1, 0, 9)(1) == 0


def test_elements_are_escaped():
    assert tag("text", "<b>&", data_tip='"><script>', x=1.0) == (
        '<text data-tip="&#34;&gt;&lt;script&gt;" x="1">&lt;b&gt;&amp;</text>'
    )


def test_published_points_name_source_and_conditions():
    points = references_for("sthv2@anything")
    assert {(60.0, 35.4), (61.3, 33.7), (64.2, 24.2)} <= {(point.top1, point.cost) for point in points}
    for dataset in ("sthv1", "sthv2", "jester", "kinetics400", "mini_kinetics", "ucf101", "hmdb51"):
        for point in references_for(dataset):
            assert point.source
            assert point.conditions
            assert 0 < point.top1 < 100
            assert point.cost > 0
    assert references_for("motions") == []
