import math

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from dynsearch.errors import PolicyError
from dynsearch.frontier import solve_thresholds
from dynsearch.scores import ExitScores
from dynsearch.thresholds import ExitPolicy, evaluate_policy
from dynsearch.thresholds.drift import _chi_square, check_drift, rematch
from tests.thresholds.tables import random_scores

POOL = random_scores(8, num_exits=4, num_videos=40_000)
CALIBRATION = POOL.select(np.arange(4000))
BUDGET = float(POOL.cost_E.mean())
POINT = solve_thresholds(CALIBRATION).best_under(BUDGET)


def unlabelled(start, stop, shift=0.0):
    """New videos whose confidences moved by ``shift`` on the logit scale."""
    confidence = POOL.confidence()[:, start:stop].clip(1e-6, 1 - 1e-6)
    logit = np.log(confidence / (1 - confidence)) - shift
    return ExitScores(cost_E=POOL.cost_E, confidence_EN=1 / (1 + np.exp(-logit)))


def test_chi_square_is_scipys():
    old, new = np.array([30, 5, 60]), np.array([25, 15, 40])
    expected = chi2_contingency([old, new], correction=False).statistic
    assert _chi_square(old[None], new[None])[0] == pytest.approx(expected)


def test_alarms_without_drift_are_as_rare_as_the_level():
    alarms = [
        check_drift(POINT, unlabelled(start, start + 300)).moved(level=0.1)
        for start in range(4000, 40_000, 300)
    ]
    assert np.mean(alarms) <= 0.1 + 2 * math.sqrt(0.09 / len(alarms))


def test_a_shift_is_noticed_and_its_cost_named():
    new = unlabelled(4000, 6000, shift=1.0)
    drift = check_drift(POINT, new)
    assert drift.moved()
    exit_N = POINT.policy.first_exit(new.confidence())
    assert drift.cost == pytest.approx(POOL.cost_E[exit_N].mean())
    assert sum(drift.exit_share) == pytest.approx(1)


@pytest.mark.parametrize("shift", [-1.0, 0.5, 1.0, 2.0])
def test_rematching_on_2000_videos_brings_the_cost_back_within_3_percent(shift):
    later = unlabelled(6000, 40_000, shift)
    policy = rematch(POINT, unlabelled(4000, 6000, shift))
    cost = POOL.cost_E[policy.first_exit(later.confidence())].mean()
    before = POOL.cost_E[POINT.policy.first_exit(later.confidence())].mean()
    assert abs(cost / POINT.cost - 1) < 0.03
    assert abs(before / POINT.cost - 1) > abs(cost / POINT.cost - 1)


def test_rematching_on_the_calibration_videos_changes_no_exit():
    policy = rematch(POINT, CALIBRATION)
    assert evaluate_policy(policy, CALIBRATION).exit_share == POINT.exit_share


def test_exits_that_were_never_used_stay_unused():
    point = evaluate_policy(ExitPolicy((math.inf, 0.8, math.inf, -math.inf)), CALIBRATION)
    policy = rematch(point, unlabelled(4000, 5000, 0.5))
    assert policy.thresholds[0] == policy.thresholds[2] == math.inf


@pytest.mark.reliability(
    "Statistics",
    "new videos on which a network is as sure as before, and wrong more often",
    happens="`--check` says that it can't see this; a few labelled ones (`--labels`) show it",
    sees="`other than expected beyond chance`",
)
def test_accuracy_is_tested_where_labels_are_known():
    rng, before = np.random.default_rng(0), POOL.correct()
    alarms = {}
    for wrong in (0.0, 0.25):
        found = []
        for start in range(4000, 12_000, 80):
            right = before[:, start : start + 80] & (rng.random(80) >= wrong)
            new = ExitScores(
                cost_E=POOL.cost_E, confidence_EN=POOL.confidence()[:, start : start + 80], correct_EN=right
            )
            drift = check_drift(POINT, new, new)
            found.append(drift.other_top1(0.05))
            assert drift.num_labelled == 80
        alarms[wrong] = np.mean(found)
    assert alarms[0.0] <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 100)
    assert alarms[0.25] > 0.8
    assert check_drift(POINT, unlabelled(4000, 4100)).top1 is None


def test_scores_with_other_exits_are_refused():
    other = ExitScores(cost_E=[1.0, 2.0], confidence_EN=np.ones((2, 3)))
    for function in (check_drift, rematch):
        with pytest.raises(PolicyError, match="4 exits, but there are 2"):
            function(POINT, other)
