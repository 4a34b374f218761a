"""A trial's threshold frontier is solved once; whatever its file holds, what comes back is what solving finds."""

import numpy as np
import pytest

from dynsearch.errors import InputError
from dynsearch.frontier import solve_thresholds
from dynsearch.frontier.choose_confidence import choose_confidence
from dynsearch.scores import ExitScores
from dynsearch.study import saved_frontiers
from dynsearch.study.saved_frontiers import FILE, solved_once
from dynsearch.thresholds import SOLVERS
from tests.mutations import NUMBER, changed_bytes
from tests.thresholds.tables import random_scores


@pytest.fixture
def solved(monkeypatch):
    """The scores that were really solved."""
    asked = []

    def solve(scores, solver, confidence, **options):
        asked.append(scores)
        return solve_thresholds(scores, solver, confidence=confidence, **options)

    monkeypatch.setattr(saved_frontiers, "solve_thresholds", solve)
    return asked


def random_logits(seed, *, num_videos=40, several_labels=False):
    rng = np.random.default_rng(seed)
    labels = rng.random((num_videos, 5)) < 0.3 if several_labels else rng.integers(0, 5, num_videos)
    hot = labels if several_labels else np.eye(5)[labels]
    logits = rng.normal(size=(3, num_videos, 5)) + np.array([1, 2, 3])[:, None, None] * hot
    return ExitScores.from_logits(logits.astype(np.float32), labels, np.array([1.0, 2.0, 4.0]), plan_id="p")


@pytest.mark.parametrize("solver", sorted(SOLVERS))
def test_a_second_look_finds_the_same_points_without_solving(tmp_path, solved, solver):
    many = {"num_videos": 700}  # fewer can't show what `risk` promises
    kinds = (
        random_scores(0, **many),
        random_scores(1, levels=3, nan_share=0.1, **many),
        random_logits(2, **many),
    )
    for seed, scores in enumerate(kinds):
        folder = tmp_path / str(seed)
        first, second = (solved_once(folder, scores, solver) for _ in range(2))
        assert list(first) == list(second) == list(solve_thresholds(scores, solver))
        assert len(solved) == seed + 1
        scores.save(folder / "scores.npz")
        assert list(solved_once(folder, ExitScores.load(folder / "scores.npz"), solver)) == list(first)
        assert len(solved) == seed + 1


def test_videos_with_several_labels(tmp_path, solved):
    scores = random_logits(0, several_labels=True)
    first, second = (solved_once(tmp_path, scores, "frontier") for _ in range(2))
    assert list(first) == list(second)
    assert (first[0].policy.confidence, len(solved)) == ("max-sigmoid", 1)


def test_other_scores_solvers_and_versions_are_solved_anew(tmp_path, solved, monkeypatch):
    scores = random_scores(0)
    solved_once(tmp_path, scores, "frontier")
    changes = (
        (random_scores(1), "frontier"),
        (scores, "geometric"),
        (scores.select(np.arange(20)), "frontier"),
        (ExitScores(cost_E=2 * scores.cost_E, confidence_EN=scores.confidence(), correct_EN=scores.correct(),
                    plan_id="random"), "frontier"),
        (ExitScores(cost_E=scores.cost_E, confidence_EN=scores.confidence(), correct_EN=~scores.correct(),
                    plan_id="random"), "frontier"),
    )  # fmt: skip
    for count, (other, solver) in enumerate(changes, start=2):
        assert list(solved_once(tmp_path, other, solver)) == list(solve_thresholds(other, solver))
        assert len(solved) == count
    monkeypatch.setattr(saved_frontiers, "_VERSION", 0)
    solved_once(tmp_path, *changes[-1])
    assert len(solved) == 7


@pytest.mark.reliability(
    "Files",
    "a trial's saved threshold frontier changed at any byte",
    happens="is solved anew from the trial's scores; it is never taken at its word",
)
def test_damaged_files_are_solved_anew(tmp_path):
    scores = random_scores(0)
    expected = list(solved_once(tmp_path, scores, "shared"))
    path = tmp_path / FILE
    whole = path.read_bytes()
    for content in changed_bytes(whole, 61, NUMBER):
        path.write_bytes(content)
        assert list(solved_once(tmp_path, scores, "shared")) == expected
        assert path.read_bytes() in (content, whole)


def test_what_can_not_be_written_is_solved_every_time(tmp_path, solved):
    scores = random_scores(0)
    (tmp_path / FILE).mkdir()
    first, second = (solved_once(tmp_path, scores, "frontier") for _ in range(2))
    assert list(first) == list(second)
    assert len(solved) == 2


def test_bad_input_is_refused_as_by_the_solver(tmp_path):
    with pytest.raises(InputError, match="no threshold solver 'best'"):
        solved_once(tmp_path, random_scores(0), "best")
    assert list(tmp_path.iterdir()) == []


def test_options_the_best_measure_and_what_is_expected_are_kept(tmp_path, solved):
    scores = random_logits(3, num_videos=120)
    kept = solved_once(tmp_path, scores, "frontier", "margin", {"max_bins": 16})
    again = solved_once(tmp_path, scores, "frontier", "margin", {"max_bins": 16})
    assert [point.expected for point in again] == [point.expected for point in kept]
    assert (again[0].policy.confidence, len(solved)) == ("margin", 1)
    solved_once(tmp_path, scores, "frontier", "margin", {"max_bins": 32})
    assert len(solved) == 2
    assert (
        solved_once(tmp_path, scores, "shared", "auto")[0].policy.confidence == choose_confidence(scores)[0]
    )
