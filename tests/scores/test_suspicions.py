"""What looks wrong in scores is said, and nothing is said of scores that are right."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, softmax

from dynsearch.errors import ScoresError
from dynsearch.measures import CostMeasure
from dynsearch.scores import ExitScores
from dynsearch.scores.suspicions import from_probabilities, suspicions

COSTS = [1.0, 2.0, 4.0]


def arrays(seed=0, num_videos=200, num_classes=5, several=False):
    """Logits of three exits, each better than the one before, and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, num_classes, num_videos)
    hot = np.eye(num_classes)[labels]
    if several:
        hot = labels = (rng.random((num_videos, num_classes)) < 0.4).astype(int)
    logits = rng.normal(size=(3, num_videos, num_classes)) - 2 * several
    return logits + np.array([1.0, 2.0, 4.0])[:, None, None] * hot, labels


def said_of(logits, labels, cost=COSTS, **more):
    return " ".join(suspicions(ExitScores.from_logits(logits, labels, cost, **more)))


@given(
    st.integers(0, 1000),
    st.integers(1, 300),
    st.integers(1, 40),
    st.booleans(),
    st.sampled_from([1e-3, 1.0, 1e3]),
)
def test_nothing_is_said_of_good_scores(seed, num_videos, num_classes, several, factor):
    logits, labels = arrays(seed, num_videos, num_classes, several and num_classes > 1)
    one_class = num_videos >= 10 and not several and num_classes > 1 and len(np.unique(labels)) == 1
    told = suspicions(ExitScores.from_logits(factor * logits, labels, COSTS))
    few = [said for said in told if "videos only" in said]
    assert bool(few) == (num_videos < 20)
    assert told == few or one_class
    log_probabilities = np.log(softmax(logits, axis=-1))
    assert "probabilities" not in said_of(log_probabilities, labels)


@pytest.mark.reliability(
    "Numbers",
    "probabilities instead of logits: softmax or sigmoid, as fractions or percents, rounded or in float16",
    happens="is said; `--probabilities` takes their logarithm",
    sees="`look like probabilities: ...`",
)
@given(
    st.integers(0, 1000),
    st.booleans(),
    st.sampled_from([1, 100]),
    st.sampled_from([np.float16, np.float32, np.float64, 3]),
)
def test_probabilities_are_noticed_and_their_logits_give_them_again(seed, several, scale, kind):
    logits, labels = arrays(seed, 60, 5, several)
    exact = expit(logits) if several else softmax(logits, axis=-1)
    given_ = np.round(exact * scale, kind) if kind == 3 else (exact * scale).astype(kind)
    scores = ExitScores.from_logits(given_, labels, COSTS)
    if scale == 1 or not several:
        assert "look like probabilities" in " ".join(suspicions(scores))
    found = from_probabilities(scores).logits_ENK.astype(np.float64)
    again = expit(found) if several else softmax(found, axis=-1)
    np.testing.assert_allclose(again, exact, atol=1e-2)
    np.testing.assert_array_equal(from_probabilities(scores).correct(), scores.correct())


def test_logits_are_no_probabilities():
    logits, labels = arrays()
    with pytest.raises(ScoresError, match=r"logits: are no probabilities: they lie in -"):
        from_probabilities(ExitScores.from_logits(logits, labels, COSTS))
    with pytest.raises(ScoresError, match="no logits"):
        from_probabilities(ExitScores(cost_E=[1.0], confidence_EN=[[0.5]], correct_EN=[[1]]))


@pytest.mark.reliability(
    "Numbers",
    "labels from 1, one-hot, in another order or of other videos; negated logits; costs of each step or in MFLOPs;"
    " videos there twice; exits in another order; an entropy as confidence",
    happens="is said, with what may be meant",
    sees="`would be for ... with ...`, `do labels and logits number the classes alike?`",
)
@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (lambda x, y: dict(labels=np.minimum(y + 1, 4)), "with labels - 1"),
        (lambda x, y: dict(labels=np.maximum(y - 1, 0)), "with labels + 1"),
        (lambda x, y: dict(labels=np.array([3, 0, 4, 1, 2])[y]), "number the classes alike?"),
        (lambda x, y: dict(labels=np.roll(y, 7)), "are the labels those of these videos?"),
        (lambda x, y: dict(logits=-x), "with the negated logits"),
        (lambda x, y: dict(labels=np.eye(5, dtype=int)[y]), "give labels.argmax(axis=1)"),
        (lambda x, y: dict(logits=x[:, y == 2], labels=y[y == 2]), "all videos have the label 2"),
        (lambda x, y: dict(logits=x[::-1]), "in the order in which they are met?"),
        (lambda x, y: dict(cost=[4.0, 4.0, 5.0]), "exits 0 and 1 cost the same"),
        (lambda x, y: dict(cost=[4e3, 8e3, 33e3]), "33000 GFLOPs for a video is much: divide MFLOPs"),
        (lambda x, y: dict(video_ids=["a", "b", *map(str, range(197)), "a"]), "1 videos are there more than once"),
    ],
)  # fmt: skip
def test_habits_of_other_programs_are_noticed(changed, says):
    logits, labels = arrays()
    assert says in said_of(**{"logits": logits, "labels": labels} | changed(logits, labels))


def test_costs_in_another_unit_may_be_large():
    logits, labels = arrays()
    assert said_of(logits, labels, [4e8, 8e8, 33e9], measure=CostMeasure("macs")) == ""


def test_a_confidence_that_is_an_entropy_is_noticed():
    logits, labels = arrays()
    scores = ExitScores.from_logits(logits, labels, COSTS)
    for sign, times in ((1, 0), (-1, 1)):
        column = sign * scores.confidence()
        told = suspicions(ExitScores(cost_E=COSTS, confidence_EN=column, correct_EN=scores.correct()))
        assert " ".join(told).count("is surer where it is wrong") == len(told) == times


def test_softmax_where_sigmoid_is_taken_is_noticed():
    logits, labels = arrays(several=True, num_videos=300, num_classes=20)
    labels = np.where(
        np.arange(20) == labels.argmax(axis=1)[:, None], 1, labels * (labels.cumsum(axis=1) <= 2)
    )
    logits = 5 * labels + np.random.default_rng(0).normal(size=(3, 300, 20)) + 4
    assert "--activation softmax" in said_of(logits, labels)
    assert said_of(logits, labels, activation="softmax") == ""
    assert said_of(logits - 7, labels) == ""


@pytest.mark.reliability(
    "Numbers",
    "probabilities that are said to be softmax and do not sum to 1",
    happens="are refused",
    sees="are no softmax probabilities: ...",
)
def test_what_is_no_softmax_is_refused_as_such():
    scores = ExitScores.from_logits(np.full((1, 2, 3), 0.5), [0, 1], [1.0])
    with pytest.raises(ScoresError, match="no softmax probabilities"):
        from_probabilities(dataclasses.replace(scores, activation="softmax"))
    with pytest.raises(ScoresError, match="must be softmax or sigmoid"):
        dataclasses.replace(scores, activation="tanh")
