import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from dynsearch.errors import ScoresError
from dynsearch.scores import ExitScores
from dynsearch.scores.calibration import (
    TEMPERATURE_RANGE,
    calibrate_exits,
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


@pytest.mark.reliability(
    "Numbers",
    "logits a million times too large or too small; exits that are always right, or no better than chance",
    happens="the best temperature is found as far as 10^6 and 10^-6; where none is best, that is said",
    sees="`the temperature is at its bound`",
)
@pytest.mark.parametrize("factor", [1e-5, 1e-3, 300.0, 1e5])
def test_the_best_temperature_of_logits_of_any_size_is_found(factor):
    logits, labels = drawn(1.0)
    found = fit_temperature(factor * logits, labels)
    assert found == pytest.approx(factor * fit_temperature(logits, labels), rel=1e-4)
    assert found not in TEMPERATURE_RANGE


@pytest.mark.reliability(
    "Numbers",
    "logits a million times too large or too small; exits that are always right, or no better than chance",
)
def test_labels_that_are_always_right_or_wrong_are_at_the_bound_and_say_so():
    logits = np.tile([4.0, 0.0], (50, 1))
    scores = ExitScores.from_logits([logits, -logits, 0 * logits], np.zeros(50, int), [1, 2, 3])
    right, wrong, none = calibrate_exits(scores)
    assert (right.temperature, wrong.temperature) == TEMPERATURE_RANGE
    assert "at its bound, 1e-06" in right.remarks()[0]
    assert "at its bound, 1e+06" in wrong.remarks()[0]
    assert (none.temperature, none.remarks()) == (1.0, [])


def test_masked_classes_are_as_if_they_were_not_there():
    logits, labels = drawn(1.7)
    masked = np.concatenate([logits, np.full((len(logits), 2), -np.inf)], axis=1)
    assert fit_temperature(masked, labels) == pytest.approx(fit_temperature(logits, labels), rel=1e-12)
    assert negative_log_likelihood(masked, labels, 2.0) == pytest.approx(
        negative_log_likelihood(logits, labels, 2.0), rel=1e-12
    )


def test_a_label_of_a_masked_class_makes_the_likelihood_infinite_and_is_left_out_of_the_temperature():
    logits, labels = drawn(1.7, num_videos=100)
    masked, others = logits.copy(), labels != labels[0]
    masked[~others, labels[0]] = -np.inf
    (report,) = calibrate_exits(ExitScores.from_logits(masked[None], labels, [1.0]))
    kept = ExitScores.from_logits(masked[None, others], labels[others], [1.0])
    assert report.temperature == calibrate_exits(kept)[0].temperature
    assert report.nll_before == report.nll_after == np.inf
    assert "labels with a logit of -inf" in report.remarks()[0]


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
