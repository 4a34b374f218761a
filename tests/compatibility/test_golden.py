"""What version 0.1.0 wrote is what this version writes, and opens and goes on with."""

import csv
import json
import shutil

import numpy as np
import pytest

import dynsearch
from dynsearch.api.study import Study
from dynsearch.frontier import merge
from dynsearch.scores import ExitScores
from tests.compatibility import golden

LATER_COLUMNS = {"chosen", "expected_top1", "doubtful"}
"""Columns of ``frontier.csv`` that came later."""
CROSS_FITTED = "predicted_top1"
"""A column that the solver of then made otherwise."""


def rows(path):
    """Return the rows of a CSV file as texts, without columns that came later."""
    with path.open(newline="") as file:
        return [
            {k: v for k, v in row.items() if k not in LATER_COLUMNS | {CROSS_FITTED}}
            for row in csv.DictReader(file)
        ]


@pytest.fixture(autouse=True)
def _no_tables_of_times(tmp_path, monkeypatch):
    """Where the user has some of these backbones, results have a column more."""
    monkeypatch.setenv("DYNSEARCH_HOME", str(tmp_path))


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    golden.prepare(folder)
    return folder


def test_plans_and_costs_are_those_of_before():
    before = json.loads((golden.HERE / "plans.json").read_text())
    plans = golden.shipped_plans()
    assert plans.keys() >= before.keys()
    for name, facts in before.items():
        plan, table = plans[name], dynsearch.cost_table(plans[name], golden.NUM_CLASSES)
        assert (plan.plan_id, plan.to_dict()) == (facts["plan_id"], facts["plan"]), name
        assert table.parameters == facts["parameters"], name
        assert list(golden.costs_of(table)) == facts["gmacs"], name


@pytest.mark.slow
@pytest.mark.parametrize("name", golden.STUDIES)
def test_a_study_gives_the_same_files_to_the_last_digit(work, name):
    if golden.cpu() != (golden.HERE / "cpu.txt").read_text().strip():
        pytest.skip("the golden files were written on another kind of processor, which rounds otherwise")
    golden.run_study(name, work)
    before, now = golden.HERE / "studies" / name, work / "studies" / name
    for path in sorted(before.rglob("*.csv")):
        assert rows(now / path.relative_to(before)) == rows(path), path.name
    for path in sorted(before.rglob("*.npz")):
        old, new = ExitScores.load(path), ExitScores.load(now / path.relative_to(before))
        assert np.array_equal(old.logits_ENK, new.logits_ENK), path
        assert old.plan_id == new.plan_id


@pytest.fixture
def old_study(work):
    """The study that 0.1.0 began, where the command finds it."""
    folder = work / "studies" / "resume"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(golden.HERE / "resume", folder)
    return folder


def test_an_old_study_opens(work, old_study):
    golden.run("frontier", "resume", cwd=work)
    now = Study.open("resume", root=work / "studies").results
    before = merge(now.scores, smoothing=0)  # points were chosen by counted top-1 alone
    assert [
        tuple(float(row[name]) for name in ("calibration_top1", "calibration_gflops", "test_top1"))
        for row in rows(golden.HERE / "resume" / "frontier.csv")
    ] == [(point.calibration.top1, point.calibration.cost, point.test.top1) for point in before]
    old, new = (rows(path / "frontier.csv") for path in (golden.HERE / "resume", old_study))
    assert old[0].keys() == new[0].keys()
    assert {row["plan_id"] for row in new} <= {row["plan_id"] for row in old}
    golden.run("report", "resume", cwd=work)
    assert (old_study / "report.html").is_file()


@pytest.mark.slow
def test_an_old_study_goes_on(work, old_study):
    told = golden.run(
        "study", *golden.DATA, *golden.QUICK, *golden.RESUMED, "--trials", "3", "--name", "resume", cwd=work
    )
    assert "trial 2" in told
    assert "trial 0" not in told.partition("Frontier of")[0]
    assert (old_study / "trials" / "2" / "weights.safetensors").is_file()
    assert not (old_study / "trials" / "0" / "weights.safetensors").exists(), "it was trained a second time"


def test_an_old_bundle_runs(work):
    video = work / "data" / "20bn-something-something-v2" / "1.webm"
    told = golden.run("predict", golden.HERE / "bundle", video, "--json", cwd=work)
    answer = json.loads(told)
    assert answer["label"] in (golden.HERE / "bundle" / "labels.txt").read_text().splitlines()
    assert answer["gflops"] > 0
    measured = json.loads(
        golden.run("evaluate", golden.HERE / "bundle", "--data-root", "data", "--json", cwd=work)
    )
    points = rows(golden.HERE / "resume" / "frontier.csv")
    assert any(abs(measured["top1"] - float(row["test_top1"])) < 1e-9 for row in points)
