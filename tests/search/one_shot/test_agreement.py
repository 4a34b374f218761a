import itertools

import numpy as np
import pytest

from dynsearch.study.predictions import mean_tau, tau_by_budget


def tau_by_pairs(predicted, true):
    """Kendall's tau without ties, by its definition."""
    signs = [
        np.sign((predicted[i] - predicted[j]) * (true[i] - true[j]))
        for i, j in itertools.combinations(range(len(true)), 2)
    ]
    return np.mean(signs)


def test_tau_is_taken_budget_by_budget_over_the_plans_that_keep_it():
    rng = np.random.default_rng(0)
    predicted, true = rng.random((9, 4)), rng.random((9, 4))
    predicted[:4, 0] = np.nan
    true[2:, 3] = np.nan
    taus = tau_by_budget(predicted, true)
    assert taus[0] == pytest.approx(tau_by_pairs(predicted[4:, 0], true[4:, 0]))
    assert taus[1] == pytest.approx(tau_by_pairs(predicted[:, 1], true[:, 1]))
    assert np.isnan(taus[3])
    expected = (10 * taus[0] + 36 * taus[1] + 36 * taus[2]) / 82
    assert mean_tau(predicted, true) == pytest.approx(expected)


def test_perfect_and_reversed_orders():
    values = np.arange(5.0)[:, None]
    assert mean_tau(values, values * 3) == pytest.approx(1)
    assert mean_tau(values, -values) == pytest.approx(-1)
    assert np.isnan(mean_tau(values[:2], values[:2]))
