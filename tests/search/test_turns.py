"""Studies over several network families, with a toy evaluator."""

import csv

import pytest
from optuna.trial import FixedTrial

from dynsearch.frontier import merge
from dynsearch.plan import family_name
from dynsearch.study.folder import StudyFolder
from dynsearch.study.frontier_files import write_frontier
from dynsearch.study.record import finished, plan_of
from dynsearch.study.results import best_rows, read_results
from tests.families.test_spaces import FAMILIES, SPACE
from tests.search.toy import recipe, run, summary

SETTINGS = {"num_trials": 10, "max_gflops": 0.05, "solver": "geometric"}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    path = tmp_path_factory.mktemp("s") / "families"
    return run(path, space=SPACE, **SETTINGS)[0], StudyFolder(path)


def test_families_take_turns(study):
    families = [family_name(SPACE.sample(FixedTrial(trial.params))) for trial in study[0].get_trials()[:10]]
    assert families == FAMILIES * 2
    assert {trial.user_attrs["family"] for trial in finished(study[0])} == set(FAMILIES)


def test_run_again_it_lines_up_what_is_new_only(study, tmp_path):
    before = summary(study[0])
    run(study[1].path, space=SPACE, **SETTINGS)
    assert summary(study[0]) == before
    run(tmp_path / "families", space=SPACE, **(SETTINGS | {"num_trials": 5}))
    longer, _ = run(tmp_path / "families", space=SPACE, **SETTINGS)
    assert summary(longer)[:5] == before[:5]
    assert len(finished(longer)) == 10


def test_each_family_has_a_frontier_of_its_own(study):
    results = read_results(*study, solver="geometric")
    parts = results.families
    assert set(parts) == set(FAMILIES)
    for name, part in parts.items():
        assert {family_name(plan) for plan in part.plans.values()} == {name}
        assert part.points == merge(part.scores, solver="geometric")
        assert {row["family"] for row in part.rows()} == {name}
    assert sum(len(part.plans) for part in parts.values()) == len(finished(study[0]))
    # The common frontier holds nothing that is not on its own family's.
    for point in results.points:
        assert point in parts[family_name(results.plans[point.key])].points


def test_the_files_and_the_best_of_each(study):
    results = read_results(*study, solver="geometric")
    write_frontier(study[1], recipe(**SETTINGS), results)
    with (study[1].path / "families.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["family"] for row in rows] == sorted((r["family"] for r in rows), key=FAMILIES.index)
    assert (study[1].path / "families.png").read_bytes().startswith(b"\x89PNG")
    parts = results.families
    for row in best_rows(parts, 0.02):
        inside = [p for p in parts[row["family"]].points if p.calibration.cost <= 0.02]
        assert row["calibration_top1"] == max(p.calibration.top1 for p in inside)
    assert best_rows(parts, 1e-9) == []


def test_a_grid_study_has_no_family_files(tmp_path):
    study, _ = run(tmp_path / "s", solver="geometric", num_trials=3)
    folder = StudyFolder(tmp_path / "s")
    write_frontier(folder, recipe(), read_results(study, folder, solver="geometric"))
    assert (folder.path / "frontier.csv").is_file()
    assert not (folder.path / "families.csv").exists()
    assert all(plan_of(trial).family == "grid" for trial in finished(study))
