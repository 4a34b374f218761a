import numpy as np
import pytest

from dynsearch.frontier.choose_confidence import available_measures, choose_confidence
from dynsearch.scores import ExitScores


def logit_scores(seed=0, num_videos=400):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, num_videos)
    signal = rng.gamma(1.5, size=num_videos)
    logits = np.stack(
        [
            rng.normal(size=(num_videos, 4)) + skill * signal[:, None] * np.eye(4)[labels]
            for skill in (0.7, 1.5, 2)
        ]
    )
    return ExitScores.from_logits(logits, labels, [1.0, 2.0, 4.0])


def test_a_column_that_knows_the_truth_wins():
    scores = logit_scores()
    gain = scores.correct().astype(float) - scores.correct()[-1]
    knowing = ExitScores(
        cost_E=scores.cost_E, logits_ENK=scores.logits_ENK, labels_N=scores.labels_N, confidence_EN=gain
    )
    name, values = choose_confidence(knowing)
    assert name == "given"
    assert values["given"] > max(v for k, v in values.items() if k != "given")
    assert set(values) == {"max-softmax", "margin", "neg-entropy", "patience", "given", "learned-gain"}


def test_a_useless_column_loses():
    scores = logit_scores()
    noise = np.random.default_rng(1).random((3, 400))
    name, _ = choose_confidence(
        ExitScores(
            cost_E=scores.cost_E,
            logits_ENK=scores.logits_ENK,
            labels_N=scores.labels_N,
            confidence_EN=noise,
        )
    )
    assert name != "given"


def test_scores_without_logits_have_one_measure():
    scores = ExitScores(cost_E=[1.0, 2.0], confidence_EN=np.ones((2, 9)), correct_EN=np.ones((2, 9)))
    assert available_measures(scores) == ["max-softmax"]
    assert choose_confidence(scores)[1] == {"max-softmax": pytest.approx(1.0)}


def test_ties_go_to_the_first_named():
    scores = logit_scores(num_videos=60)
    assert choose_confidence(scores, ["margin", "margin"])[0] == "margin"
