import numpy as np
import pytest

from dynsearch.errors import ScoresError
from dynsearch.frontier import solve_thresholds
from dynsearch.scores import ExitScores, confidence_from_logits
from dynsearch.scores.confidence import patience


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ([1, 1, 1, 1], [0, 1, 2, 3]),
        ([1, 2, 2, 1], [0, 0, 1, 0]),
        ([1, 1, 2, 1], [0, 1, 0, 0]),
        ([3], [0]),
    ],
)
def test_agreement_in_a_row_is_counted(choices, expected):
    assert patience(np.array(choices)[:, None])[:, 0].tolist() == expected


def scores():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 300)
    signal = rng.gamma(1.5, size=(300, 1))
    logits = np.stack(
        [skill * signal * np.eye(5)[labels] + rng.normal(size=(300, 5)) for skill in (0.5, 1, 2, 3)]
    )
    return ExitScores.from_logits(logits, labels, [1.0, 2.0, 4.0, 8.0])


def test_thresholds_on_patience_stop_at_the_first_long_enough_agreement():
    curve = solve_thresholds(scores(), confidence="patience")
    assert curve[0].cost == 1.0
    choices = scores().logits_ENK.argmax(axis=2)
    point = next(p for p in curve if p.thresholds[0] == np.inf and 0 < p.thresholds[1] < 1)
    agree = choices[1] == choices[0]
    assert point.exit_share[1] == pytest.approx(agree.mean())


def test_a_network_reads_choices_one_exit_at_a_time():
    policy = solve_thresholds(scores(), confidence="patience")[-1].policy
    logits = scores().logits_ENK
    seen = np.stack([confidence_from_logits(policy.measure, logits_NK) for logits_NK in logits])
    for k in range(4):
        np.testing.assert_array_equal(policy.confidence_at(seen[: k + 1]), policy.confidence_of(scores())[k])


def test_patience_needs_logits():
    bare = ExitScores(cost_E=[1.0], confidence_EN=[[0.5]], correct_EN=[[1]])
    with pytest.raises(ScoresError, match="computed from logits"):
        bare.confidence("patience")
