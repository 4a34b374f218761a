"""What the report says of probabilities, pictured videos and published points, against counting by hand."""

import dataclasses

import pytest

from dynsearch.report.html import shown_videos
from dynsearch.report.html.measures import reliabilities
from dynsearch.report.references import references_for
from dynsearch.scores import ExitScores
from tests.report.html.studies import facts


@pytest.fixture(scope="module")
def study():
    return facts()


def test_temperatures_mend_overconfidence(study):
    hot = dataclasses.replace(
        study, scores={number: tuple(map(hotter, both)) for number, both in study.scores.items()}
    )
    for (before, after), (_, calm) in zip(reliabilities(hot), reliabilities(study), strict=True):
        assert before.temperature == 1
        assert after.temperature == pytest.approx(5 * calm.temperature, rel=1e-3)
        assert after.error < before.error
        assert after.error == pytest.approx(calm.error, abs=1e-3)
        assert sum(count for _, _, count in before.bins) == study.chosen.test.num_videos


def hotter(scores):
    return ExitScores.from_logits(
        5 * scores.logits_ENK, scores.labels_N, scores.cost_E, plan_id=scores.plan_id
    )


def test_videos_pictured_stop_at_either_end_of_a_point_and_vary_in_class(study):
    wanted = shown_videos(study)
    assert len(wanted) == len(set(wanted)) <= 48
    test, policy = study.scores[study.chosen.key][1], study.chosen.test.policy
    exit_N = policy.first_exit(policy.confidence_of(test))
    place = {name: i for i, name in enumerate(test.video_ids_N.tolist())}
    at_chosen = [exit_N[place[video]] for video in wanted]
    assert at_chosen.count(exit_N.min()) >= 6
    assert at_chosen.count(exit_N.max()) >= 6
    first = [test.labels_N[place[video]] for video in wanted[:6]]
    assert max(first.count(label) for label in first) <= 2


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
