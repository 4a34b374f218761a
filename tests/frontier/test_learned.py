import numpy as np
import pytest

from dynsearch.errors import PolicyError
from dynsearch.frontier import solve_thresholds
from dynsearch.frontier.choose_confidence import choose_confidence
from dynsearch.scores import ExitScores
from dynsearch.thresholds import ExitPolicy
from dynsearch.thresholds.drift import check_drift, rematch


def with_hopeless_videos(seed, num_videos):
    """A third of the videos is never right, and never sure: max softmax sends them to the last exit."""
    rng = np.random.default_rng(seed)
    hopeless = rng.random(num_videos) < 0.35
    margin = (
        rng.normal(size=num_videos)
        + np.array([[-0.3], [0.2], [0.8]])
        + 0.6 * rng.normal(size=(3, num_videos))
    )
    confidence = np.where(hopeless, -1 + 0.4 * rng.normal(size=(3, num_videos)), margin)
    return ExitScores(
        cost_E=[1.0, 3.0, 9.0], confidence_EN=confidence, correct_EN=(margin > 0) & ~hopeless, plan_id="p"
    )


FIT, NEW = with_hopeless_videos(0, 3000), with_hopeless_videos(1, 10_000)
CURVE = solve_thresholds(FIT, confidence="learned-gain")


def mean_top1(curve):
    points = curve.evaluate(NEW)
    return np.mean([max(p.top1 for p in points if p.cost <= b) for b in np.linspace(1.5, 8, 10)])


def test_it_is_worth_something_where_confidence_says_too_little():
    assert mean_top1(CURVE) > mean_top1(solve_thresholds(FIT)) + 0.005
    name, values = choose_confidence(FIT)
    assert name == "learned-gain"
    assert values["learned-gain"] > values["max-softmax"]


def test_points_are_not_flattered_by_learning_on_the_same_videos():
    for budget in (2.0, 4.0, 7.0):
        point = CURVE.best_under(budget)
        assert point.top1 - point.evaluate(NEW).top1 < 0.03


def test_policies_carry_their_gain_through_a_file(tmp_path):
    policy = CURVE.best_under(4.0).policy
    policy.save(tmp_path / "policy.yaml")
    back = ExitPolicy.load(tmp_path / "policy.yaml")
    assert back == policy
    np.testing.assert_array_equal(
        back.first_exit(back.confidence_of(NEW)), policy.first_exit(policy.confidence_of(NEW))
    )


def test_stopping_one_exit_at_a_time_takes_the_same_exits():
    policy = CURVE.best_under(4.0).policy
    seen = NEW.confidence(policy.measure)
    stops = [policy.confidence_at(seen[: k + 1]) > policy.thresholds[k] for k in range(3)]
    stops[-1][:] = True
    np.testing.assert_array_equal(np.argmax(stops, axis=0), policy.first_exit(policy.confidence_of(NEW)))


def test_drift_and_rematching_work_on_gains():
    point = CURVE.best_under(4.0)
    shifted = ExitScores(cost_E=NEW.cost_E, confidence_EN=NEW.confidence() - 1.0, plan_id="p")
    assert check_drift(point, shifted).moved()
    policy = rematch(point, shifted)
    cost = NEW.cost_E[policy.first_exit(policy.confidence_of(shifted))].mean()
    assert cost == pytest.approx(point.cost, rel=0.03)


def test_a_gain_and_its_name_belong_together():
    policy = CURVE[0].policy
    with pytest.raises(PolicyError, match="A gain goes with confidence learned-gain"):
        ExitPolicy(policy.thresholds, "learned-gain")
    with pytest.raises(PolicyError, match="A gain goes with confidence learned-gain"):
        ExitPolicy(policy.thresholds, gain=policy.gain)
    with pytest.raises(PolicyError, match="the gain is for 3 exits, the thresholds for 2"):
        ExitPolicy((0.5, -np.inf), "learned-gain", gain=policy.gain)
