from math import comb

import numpy as np
import pytest

from dynsearch.thresholds.pvalues import binomial_p_value, bounded_p_value, enough_videos, fewest_videos


@pytest.mark.parametrize(("events", "videos", "rate"), [(0, 10, 0.1), (3, 20, 0.3), (5, 5, 0.5)])
def test_binomial_p_value_is_the_sum_of_its_terms(events, videos, rate):
    expected = sum(comb(videos, i) * rate**i * (1 - rate) ** (videos - i) for i in range(events + 1))
    assert binomial_p_value(events, videos, rate) == pytest.approx(expected)


@pytest.mark.parametrize(("rate", "delta"), [(0.01, 0.05), (0.05, 0.1), (0.5, 0.5)])
def test_fewest_videos_is_the_first_number_that_can_pass(rate, delta):
    needed = fewest_videos(rate, delta)
    assert binomial_p_value(0, needed, rate) <= delta
    assert binomial_p_value(0, needed - 1, rate) > delta


@pytest.mark.parametrize(("rate", "max_rate"), [(0.005, 0.01), (0.02, 0.05)])
def test_enough_videos_pass_about_half_the_time_and_a_quarter_of_them_rarely(rate, max_rate):
    rng = np.random.default_rng(0)
    enough = enough_videos(rate, max_rate, 0.05)
    passed = [
        np.mean([binomial_p_value(events, n, max_rate) <= 0.05 for events in rng.binomial(n, rate, 500)])
        for n in (enough // 4, enough, 3 * enough)
    ]
    assert passed[0] < 0.35
    assert 0.4 < passed[1] < 0.8
    assert passed[2] > 0.9


@pytest.mark.parametrize(
    ("events", "videos", "rate"), [(0, 40, 0.05), (3, 200, 0.03), (40, 1000, 0.05), (5, 9, 0.5)]
)
def test_of_two_values_the_bounded_p_value_is_the_exact_binomial(events, videos, rate):
    values = np.repeat([1.0, 0.0], [events, videos - events])
    assert bounded_p_value(values, rate) == pytest.approx(binomial_p_value(events, videos, rate), abs=1e-5)


def test_the_bounded_p_value_is_that_of_random_weights():
    rng = np.random.default_rng(0)
    values = rng.random(40) ** 2
    weights = rng.dirichlet(np.ones(41), 200_000)
    expected = (weights @ np.append(values, 1.0) >= 0.42).mean()
    assert bounded_p_value(values, 0.42) == pytest.approx(expected, abs=0.004)


@pytest.mark.parametrize(
    ("values", "shares"),
    [
        ([0.0, 0.1, 1.0], [0.5, 0.3, 0.2]),
        ([0.0, 0.5, 1.0], [0.02, 0.95, 0.03]),
        ([0.45, 0.5, 1.0], [0.3, 0.69, 0.01]),
        ([0.0, 0.9, 0.95], [0.1, 0.5, 0.4]),
    ],
)
@pytest.mark.parametrize("count", [12, 60, 300])
def test_it_passes_rarely_when_the_mean_is_at_the_limit_and_often_well_below(values, shares, count):
    rng = np.random.default_rng(count)
    mean = float(np.dot(values, shares))
    draws = rng.choice(values, p=shares, size=(600, count))
    passed = np.mean([bounded_p_value(row, mean) <= 0.1 for row in draws])
    assert passed <= 0.1 + 2.5 * np.sqrt(0.09 / 600)
    spread = draws.std() / np.sqrt(count)
    if count == 300:
        above = [bounded_p_value(row, mean + 4 * spread) <= 0.1 for row in draws[:200]]
        assert np.mean(above) > 0.75


def test_a_limit_of_one_is_always_kept():
    assert bounded_p_value(np.ones(5), 1.0) == 0
