import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynsearch.errors import InputError
from dynsearch.scores import ExitScores
from dynsearch.thresholds import evaluate_policy, geometric
from dynsearch.thresholds.geometric import MSDNET_QS, target_counts
from tests.thresholds.tables import random_scores

TABLE_2 = [1993, 2392, 2871, 3445, 4134, 4961]  # of the paper, Kinetics-400 validation, 19,796 videos


def test_target_counts_are_the_papers_table_2():
    assert target_counts(19_796, 6, 1.2).tolist() == TABLE_2


@pytest.mark.parametrize("ties", [">", ">="])
def test_table_2_on_tie_free_videos(ties):
    rng = np.random.default_rng(0)
    scores = ExitScores(
        cost_E=np.arange(1.0, 7.0),
        confidence_EN=rng.random((6, 19_796)),
        correct_EN=rng.random((6, 19_796)) < 0.5,
    )
    (point,) = geometric(scores, qs=[1.2], ties=ties)
    stopped = np.array(evaluate_policy(point.policy, scores).exit_share) * 19_796
    np.testing.assert_allclose(stopped, TABLE_2, atol=1e-6)


@given(st.integers(1, 500), st.integers(1, 8), st.floats(1e-3, 1e3))
def test_target_counts_follow_the_law(num_videos, num_exits, q):
    counts = target_counts(num_videos, num_exits, q)
    exact = q ** np.arange(num_exits) / (q ** np.arange(num_exits)).sum() * num_videos
    assert counts.sum() == num_videos
    assert np.abs(counts - exact).max() <= 1 + 1e-6


@pytest.mark.parametrize(("ties", "share"), [(">", 0.2), (">=", 0.8)])
def test_ties_at_the_threshold_stop_together_or_not_at_all(ties, share):
    scores = ExitScores(
        cost_E=[1.0, 2.0], confidence_EN=[[0.9, 0.5, 0.5, 0.5, 0.1], [1] * 5], correct_EN=np.ones((2, 5))
    )
    (point,) = geometric(scores, qs=[1.0], ties=ties)  # two of five should stop first
    assert point.exit_share[0] == pytest.approx(share)


def test_thresholds_lie_between_confidences_so_both_comparisons_agree():
    scores = random_scores(3, num_videos=50)
    for point in geometric(scores):
        for threshold, confidence_N in zip(point.thresholds, scores.confidence(), strict=True):
            assert threshold not in confidence_N


def test_one_point_for_each_q_of_msdnets_grid():
    assert MSDNET_QS[0] == 0.05
    assert MSDNET_QS[-1] == 1.95
    assert len(geometric(random_scores(0))) == len(MSDNET_QS) == 39


@given(st.integers(0, 200), st.sampled_from([">", ">="]))
def test_nan_ties_and_few_videos_never_break_it(seed, ties):
    scores = random_scores(seed, num_exits=1 + seed % 4, num_videos=1 + seed % 7, levels=3, nan_share=0.3)
    for point in geometric(scores, qs=[0.05, 1.0, 30.0], ties=ties):
        assert sum(point.exit_share) == pytest.approx(1)


@pytest.mark.parametrize("q", [0.0, -1.0, np.nan, np.inf])
def test_impossible_ratios_are_refused(q):
    with pytest.raises(InputError, match="must be positive"):
        geometric(random_scores(0), qs=[q])


def test_unknown_tie_rules_are_refused():
    with pytest.raises(InputError, match="ties must be"):
        geometric(random_scores(0), ties="=")


def as_msdnets_code_does(confidence_EN, q):
    """MSDNet's search for thresholds, from the description of its released code: video by video."""
    num_exits, num_videos = confidence_EN.shape
    weights = [q**k for k in range(1, num_exits + 1)]
    left, thresholds, stopped = set(range(num_videos)), [], []
    for k in range(num_exits - 1):
        wanted = int(num_videos * weights[k] / sum(weights) + 1e-9)
        rank = [n for n in sorted(range(num_videos), key=lambda n: -confidence_EN[k][n]) if n in left]
        threshold = confidence_EN[k][rank[wanted - 1]] if 0 < wanted <= len(rank) else 1e8
        gone = {n for n in left if confidence_EN[k][n] >= threshold}
        thresholds.append(threshold)
        stopped.append(len(gone))
        left -= gone
    return thresholds, [*stopped, len(left)]


@given(st.integers(0, 300), st.sampled_from([None, 4, 30]), st.floats(0.05, 3))
def test_msdnets_rule_is_that_of_its_released_code(seed, levels, q):
    scores = random_scores(seed, num_exits=1 + seed % 6, num_videos=1 + seed % 40, levels=levels)
    (point,) = geometric(scores, qs=[q], rule="msdnet")
    thresholds, stopped = as_msdnets_code_does(scores.confidence(), q)
    assert point.q == q
    assert point.exit_share == pytest.approx(np.array(stopped) / scores.num_videos)
    for ours, theirs in zip(point.thresholds, thresholds, strict=False):
        assert ours == np.inf if theirs == 1e8 else ours == pytest.approx(theirs)


def test_an_exit_with_fewer_left_than_wanted_is_closed():
    """At q = 1, three of nine should stop at each; ties take seven at the first, so two are left for three."""
    confidence = np.array([[0.9] * 7 + [0.5, 0.4], [0.8] * 9, [1.0] * 9])
    scores = ExitScores(cost_E=[1.0, 2.0, 3.0], confidence_EN=confidence, correct_EN=np.ones((3, 9)))
    (point,) = geometric(scores, qs=[1.0], rule="msdnet")
    assert np.array(point.exit_share) * 9 == pytest.approx([7, 0, 2])
    assert point.thresholds[1] == np.inf


@pytest.mark.parametrize("options", [{"rule": "other"}, {"rule": "msdnet", "ties": ">"}])
def test_unknown_rules_are_refused(options):
    with pytest.raises(InputError, match="must be"):
        geometric(random_scores(0), **options)
