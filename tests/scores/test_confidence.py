import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import log_softmax, softmax
from scipy.stats import entropy

from dynsearch.errors import ScoresError
from dynsearch.scores import CONFIDENCE_MEASURES, confidence_from_logits, exit_scores
from dynsearch.scores import confidence as confidence_module

LOGITS = arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 5)), elements=st.floats(-30, 30))


@given(LOGITS)
def test_max_softmax_is_scipys(logits):
    np.testing.assert_allclose(confidence_from_logits("max-softmax", logits), softmax(logits, -1).max(-1))


@given(LOGITS)
def test_margin_is_the_gap_between_the_two_largest(logits):
    ordered = np.sort(softmax(logits, -1), -1)
    expected = ordered[:, -1] - (ordered[:, -2] if logits.shape[1] > 1 else 0)
    np.testing.assert_allclose(confidence_from_logits("margin", logits), expected, atol=1e-12)


@given(LOGITS)
def test_negative_entropy_is_scipys(logits):
    expected = -entropy(softmax(logits, -1), axis=-1)
    np.testing.assert_allclose(confidence_from_logits("neg-entropy", logits), expected, atol=1e-10)


@pytest.mark.parametrize("measure", CONFIDENCE_MEASURES)
def test_higher_is_surer(measure):
    sure, torn, lost = np.array([9.0, 0, 0]), np.array([1.0, 0.9, 0]), np.zeros(3)
    values = confidence_from_logits(measure, np.stack([sure, torn, lost]))
    assert values[0] > values[1] > values[2]


@given(LOGITS)
def test_max_sigmoid_is_the_largest_probability_of_independent_classes(logits):
    expected = (1 / (1 + np.exp(-logits))).max(axis=-1)
    np.testing.assert_allclose(confidence_from_logits("max-sigmoid", logits), expected)


@pytest.mark.parametrize("measure", CONFIDENCE_MEASURES)
def test_huge_logits_stay_finite(measure):
    values = confidence_from_logits(measure, np.array([[1e4, -1e4, 0.0], [-1e30, 1e30, 1e30]], np.float32))
    assert np.isfinite(values).all()


@pytest.mark.reliability("Numbers", "logits of -inf: masked classes")
@pytest.mark.parametrize("measure", CONFIDENCE_MEASURES)
def test_masked_classes_are_as_if_they_were_not_there(measure):
    logits = np.random.default_rng(0).normal(scale=4, size=(30, 5))
    masked = np.insert(logits, [0, 2], -np.inf, axis=1)
    expected = confidence_from_logits(measure, logits)
    np.testing.assert_allclose(confidence_from_logits(measure, masked), expected, rtol=1e-12)


def test_float32_logits_do_not_saturate_at_one():
    values = confidence_from_logits("max-softmax", np.array([[18.0, 0.0], [20.0, 0.0]], np.float32))
    assert values[0] < values[1] < 1.0


@pytest.mark.parametrize("measure", CONFIDENCE_MEASURES)
def test_a_row_gives_the_same_number_in_any_batch(measure, monkeypatch):
    logits = np.random.default_rng(0).normal(scale=4, size=(3, 50, 7)).astype(np.float32)
    together = confidence_from_logits(measure, logits)
    alone = np.array([[confidence_from_logits(measure, row) for row in rows] for rows in logits])
    np.testing.assert_array_equal(together, alone)
    monkeypatch.setattr(confidence_module, "_BLOCK_LOGITS", 20)
    np.testing.assert_array_equal(confidence_from_logits(measure, logits), together)
    np.testing.assert_array_equal(confidence_from_logits(measure, np.asfortranarray(logits)), together)


def test_log_of_max_softmax_matches_log_softmax():
    logits = np.random.default_rng(1).normal(size=(20, 9))
    np.testing.assert_allclose(
        np.log(confidence_from_logits("max-softmax", logits)), log_softmax(logits, -1).max(-1)
    )


def test_unknown_measures_and_shapes_are_refused():
    with pytest.raises(
        ScoresError, match=r"there is no confidence measure 'sure'\. Known: max-softmax, margin"
    ):
        confidence_from_logits("sure", np.zeros((2, 3)))
    with pytest.raises(ScoresError, match="last axis of classes"):
        confidence_from_logits("margin", np.zeros((2, 0)))


def test_given_is_not_a_measure_of_logits():
    assert exit_scores.GIVEN_MEASURE not in CONFIDENCE_MEASURES
