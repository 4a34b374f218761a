"""Videos of a person are alike: what is said of new videos is of new people, counted over simulated draws."""

import numpy as np
import pytest

from dynsearch.calibration import calibrate
from dynsearch.errors import ScoresError
from dynsearch.frontier import (
    bootstrap_difference,
    chance_of_exceeding,
    cost_interval,
    cross_fit,
    merge,
    safe_best_under,
    share_interval,
    solve_thresholds,
    top1_interval,
)
from dynsearch.scores import ExitScores
from dynsearch.scores.spread import Groups, Spread
from dynsearch.scores.tables import load_scores
from dynsearch.thresholds import ExitPolicy, evaluate_policy
from dynsearch.thresholds.drift import check_drift

POLICY = ExitPolicy((0.8, 0.8, -np.inf))


def people(rng, count, videos, effect, *, unequal=False):
    """Scores of ``count`` people, some of whom are harder to recognise than others."""
    sizes = rng.integers(videos // 4, 2 * videos, count) if unequal else np.full(count, videos)
    of_N = np.repeat(np.arange(count), sizes)
    skill = (
        np.array([[0.6], [1.0], [1.6]]) + (effect * rng.normal(size=count))[of_N] + rng.normal(size=len(of_N))
    )
    margin = skill + 0.7 * rng.normal(size=(3, len(of_N)))
    confidence = 1 / (1 + np.exp(-margin - 0.5 * rng.normal(size=margin.shape)))
    names = np.char.add("person ", of_N.astype(str))
    return ExitScores(cost_E=[1, 2, 4], confidence_EN=confidence, correct_EN=margin > 0, groups_N=names)


def alone(scores):
    return ExitScores(cost_E=scores.cost_E, confidence_EN=scores.confidence_EN, correct_EN=scores.correct_EN)


def test_errors_are_those_of_resampled_groups():
    scores = people(np.random.default_rng(0), 60, 20, 0.8, unequal=True)
    point, rng = evaluate_policy(POLICY, scores), np.random.default_rng(1)
    exit_N = POLICY.first_exit(scores.confidence())
    right_N = scores.correct()[exit_N, range(scores.num_videos)]
    members = [np.flatnonzero(scores.groups.of_N == g) for g in range(60)]
    draws = [np.concatenate([members[g] for g in rng.integers(60, size=60)]) for _ in range(2000)]
    assert point.spread.top1 == pytest.approx(np.std([right_N[d].mean() for d in draws]), rel=0.08)
    assert point.spread.cost == pytest.approx(
        np.std([scores.cost_E[exit_N[d]].mean() for d in draws]), rel=0.08
    )
    assert point.spread.top1 > 1.5 * np.sqrt(point.top1 * (1 - point.top1) / point.num_videos)


@pytest.mark.reliability(
    "Statistics",
    "videos of few people, cameras or source files",
    happens="intervals, chances and drift tests count groups: in simulations of 4, 8 and 30 people they hold as often "
    "as they say, where intervals by video are half as wide as they should be",
)
@pytest.mark.parametrize(("count", "videos", "unequal"), [(4, 60, False), (8, 60, True), (30, 20, True)])
def test_intervals_cover_the_truth_of_new_people(count, videos, unequal):
    truth = evaluate_policy(POLICY, people(np.random.default_rng(9), 20_000, 12, 0.7))
    rng, draws = np.random.default_rng(count), 250
    hits = np.zeros(5)
    for _ in range(draws):
        scores = people(rng, count, videos, 0.7, unequal=unequal)
        point = evaluate_policy(POLICY, scores)
        top1 = share_interval(point.top1, point.num_videos, point.spread)
        by_video = top1_interval(point.top1, point.num_videos, num_resamples=500)
        right_N = scores.correct()[POLICY.first_exit(scores.confidence()), range(scores.num_videos)]
        won = bootstrap_difference(right_N, scores.correct()[-1], scores.groups)
        cost = cost_interval(point.exit_share, scores.cost_E, point.num_videos, point.spread)
        chance = chance_of_exceeding(point, scores, truth.cost)
        hits += (
            top1.low <= truth.top1 <= top1.high,
            by_video.low <= truth.top1 <= by_video.high,
            cost.low <= truth.cost <= cost.high,
            chance > 0.1,
            won.low <= -truth.loss <= won.high,
        )
    hits /= draws
    assert min(hits[0], hits[2], hits[4]) > 0.95 - 3 * np.sqrt(0.95 * 0.05 / draws)
    assert hits[3] > 0.9 - 3 * np.sqrt(0.09 / draws)
    assert hits[1] < 0.85


@pytest.mark.parametrize("count", [6, 40])
def test_other_people_alone_are_no_drift(count):
    rng = np.random.default_rng(2)
    alarms, by_video, draws = 0, 0, 60
    for _ in range(draws):
        old, new = people(rng, count, 40, 0.7), people(rng, count, 40, 0.7)
        alarms += check_drift(evaluate_policy(POLICY, old), new).moved(0.05)
        by_video += check_drift(evaluate_policy(POLICY, alone(old)), alone(new)).moved(0.05)
    assert alarms / draws <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / draws)
    assert by_video / draws > 0.4


def test_a_safe_budget_leaves_more_room_for_new_people():
    scores = people(np.random.default_rng(3), 10, 60, 0.7)
    safe = safe_best_under(solve_thresholds(scores), scores, 2.5)
    by_video = alone(scores)
    assert safe.cost < safe_best_under(solve_thresholds(by_video), by_video, 2.5).cost
    assert chance_of_exceeding(safe, scores, 2.5) <= 0.1


def test_folds_are_whole_groups_and_estimates_know_their_spread():
    scores = people(np.random.default_rng(4), 12, 30, 0.7, unequal=True)
    fold_N = scores.folds(5, 0)
    assert set(fold_N) == set(range(5))
    assert all(len(set(fold_N[scores.groups.of_N == g])) == 1 for g in range(12))
    assert cross_fit(scores, [2.0])[0].spread.num_groups == 12
    (point, *_) = merge({0: (scores, people(np.random.default_rng(5), 8, 30, 0.7))})
    assert point.test_interval == share_interval(point.test.top1, 240, point.test.spread)


def test_one_group_says_nothing_of_others_and_a_group_each_is_as_none():
    scores = people(np.random.default_rng(6), 1, 80, 0.7)
    point = evaluate_policy(POLICY, scores)
    assert share_interval(point.top1, 80, point.spread) == pytest.approx((0, 1), abs=0.01)
    assert cost_interval(point.exit_share, scores.cost_E, 80, point.spread) == (1, 4)
    assert not check_drift(point, people(np.random.default_rng(7), 1, 80, 3.0)).moved()
    for names in ([f"{n}" for n in range(80)], [""] * 80):
        each = ExitScores(cost_E=[1, 2], confidence_EN=np.zeros((2, 80)), groups_N=names)
        assert each.groups is None
    assert len(Groups(np.array(["a", "", "a", ""]))) == 3


def test_a_paired_difference_counts_groups():
    of_N = np.repeat(np.arange(10), 20)
    a_N = np.ones(200, dtype=bool)
    b_N = of_N > 1  # two people are never recognised by b
    low, high = bootstrap_difference(a_N, b_N, Groups(of_N.astype(str)))
    spread = Spread.of(Groups(of_N.astype(str)), b_N.astype(int), np.array([1.0, 0.0]))
    assert low == pytest.approx(0.2 - spread.times(0.95) * spread.cost)
    assert high == pytest.approx(
        0.2 + 1.5 * spread.times(0.95) * spread.cost
    )  # others may differ as these two
    assert bootstrap_difference(b_N, a_N, Groups(of_N.astype(str))) == pytest.approx((-high, -low))
    assert high - low > 3 * np.ptp(bootstrap_difference(a_N, b_N))


@pytest.mark.parametrize(("count", "effects"), [(8, "own"), (30, "own"), (30, "few")])
def test_a_paired_difference_covers_the_truth_where_few_people_make_it(count, effects):
    """Effects of their own at each exit, or a tenth of the people who are hardly recognised."""
    rng, hits, draws = np.random.default_rng(count), 0, 400

    def right(of_N):
        own = rng.normal(size=(2, of_N[-1] + 1)) * 0.6
        own = own if effects == "own" else np.tile(np.where(own[0] < -0.77, -2.5, 0.3), (2, 1))
        skill = np.array([[0.8], [1.6]]) + own[:, of_N] + rng.normal(size=len(of_N))
        margin_2N = skill + 0.7 * rng.normal(size=(2, len(of_N)))
        return np.where(margin_2N[0] + 0.5 * rng.normal(size=len(of_N)) > 1.4, *(margin_2N > 0)), margin_2N[
            1
        ] > 0

    early_N, full_N = right(np.repeat(np.arange(40_000), 5))
    truth = early_N.mean() - full_N.mean()
    of_N = np.repeat(np.arange(count), 20)
    for _ in range(draws):
        low, high = bootstrap_difference(*right(of_N), Groups(of_N.astype(str)))
        hits += low <= truth <= high
    assert hits / draws > 0.95 - 2 * np.sqrt(0.95 * 0.05 / draws)


def test_files_carry_groups(tmp_path):
    scores = people(np.random.default_rng(8), 5, 12, 0.7)
    scores.save(tmp_path / "a.npz")
    assert ExitScores.load(tmp_path / "a.npz").groups_N.tolist() == scores.groups_N.tolist()
    table = scores.to_pandas().rename(columns={"group": "Person ID"})
    table.to_csv(tmp_path / "a.csv", index=False)
    assert len(load_scores(tmp_path / "a.csv", [1, 2, 4]).groups) == 5
    assert scores.select([0, 1, 13]).groups_N.tolist() == scores.groups_N[[0, 1, 13]].tolist()
    with pytest.raises(ScoresError, match="group has 3 videos|has 3 videos"):
        ExitScores(cost_E=[1], confidence_EN=np.zeros((1, 4)), groups_N=["a", "b", "c"])


def test_calibrate_takes_groups_from_scores_or_a_file_and_says_how_many(tmp_path):
    scores = people(np.random.default_rng(8), 8, 40, 0.7)
    named = dict(video_ids_N=[f"v{n}" for n in range(320)])
    own = ExitScores(
        cost_E=[1, 2, 4], confidence_EN=scores.confidence_EN, correct_EN=scores.correct_EN, **named
    )
    own.save(tmp_path / "a.npz")
    lines = [f"v{n},{group}" for n, group in enumerate(scores.groups_N)]
    (tmp_path / "people.csv").write_text("\n".join(["video_id,person", *lines]))
    by_file = calibrate(tmp_path / "a.npz", 2.5, groups=str(tmp_path / "people.csv"))
    by_scores = calibrate(scores, 2.5)
    assert by_file.exceeding == by_scores.exceeding != calibrate(tmp_path / "a.npz", 2.5).exceeding
    for found in (by_file, by_scores):
        assert any("320 videos are of 8 groups" in note and "so few" in note for note in found.notes)
