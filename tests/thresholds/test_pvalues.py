from math import comb

import numpy as np
import pytest

from dynsearch.thresholds.pvalues import betting_p_value, binomial_p_value, enough_videos, fewest_videos


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


def test_betting_passes_rarely_when_the_mean_is_at_the_limit():
    rng = np.random.default_rng(0)
    draws = rng.choice([0.0, 0.1, 1.0], p=[0.5, 0.3, 0.2], size=(2000, 300))  # mean 0.23
    passed = np.mean([betting_p_value(values, 0.23, 0.1) <= 0.1 for values in draws])
    assert passed <= 0.1 + 2 * np.sqrt(0.09 / 2000)


def test_betting_passes_often_when_the_mean_is_well_below():
    rng = np.random.default_rng(1)
    draws = rng.choice([0.0, 0.1, 1.0], p=[0.5, 0.3, 0.2], size=(200, 300))
    assert np.mean([betting_p_value(values, 0.33, 0.1) <= 0.1 for values in draws]) > 0.9


def test_a_limit_of_one_is_always_kept():
    assert betting_p_value(np.ones(5), 1.0, 0.1) == 0
