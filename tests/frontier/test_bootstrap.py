import math

import numpy as np
import pytest

from dynsearch.errors import InputError
from dynsearch.frontier import bootstrap_difference, cost_interval, top1_interval
from dynsearch.thresholds import ExitPolicy, evaluate_policy
from tests.thresholds.tables import random_scores

POLICY = ExitPolicy((0.8, 0.8, 0.8, -math.inf))


def resample(values, seed=0, times=4000):
    rng = np.random.default_rng(seed)
    means = values[rng.integers(len(values), size=(times, len(values)))].mean(axis=1)
    return np.quantile(means, [0.025, 0.975])


def test_interval_equals_resampling_the_videos():
    scores = random_scores(0, num_videos=300)
    exit_N = POLICY.first_exit(scores.confidence())
    right = scores.correct()[exit_N, np.arange(300)]
    np.testing.assert_allclose(top1_interval(right.mean(), 300), resample(right), atol=0.005)


def test_cost_interval_equals_resampling_the_videos():
    scores = random_scores(0, num_videos=300)
    point = evaluate_policy(POLICY, scores)
    costs = scores.cost_E[POLICY.first_exit(scores.confidence())]
    np.testing.assert_allclose(
        cost_interval(point.exit_share, scores.cost_E, 300), resample(costs), atol=0.04
    )


def test_difference_is_paired():
    rng = np.random.default_rng(0)
    a = rng.random(400) < 0.7
    b = a ^ (rng.random(400) < 0.03)
    np.testing.assert_allclose(bootstrap_difference(a, b), resample(a * 1.0 - b), atol=0.003)
    low, high = bootstrap_difference(a, a)
    assert low == high == 0


@pytest.mark.reliability(
    "Statistics",
    "bootstrap intervals of accuracy",
    happens="cover the truth as often as they say, within 3 points, in 1,000 simulations",
)
@pytest.mark.parametrize(("num_videos", "level"), [(200, 0.95), (1000, 0.95), (10_000, 0.95), (1000, 0.8)])
def test_intervals_cover_the_truth_as_often_as_they_say(num_videos, level):
    rng = np.random.default_rng(1)
    hits = 0
    for top1 in rng.binomial(num_videos, 0.7, size=1000) / num_videos:
        low, high = top1_interval(top1, num_videos, level=level, num_resamples=2000)
        hits += low <= 0.7 <= high
    assert abs(hits / 1000 - level) < 0.03


@pytest.mark.reliability(
    "Statistics",
    "bootstrap intervals of the mean cost",
    happens="cover the truth as often as they say, within 3 points, in 1,000 simulations",
)
@pytest.mark.parametrize("num_videos", [200, 1000, 10_000])
def test_cost_intervals_cover_the_truth_as_often_as_they_say(num_videos):
    rng = np.random.default_rng(2)
    share, cost = np.array([0.5, 0.3, 0.15, 0.05]), np.array([4.0, 9.0, 20.0, 52.0])
    hits = 0
    for counts in rng.multinomial(num_videos, share, size=1000):
        low, high = cost_interval(counts / num_videos, cost, num_videos, num_resamples=2000)
        hits += low <= share @ cost <= high
    assert abs(hits / 1000 - 0.95) < 0.03


@pytest.mark.reliability(
    "Statistics",
    "bootstrap intervals of the difference of two networks",
    happens="cover the truth as often as they say, within 3 points, in 1,000 simulations",
)
@pytest.mark.parametrize("num_videos", [200, 1000, 10_000])
def test_intervals_of_differences_cover_the_truth_as_often_as_they_say(num_videos):
    rng = np.random.default_rng(3)
    chances = [0.08, 0.05, 0.6, 0.27]  # only a right, only b right, both, none
    a_of, b_of = np.array([1, 0, 1, 0], dtype=bool), np.array([0, 1, 1, 0], dtype=bool)
    hits = 0
    for counts in rng.multinomial(num_videos, chances, size=1000):
        low, high = bootstrap_difference(np.repeat(a_of, counts), np.repeat(b_of, counts), num_resamples=2000)
        hits += low <= 0.03 <= high
    assert abs(hits / 1000 - 0.95) < 0.03


def test_an_interval_is_the_same_each_time():
    first, second = (cost_interval([0.7, 0.3], [1.0, 2.0], 100) for _ in range(2))
    assert first == second


def test_a_higher_level_is_wider():
    narrow, wide = top1_interval(0.7, 500, level=0.5), top1_interval(0.7, 500, level=0.99)
    assert wide.low < narrow.low < 0.7 < narrow.high < wide.high


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: top1_interval(0.5, 10, level=1.0), "between 0 and 1"),
        (lambda: top1_interval(0.5, 10, num_resamples=0), "at least 1"),
        (lambda: bootstrap_difference(np.ones(3), np.ones(4)), "same videos twice"),
        (lambda: bootstrap_difference(np.ones(0), np.ones(0)), "same videos twice"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
