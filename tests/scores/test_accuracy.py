import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynsearch.errors import ScoresError
from dynsearch.scores import accuracy

LOGITS = np.array([[3.0, 2, 1], [0, 5, 4], [1, 2, 3], [2, 1, 0]])
LABELS = np.array([0, 2, 0, 0])


@pytest.mark.parametrize(("k", "expected"), [(1, 0.5), (2, 0.75), (3, 1.0)])
def test_top_k_by_hand(k, expected):
    assert accuracy.top_k(LOGITS, LABELS, k=k) == expected


def test_top1_agrees_with_argmax_on_ties():
    logits = np.zeros((3, 2))
    assert accuracy.top1(logits, np.array([0, 0, 1])) == pytest.approx(2 / 3)


def test_mean_class_accuracy_weighs_classes_alike():
    assert accuracy.mean_class_accuracy(LOGITS, LABELS) == pytest.approx((2 / 3 + 0) / 2)


def test_average_precision_by_hand():
    # Falling scores: positive, negative, positive -> precisions 1/1 and 2/3.
    assert accuracy.mean_average_precision(np.array([[0.9], [0.5], [0.1]]), np.array([[1], [0], [1]])) == (
        pytest.approx((1 + 2 / 3) / 2)
    )


@given(st.integers(2, 12), st.integers(0, 10_000))
def test_average_precision_equals_its_definition(num_videos, seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, size=(num_videos, 1)).astype(float)  # with ties
    scores[scores == 0] = -np.inf  # a masked class
    labels = rng.integers(0, 2, size=(num_videos, 1))
    labels[0] = 1
    precisions = [labels[scores >= s].mean() for s in scores[labels == 1]]
    assert accuracy.mean_average_precision(scores, labels) == pytest.approx(np.mean(precisions))


def test_classes_without_videos_do_not_count():
    scores, labels = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[1, 0], [0, 0]])
    assert accuracy.mean_average_precision(scores, labels) == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: accuracy.top1(LOGITS, LABELS[:2]), "disagree"),
        (lambda: accuracy.top1(LOGITS[:0], LABELS[:0]), "no videos"),
        (lambda: accuracy.top1(LOGITS, LABELS + 1), "labels must be in"),
        (lambda: accuracy.top_k(LOGITS, LABELS, k=4), r"k must be in 1\.\.3"),
        (lambda: accuracy.mean_average_precision(LOGITS, LOGITS * 0), "no video has a label"),
        (lambda: accuracy.mean_average_precision(LOGITS, LABELS), "must be alike"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ScoresError, match=message):
        call()
