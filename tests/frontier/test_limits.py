"""Thresholds under several bounds, against every choice of thresholds there is."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import betaincinv
from scipy.stats import binom

from dynsearch.errors import InfeasibleBudgetError, InputError
from dynsearch.frontier import Frontier, Limit, safe_best_under, solve_thresholds
from dynsearch.frontier.limits import solve_within
from dynsearch.measures import COUNTED, CostMeasure
from dynsearch.scores import ExitScores
from dynsearch.thresholds import ExitPolicy, evaluate_policies

MS = CostMeasure("ms")


def scores(seed, num_videos=12, num_exits=3):
    """Few videos, so that every choice of thresholds can be tried; later exits are right more often."""
    rng = np.random.default_rng(seed)
    right = np.linspace(0.45, 0.85, num_exits)[:, None]
    return ExitScores(
        cost_E=np.sort(rng.uniform(1, 9, num_exits)),
        confidence_EN=rng.random((num_exits, num_videos)),
        correct_EN=rng.random((num_exits, num_videos)) < right,
    )


def every_point(of):
    cuts = [[-np.inf, *np.unique(row).tolist()] for row in of.confidence_EN[:-1]]
    policies = [ExitPolicy((*each, -np.inf), "given") for each in itertools.product(*cuts)]
    return evaluate_policies(policies, of)


def limit_of(seed, of, at):
    rng = np.random.default_rng(1000 + seed)
    cost_E = np.sort(rng.uniform(1, 9, of.num_exits))
    return Limit(MS, tuple(cost_E), float(cost_E[0] + at * (cost_E[-1] - cost_E[0])))


def exact(of):
    """All points that no other beats in the one cost that a solver knows."""
    return Frontier(every_point(of))


def test_both_bounds_are_kept_at_next_to_no_loss_against_every_choice():
    """With a solver that finds all there is, what is lost is lost by its knowing one cost at a time."""
    lost = []
    for seed, at in itertools.product(range(10), (0.2, 0.5)):
        of = scores(seed)
        limit = limit_of(seed, of, at)
        curve = solve_within(of, [limit], exact)
        assert all(np.dot(point.exit_share, limit.cost_E) <= limit.bound * (1 + 1e-9) for point in curve)
        assert all(point.cost == pytest.approx(np.dot(point.exit_share, of.cost_E)) for point in curve)
        assert curve.measure == COUNTED
        for budget in np.quantile(of.cost_E, [0.3, 0.6, 1.0]):
            best = max((p.top1 for p in every_point(of) if p.cost <= budget and limit.keeps(p)), default=None)
            lost.append(best - curve.best_under(budget).top1)
    assert min(lost) >= -1e-9
    assert max(lost) < 1.5 / 12
    assert np.mean(np.array(lost) > 1e-9) < 0.1


def test_a_limit_that_limits_nothing_changes_nothing_but_adds_points():
    of = scores(3, num_videos=60)
    alone = solve_thresholds(of, confidence="given")
    loose = solve_thresholds(of, confidence="given", limits=[Limit(MS, (1.0, 2.0, 3.0), 3.0)])
    for budget in np.linspace(of.cost_E[0], of.cost_E[-1], 7):
        assert loose.best_under(budget).top1 >= alone.best_under(budget).top1


def test_the_95th_percentile_is_a_share_of_videos_beyond_an_exit():
    of = scores(5, num_videos=200)
    times = [5.0, 11.0, 30.0]
    limit = Limit.on_share(MS, times, 20.0, 0.05)
    assert limit.cost_E == (0.0, 0.0, 1.0)
    curve = solve_thresholds(of, confidence="given", limits=[limit])
    for point in curve:
        exit_N = point.policy.first_exit(of.confidence_EN)
        assert np.mean(np.array(times)[exit_N] > 20) <= 0.05
        assert np.percentile(np.array(times)[exit_N], 95, method="inverted_cdf") <= 20
    reached = max(point.exit_share[-1] for point in curve)
    assert reached > 0, "some may go on, and do"
    assert "5%" in limit.said(curve[-1])


def test_what_no_threshold_can_keep_is_refused_by_name():
    of = scores(1)
    with pytest.raises(
        InfeasibleBudgetError, match=r"max_ms=0.5 is below the cheapest point, 1 ms per video"
    ):
        solve_thresholds(of, confidence="given", limits=[Limit(MS, (1.0, 2.0, 3.0), 0.5)])
    with pytest.raises(InfeasibleBudgetError, match="max_ms=4 is below the cheapest point, 5 ms"):
        Limit.on_share(MS, [5.0, 11.0], 4.0, 0.05)


@pytest.mark.parametrize("beyond", [0, 3, 40, 100])
def test_a_share_is_promised_as_clopper_and_pearson_do(beyond):
    """With chance 1 - delta the true share is below: at the bound, so few or fewer are seen with chance delta."""
    of = scores(0, num_videos=100)
    point = replace(every_point(of)[0], exit_share=(0.0, 1 - beyond / 100, beyond / 100), num_videos=100)
    most = Limit(MS, (0.0, 0.0, 1.0), 0.05).at_most(point, 0.1)
    assert most == 1.0 if beyond == 100 else binom.cdf(beyond, 100, most) == pytest.approx(0.1)


@pytest.mark.parametrize("over", [0, 2, 10])
def test_of_videos_that_come_in_groups_groups_count(over):
    """Ten copies of each video tell no more than one: the bound is that of as many videos as there are groups."""
    rng = np.random.default_rng(1)
    late_G = rng.permutation(np.arange(40) < over)
    late_N, names_N = np.repeat(late_G, 10), np.repeat(np.arange(40).astype(str), 10)
    of = ExitScores(
        cost_E=np.array([1.0, 2.0]),
        confidence_EN=np.stack([np.where(late_N, 0.0, 1.0), np.ones(400)]),
        correct_EN=np.ones((2, 400), bool),
    )
    limit, policy = Limit(MS, (0.0, 1.0), 0.5), ExitPolicy((0.5, -np.inf), "given")
    (alone,), (grouped,) = (evaluate_policies([policy], some) for some in (of, replace(of, groups_N=names_N)))
    grouped, alone = limit.at_most(grouped, 0.1), limit.at_most(alone, 0.1)
    by_groups = float(betaincinv(over + 1, 40 - over, 0.9))
    assert alone < grouped == pytest.approx(by_groups, rel=0.08)


def test_safe_keeps_limits_on_new_videos_too():
    """Of videos drawn again and again, a promise of a limit breaks at most as often as it may."""
    rng = np.random.default_rng(0)
    of = ExitScores(
        cost_E=np.array([1.0, 2.0]),
        confidence_EN=rng.random((2, 20_000)),
        correct_EN=rng.random((2, 20_000)) < np.array([[0.3], [0.9]]),
    )
    limit, broken, plain = Limit(MS, (0.0, 1.0), 0.2), 0, 0
    policies = [ExitPolicy((cut, -np.inf), "given") for cut in np.linspace(0, 0.4, 81)]
    for _ in range(60):
        some = of.select(rng.choice(20_000, 400, replace=False))
        curve = Frontier(point for point in evaluate_policies(policies, some) if limit.keeps(point))
        point = safe_best_under(curve, some, 3.0, limits=[limit])
        broken += point.evaluate(of).exit_share[-1] > limit.bound
        plain += curve.best_under(3.0).evaluate(of).exit_share[-1] > limit.bound
    assert broken <= 6 + 6 < plain, "a tenth of 60, and two and a half standard errors"
    few = of.select(np.arange(8))
    with pytest.raises(InputError, match="can't show that at most 20% of new ones take longer than 7"):
        share = Limit.on_share(MS, [1.0, 9.0], 7.0, 0.2)
        safe_best_under(solve_thresholds(few, confidence="given", limits=[share]), few, 3.0, limits=[share])
