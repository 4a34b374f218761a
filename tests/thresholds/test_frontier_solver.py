import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynsearch.errors import InputError
from dynsearch.frontier import Frontier, solve_thresholds
from dynsearch.measures import CostMeasure
from dynsearch.scores import ExitScores
from dynsearch.thresholds import SOLVERS, always_exit, frontier
from dynsearch.thresholds.direct.smoothing import BANDWIDTH
from tests.thresholds.tables import best_by_brute_force, random_scores

TINY = dict(num_exits=st.integers(1, 4), num_videos=st.integers(1, 12), seed=st.integers(0, 10_000))


def changed(scores, **changes):
    fields = dict(
        cost_E=scores.cost_E,
        confidence_EN=scores.confidence(),
        correct_EN=scores.correct(),
        plan_id="random",
    )
    return ExitScores(**{**fields, **changes})


def pairs_of(points):
    return [(p.cost, p.top1) for p in points]


def best_at(points, budgets):
    """Best top-1 of points (cost, top-1) at each budget."""
    cost, top1 = np.array(points).T
    return np.array([top1[cost <= budget + 1e-9].max() for budget in budgets])


@given(**TINY, levels=st.sampled_from([None, 2, 5]), nan_share=st.sampled_from([0.0, 0.3]))
@settings(max_examples=60, deadline=None)
def test_tiny_tables_equal_brute_force_at_every_budget(num_exits, num_videos, seed, levels, nan_share):
    scores = random_scores(
        seed, num_exits=num_exits, num_videos=num_videos, levels=levels, nan_share=nan_share
    )
    cost, top1 = best_by_brute_force(scores)
    budgets = np.linspace(cost.min(), scores.cost_E[-1], 50)
    expected = best_at(np.stack([cost, top1], 1), budgets)
    np.testing.assert_allclose(best_at(pairs_of(solve_thresholds(scores, smoothing=0)), budgets), expected)


@pytest.mark.parametrize("seed", range(4))
def test_24_videos_and_4_exits_are_solved_exactly(seed):
    scores = random_scores(seed, num_exits=4, num_videos=24)
    cost, top1 = best_by_brute_force(scores)
    budgets = np.linspace(cost.min(), cost.max(), 200)
    got = best_at(pairs_of(solve_thresholds(scores, smoothing=0)), budgets)
    np.testing.assert_allclose(got, best_at(np.stack([cost, top1], 1), budgets))


@pytest.mark.parametrize("seed", range(3))
def test_the_search_alone_comes_close_to_brute_force(seed):
    """100 videos are beyond enumeration inside the solver; three exits are not beyond it here."""
    scores = random_scores(seed, num_exits=3, num_videos=100)
    cost, top1 = best_by_brute_force(scores)
    budgets = np.linspace(cost.min(), cost.max(), 200)
    got = best_at(pairs_of(solve_thresholds(scores, smoothing=0)), budgets)
    gap = best_at(np.stack([cost, top1], 1), budgets) - got
    assert gap.min() >= -1e-9
    assert gap.mean() < 0.0015
    assert gap.max() < 0.011  # one video


@pytest.mark.parametrize("solver", [name for name in SOLVERS if name not in ("risk", "optuna")])
@given(**TINY, levels=st.sampled_from([None, 3]))
@settings(max_examples=25, deadline=None)
def test_reports_equal_a_replay_and_rise(solver, num_exits, num_videos, seed, levels):
    scores = random_scores(seed, num_exits=num_exits, num_videos=num_videos, levels=levels, nan_share=0.1)
    curve = solve_thresholds(scores, solver)
    assert [point.evaluate(scores) for point in curve] == list(curve)
    assert (np.diff([point.cost for point in curve]) > 0).all()
    assert (np.diff([point.worth for point in curve]) > 0).all()


@given(seed=st.integers(0, 1000), num_videos=st.sampled_from([10, 150]))
@settings(max_examples=15, deadline=None)
def test_it_starts_at_the_first_exit_and_covers_every_single_exit(seed, num_videos):
    scores = random_scores(seed, num_videos=num_videos)
    for smoothing in (0, BANDWIDTH):
        curve = solve_thresholds(scores, smoothing=smoothing)
        assert curve[0].cost == scores.cost_E[0]
        for single in always_exit(scores):
            same = [p for p in curve.candidates if (p.cost, p.top1) == (single.cost, single.top1)]
            assert same
            assert curve.best_under(single.cost).worth >= min(p.worth for p in same)


@given(seed=st.integers(0, 1000), num_videos=st.sampled_from([1, 5, 19, 100, 500]))
@settings(max_examples=25, deadline=None)
def test_a_budget_for_the_full_network_gets_it_or_what_is_better_beyond_chance(seed, num_videos):
    scores = random_scores(seed, num_videos=num_videos)
    point = solve_thresholds(scores).best_under(scores.cost_E[-1])
    policy = point.policy
    now_N = scores.correct()[policy.first_exit(scores.confidence()), np.arange(num_videos)]
    won = now_N.astype(int) - scores.correct()[-1]
    assert point.cost == scores.cost_E[-1] or won.sum() > np.sqrt(np.abs(won).sum())


def test_19_right_answers_of_19_do_not_stand_for_the_full_network():
    rng = np.random.default_rng(0)
    scores = ExitScores(
        cost_E=[1.0, 2.0, 4.0], confidence_EN=rng.random((3, 19)), correct_EN=np.ones((3, 19), dtype=bool)
    )
    curve = solve_thresholds(scores)
    assert curve.best_under(10).cost == 4.0
    assert curve[0].top1 == 1.0
    assert 0.01 < curve[-1].worth - curve[0].worth < 0.1


def test_what_is_expected_is_what_new_videos_give():
    """Mean over draws of 100 of 30,000 videos: counted top-1 flatters, expected top-1 does not."""
    pool = random_scores(3, num_exits=5, num_videos=30_000)
    rng, found = np.random.default_rng(0), []
    for _ in range(12):
        curve = solve_thresholds(pool.select(rng.permutation(30_000)[:100]), max_bins=64)
        points = [curve.best_under(budget) for budget in np.linspace(*pool.cost_E[[0, -1]], 6)]
        found += [(p.top1, p.worth, p.evaluate(pool).top1) for p in points]
    counted, expected, true = np.mean(found, axis=0)
    assert abs(expected - true) < 0.02
    assert counted - true < 0.05


@pytest.mark.parametrize("num_videos", [100, 400, 1000])
def test_few_videos_do_no_worse_than_simpler_rules(num_videos):
    """Mean over tables and draws at equal cost on new videos, and what is lost where all may be spent."""
    ours, theirs, lost = [], [], []
    for seed in range(3):
        pool = random_scores(20 + seed, num_exits=3 + 2 * seed, num_videos=6000)
        new, rng = pool.select(np.arange(3000)), np.random.default_rng(seed)
        budgets = np.linspace(*pool.cost_E[[0, -1]], 14)[1:-1]
        for _ in range(3):
            fit = pool.select(3000 + rng.permutation(3000)[:num_videos])
            rules = [("geometric", {"qs": np.geomspace(0.05, 20, 100)}), ("target-accuracy", {})]
            reached = [
                best_at(pairs_of(Frontier(SOLVERS[name](fit, **options)).evaluate(new)), budgets).mean()
                for name, options in rules
            ]
            curve = solve_thresholds(fit, max_bins=128)
            ours.append(best_at(pairs_of(curve.evaluate(new)), budgets).mean())
            theirs.append(reached)
            lost.append(new.correct()[-1].mean() - curve.best_under(pool.cost_E[-1]).evaluate(new).top1)
    assert np.mean(ours) >= np.mean(theirs, axis=0).max()
    assert np.mean(lost) <= 0.002


def test_five_exits_are_exact_too():
    scores = random_scores(0, num_exits=5, num_videos=14)
    cost, top1 = best_by_brute_force(scores)
    budgets = np.linspace(cost.min(), cost.max(), 100)
    got = best_at(pairs_of(solve_thresholds(scores, smoothing=0)), budgets)
    np.testing.assert_allclose(got, best_at(np.stack([cost, top1], 1), budgets))


@pytest.mark.parametrize("seed", range(3))
def test_mixtures_of_single_exits_are_covered_within_noise(seed):
    """Sending a random share of the videos to one exit and the rest to another is never better."""
    scores = random_scores(seed, num_exits=4, num_videos=4000)
    curve = solve_thresholds(scores)
    singles = list(zip(scores.cost_E, scores.correct().mean(axis=1), strict=True))
    for cost_a, top1_a in singles:
        for cost_b, top1_b in singles:
            for share in (0.25, 0.5, 0.75):
                mixed_cost, mixed_top1 = (
                    share * a + (1 - share) * b for a, b in ((cost_a, cost_b), (top1_a, top1_b))
                )
                assert curve.best_under(mixed_cost).top1 >= mixed_top1 - 0.003


@given(seed=st.integers(0, 1000), num_videos=st.sampled_from([12, 150]))
@settings(max_examples=15, deadline=None)
def test_nothing_depends_on_scales_or_order(seed, num_videos):
    scores = random_scores(seed, num_videos=num_videos)
    expected = np.array(pairs_of(solve_thresholds(scores)))
    order = np.random.default_rng(seed).permutation(num_videos)
    with np.errstate(divide="ignore"):
        logit = np.log(scores.confidence() / (1 - scores.confidence()))
    for other, scale in [
        (changed(scores, confidence_EN=logit), 1),
        (changed(scores, confidence_EN=scores.confidence() ** 3 * 1e6), 1),
        (changed(scores, cost_E=scores.cost_E * 1024), 1024),
        (scores.select(order), 1),
    ]:
        got = np.array(pairs_of(solve_thresholds(other))) / [scale, 1]
        np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-9, 3e7])
def test_any_unit_of_cost_gives_the_same_frontier(scale):
    scores = random_scores(4, num_videos=2000)
    budgets = np.linspace(*scores.cost_E[[0, -1]], 40)
    expected = best_at(pairs_of(solve_thresholds(scores)), budgets)
    other = changed(scores, cost_E=scores.cost_E * scale, measure=CostMeasure("macs"))
    scaled = np.array(pairs_of(solve_thresholds(other))) / [scale, 1]
    np.testing.assert_allclose(best_at(scaled, budgets), expected, atol=0.002)


@pytest.mark.parametrize("num_videos", [20, 300, 3000])
def test_a_dead_exit_is_never_used(num_videos):
    scores = random_scores(5, num_exits=4, num_videos=num_videos)
    rng = np.random.default_rng(0)
    confidence, correct = scores.confidence().copy(), scores.correct().copy()
    confidence[1], correct[1] = rng.uniform(0.9, 1.0, num_videos), rng.random(num_videos) < 0.01
    for point in solve_thresholds(changed(scores, confidence_EN=confidence, correct_EN=correct)):
        assert point.exit_share[1] == 0


@pytest.mark.reliability(
    "Numbers",
    "all-equal, NaN or infinite confidences",
    happens="no threshold can split them: whole exits only",
)
@pytest.mark.parametrize(
    "confidence",
    [np.full((3, 90), 0.5), np.full((3, 90), np.nan), np.ones((3, 90)), np.full((3, 90), -np.inf)],
)
def test_constant_and_missing_confidences_leave_only_whole_exits(confidence):
    correct = np.zeros((3, 90), dtype=bool)
    correct[0, :30], correct[1, :40], correct[2, :50] = True, True, True
    scores = ExitScores(cost_E=[1.0, 2.0, 3.0], confidence_EN=confidence, correct_EN=correct)
    whole = [(1.0, 30 / 90), (2.0, 40 / 90), (3.0, 50 / 90)]
    expected = whole if np.isfinite(confidence).all() else whole[-1:]
    np.testing.assert_allclose(pairs_of(solve_thresholds(scores)), expected)


@pytest.mark.reliability("Numbers", "one exit; one video", happens="one operating point")
@pytest.mark.parametrize("num_videos", [1, 70])
def test_one_exit_gives_one_point(num_videos):
    scores = random_scores(0, num_exits=1, num_videos=num_videos)
    (point,) = solve_thresholds(scores)
    assert point.thresholds == (-math.inf,)
    assert point.cost == scores.cost_E[0]


@pytest.mark.reliability(
    "Numbers", "exits that are all right or all wrong", happens="the first exit takes every video"
)
@pytest.mark.parametrize("right", [False, True])
def test_exits_that_are_all_right_or_all_wrong_need_no_second_one(right):
    scores = random_scores(0, num_videos=100)
    scores = changed(scores, correct_EN=np.full((4, 100), right))
    first, *others = solve_thresholds(scores)
    assert (first.cost, first.top1) == (scores.cost_E[0], float(right))
    assert [p.cost for p in others] == [scores.cost_E[-1]]  # 100 videos can't exclude that it is better
    assert others[0].worth - first.worth < 0.01
    assert len(solve_thresholds(scores, smoothing=0)) == 1


@pytest.mark.reliability("Numbers", "exits of equal cost", happens="are solved like others")
def test_exits_of_equal_cost_are_allowed():
    scores = random_scores(0, num_videos=100)
    curve = solve_thresholds(changed(scores, cost_E=np.full(4, 2.0)))
    assert {point.cost for point in curve} == {2.0}


@pytest.mark.reliability("Numbers", "all-equal, NaN or infinite confidences")
def test_infinite_confidences_keep_their_rank():
    confidence = np.array([[np.inf, np.inf, 0.5, -np.inf], [1, 1, 1, 1.0]])
    correct = np.array([[1, 1, 0, 0], [1, 1, 1, 1]])
    scores = ExitScores(cost_E=[1.0, 3.0], confidence_EN=confidence, correct_EN=correct)
    assert pairs_of(solve_thresholds(scores, smoothing=0)) == [(1.5, 0.75), (2.0, 1.0)]


def test_more_videos_than_the_search_takes_are_sampled_and_measured_in_full(monkeypatch):
    scores = random_scores(2, num_videos=6000)
    whole = solve_thresholds(scores)
    monkeypatch.setattr("dynsearch.thresholds.frontier_solver._MAX_SEARCHED_VIDEOS", 3000)
    sampled = solve_thresholds(scores)
    budgets = np.linspace(*scores.cost_E[[0, -1]], 40)
    gap = best_at(pairs_of(whole), budgets) - best_at(pairs_of(sampled), budgets)
    assert sampled[0].num_videos == 6000
    assert np.abs(gap).mean() < 0.003


def test_it_beats_the_geometric_schedule_on_new_videos():
    scores = random_scores(11, num_exits=5, num_videos=12_000)
    fit, new = scores.select(np.arange(4000)), scores.select(np.arange(4000, 12_000))
    budgets = np.linspace(*scores.cost_E[[0, -1]], 14)[1:-1]
    ours, theirs = (
        best_at(pairs_of(Frontier(points).evaluate(new)), budgets)
        for points in (frontier(fit), SOLVERS["geometric"](fit, qs=np.geomspace(0.02, 50, 200)))
    )
    assert ours.mean() > theirs.mean()


@pytest.mark.parametrize("options", [dict(smoothing=-1), dict(smoothing=math.nan), dict(max_bins=1)])
def test_impossible_options_are_refused(options):
    with pytest.raises(InputError, match=r"must be"):
        frontier(random_scores(0), **options)
