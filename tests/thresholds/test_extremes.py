"""Scores at the edge of what there is: one video, one class, one exit, twelve exits, a quarter of a million videos."""

import math
import subprocess
import sys

import numpy as np
import pytest

from dynsearch.errors import InputError
from dynsearch.frontier import solve_thresholds
from dynsearch.scores import ExitScores
from dynsearch.scores.confidence import CONFIDENCE_MEASURES
from dynsearch.scores.stop_rule import PATIENCE
from dynsearch.thresholds import SOLVERS, ExitPolicy, evaluate_policy
from tests.thresholds.tables import random_scores

TESTS = ("dynsearch.thresholds.operating_point",)


def replayed(curve, scores):
    """Check that every point is a replay of its own policy, and say how many points there are."""
    for point in curve:
        assert evaluate_policy(point.policy, scores) == point
        assert math.isfinite(point.cost)
        assert 0 <= point.top1 <= 1
    return len(curve)


@pytest.mark.reliability("Numbers", "one exit; one video")
@pytest.mark.parametrize("solver", sorted(SOLVERS))
@pytest.mark.parametrize(("num_exits", "num_videos"), [(1, 1), (1, 40), (4, 1), (4, 2)])
def test_the_smallest_scores_are_solved_or_refused_in_one_line(solver, num_exits, num_videos):
    scores = random_scores(3, num_exits=num_exits, num_videos=num_videos)
    if solver == "risk":
        with pytest.raises(InputError, match="calibration videos"):
            solve_thresholds(scores, solver)
    else:
        assert replayed(solve_thresholds(scores, solver), scores) >= 1


@pytest.mark.reliability(
    "Numbers", "one class", happens="every exit is right and equally sure: the first one is taken"
)
@pytest.mark.parametrize("measure", [*CONFIDENCE_MEASURES, PATIENCE])
def test_one_class_takes_the_first_exit(measure):
    logits = np.random.default_rng(0).normal(size=(3, 20, 1))
    scores = ExitScores.from_logits(logits, np.zeros(20, dtype=int), [1.0, 2.0, 3.0])
    assert np.isfinite(scores.confidence(measure)).all()
    curve = solve_thresholds(scores, confidence=measure)
    assert (curve[0].cost, {point.top1 for point in curve}) == (1.0, {1.0})


@pytest.mark.reliability(
    "Numbers", "logits that are all equal, or as large as float32 holds", happens="confidences stay finite"
)
@pytest.mark.parametrize("value", [0.0, 3e38, -3e38, 1e-40])
def test_extreme_logits_have_finite_confidences(value):
    logits = np.full((3, 12, 5), value, dtype=np.float32)
    logits[:, ::2, 1] = -value
    scores = ExitScores.from_logits(logits, np.arange(12) % 5, [1.0, 2.0, 3.0])
    for measure in [*CONFIDENCE_MEASURES, PATIENCE]:
        assert np.isfinite(scores.confidence(measure)).all()
        replayed(solve_thresholds(scores, confidence=measure), scores)


@pytest.mark.reliability(
    "Numbers", "twelve exits", happens="are solved; every single exit is on or under the frontier"
)
@pytest.mark.parametrize("solver", ["frontier", "geometric", "shared", "target-accuracy"])
def test_twelve_exits(solver):
    scores = random_scores(5, num_exits=12, num_videos=400)
    curve = solve_thresholds(scores, solver)
    assert replayed(curve, scores) > 1
    if solver == "frontier":
        for exit_index in range(12):
            thresholds = [math.inf] * exit_index + [-math.inf] * (12 - exit_index)
            alone = evaluate_policy(ExitPolicy(tuple(thresholds)), scores)
            assert any(p.cost <= alone.cost and p.top1 >= alone.top1 for p in curve)


@pytest.mark.slow
@pytest.mark.reliability("Numbers", "250,000 videos", happens="their frontier is solved in less than 2 GB")
def test_a_quarter_of_a_million_videos():
    program = (
        "import resource, time\nfrom dynsearch.frontier import solve_thresholds\n"
        "from tests.thresholds.tables import random_scores\n"
        "scores = random_scores(0, num_exits=5, num_videos=250_000)\n"
        "start = time.process_time(); curve = solve_thresholds(scores)\n"
        "assert all(point.num_videos == 250_000 and point.evaluate(scores) == point for point in curve[::20])\n"
        "print(len(curve), time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    points, seconds, megabytes = map(float, done.stdout.split())
    print(f"{points:.0f} points, CPU {seconds:.1f} s, peak {megabytes:.0f} MB")
    assert points > 20
    assert megabytes < 2000
