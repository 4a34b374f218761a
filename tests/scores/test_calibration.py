import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from dynsearch.errors import ScoresError
from dynsearch.scores.calibration import (
    TEMPERATURE_RANGE,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
)


def drawn(temperature, seed=0, num_videos=4000):
    """Logits whose labels follow softmax(logits / temperature)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=3, size=(num_videos, 6))
    cumulative = softmax(logits / temperature, axis=1).cumsum(axis=1)
    return logits, (rng.random((num_videos, 1)) > cumulative).sum(axis=1).clip(max=5)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_that_made_the_labels_is_found(temperature):
    assert fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.06)


@pytest.mark.parametrize("seed", range(3))
def test_it_minimises_what_scipy_minimises(seed):
    logits, labels = drawn(1.7, seed, num_videos=200)

    def loss(log_temperature):
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -scaled[np.arange(200), labels].mean()

    expected = np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x)
    assert fit_temperature(logits, labels) == pytest.approx(expected, rel=1e-3)
    assert negative_log_likelihood(logits, labels, 1.7) == pytest.approx(loss(np.log(1.7)))


def test_logits_three_times_as_large_need_three_times_the_temperature():
    logits, labels = drawn(1.0)
    assert fit_temperature(3 * logits, labels) == pytest.approx(3 * fit_temperature(logits, labels), rel=1e-4)


def test_labels_that_are_always_right_or_wrong_stay_in_range():
    logits = np.tile([4.0, 0.0], (50, 1))
    assert TEMPERATURE_RANGE[0] <= fit_temperature(logits, np.zeros(50, int)) < 0.2
    assert fit_temperature(logits, np.ones(50, int)) == pytest.approx(TEMPERATURE_RANGE[1], rel=1e-3)


def test_logits_without_differences_fit_any_temperature():
    assert np.isfinite(fit_temperature(np.zeros((5, 3)), np.zeros(5, int)))


def test_calibration_error_by_hand():
    # Bins of width 1/2: (0.2, 0.4) with one right of two, (0.9, 0.9) with two right.
    value = expected_calibration_error([0.2, 0.4, 0.9, 0.9], [0, 1, 1, 1], num_bins=2)
    assert value == pytest.approx(0.5 * abs(0.3 - 0.5) + 0.5 * abs(0.9 - 1))


def test_calibration_error_falls_with_the_right_temperature():
    logits, labels = drawn(2.5)
    errors = []
    for temperature in (1.0, fit_temperature(logits, labels)):
        probabilities = softmax(logits / temperature, axis=1)
        errors.append(expected_calibration_error(probabilities.max(1), probabilities.argmax(1) == labels))
    assert errors[1] < 0.03 < errors[0]


def test_edges_of_the_probability_range_count():
    assert expected_calibration_error([0.0, 1.0], [0, 1]) == 0
    assert expected_calibration_error([0.0, 1.0], [1, 0]) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: expected_calibration_error([1.2], [1]), "must be a probability"),
        (lambda: expected_calibration_error([], []), "two equal lists"),
        (lambda: expected_calibration_error([0.5], [1], num_bins=0), "at least 1"),
        (lambda: fit_temperature(np.zeros((0, 2)), np.zeros(0, int)), "disagree or are empty"),
        (lambda: fit_temperature(np.zeros((1, 2)), np.array([2])), r"labels must be in 0\.\.1"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ScoresError, match=message):
        call()
