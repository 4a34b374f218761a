import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from dynsearch.cli.calibrate import calibrate
from dynsearch.errors import DynsearchError
from dynsearch.scores import ExitScores
from dynsearch.thresholds import SOLVERS, ExitPolicy, evaluate_policy
from tests.thresholds.tables import random_scores


@pytest.fixture
def files(tmp_path):
    scores = random_scores(0, num_videos=300)
    fit, new = tmp_path / "calibration.npz", tmp_path / "test.npz"
    scores.select(np.arange(150)).save(fit)
    scores.select(np.arange(150, 300)).save(new)
    return fit, new


def run(*arguments):
    return CliRunner().invoke(calibrate, [str(argument) for argument in arguments])


def refused(*arguments):
    """Return the message of a run that must end with exit code 2."""
    result = run(*arguments)
    if isinstance(result.exception, DynsearchError):
        assert result.exception.exit_code == 2
        assert "\n" not in str(result.exception)
        return str(result.exception)
    assert result.exit_code == 2
    return result.output


def test_json_holds_the_point_and_the_whole_frontier(files):
    result = run(files[0], "--max-gflops", 4, "--json")
    values = json.loads(result.stdout)
    assert set(values) == {"point", "frontier"}
    assert set(values["point"]) == {"thresholds", "top1", "gflops", "exit_share"}
    best = max((p for p in values["frontier"] if p["gflops"] <= 4), key=lambda p: p["top1"])
    assert values["point"] == best
    scores = ExitScores.load(files[0])
    for point in values["frontier"]:
        replay = evaluate_policy(ExitPolicy(tuple(point["thresholds"])), scores)
        assert (replay.top1, replay.gflops) == (point["top1"], point["gflops"])


def test_json_is_strict(files):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    json.loads(run(files[0], "--json").stdout, parse_constant=refuse)


def test_apply_measures_the_same_points_on_other_scores(files):
    values = json.loads(run(files[0], "--max-gflops", 4, "--apply", files[1], "--json").stdout)
    other = ExitScores.load(files[1])
    assert len(values["applied"]) == len(values["frontier"])
    for point, applied in zip(values["frontier"], values["applied"], strict=True):
        replay = evaluate_policy(ExitPolicy(tuple(point["thresholds"])), other)
        assert (applied["top1"], applied["gflops"]) == (replay.top1, replay.gflops)
        assert applied["top1_low"] <= applied["top1"] <= applied["top1_high"]
    assert values["applied_point"] == values["applied"][values["frontier"].index(values["point"])]


def test_table_marks_the_chosen_point(files):
    text = run(files[0], "--max-gflops", 4, "--apply", files[1]).stdout
    assert (
        len([line for line in text.splitlines() if line.lstrip().startswith("* ") and " 4" not in line[:6]])
        >= 1
    )
    assert "best point under 4 GFLOPs" in text
    assert "exit 3: T = -inf" in text
    assert "applied top-1 %" in text


def test_policy_csv_and_plot_are_written(files, tmp_path):
    policy, table, plot = tmp_path / "policy.yaml", tmp_path / "f.csv", tmp_path / "f.png"
    result = run(
        files[0], "--max-gflops", 4, "--apply", files[1], "--json",
        "--policy", policy, "--csv", table, "--plot", plot,
    )  # fmt: skip
    values = json.loads(result.stdout)
    assert list(ExitPolicy.load(policy).thresholds) == values["point"]["thresholds"]
    rows = list(csv.DictReader(table.open()))
    assert [float(row["top1"]) for row in rows] == [point["top1"] for point in values["frontier"]]
    assert [float(row["threshold_0"]) for row in rows] == [p["thresholds"][0] for p in values["frontier"]]
    assert [float(row["applied_top1"]) for row in rows] == [point["top1"] for point in values["applied"]]
    assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_can_be_named_and_is_in_the_help(files, solver):
    assert json.loads(run(files[0], "--solver", solver, "--json").stdout)["frontier"]
    assert solver in run("--help").stdout


def test_shared_videos_are_refused_unless_insisted_on(tmp_path):
    path = tmp_path / "s.npz"
    ExitScores(
        gmacs_E=[1, 2], confidence_EN=np.ones((2, 2)), correct_EN=np.ones((2, 2)), video_ids_N=["a", "b"]
    ).save(path)
    assert "2 of 2 videos are also in the calibration scores" in refused(path, "--apply", path)
    assert run(path, "--apply", path, "--allow-overlap", "--json").exit_code == 0


def test_scores_without_ids_get_a_note(files):
    assert "video_ids" in run(files[0], "--apply", files[1], "--json").stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--max-gflops", 0.001], "is below the cheapest point"),
        (["--max-gflops", "nan"], "must be a number"),
        (["--max-gflops", "many"], "'many' is not a valid float"),
        (["--solver", "best"], "no threshold solver 'best'. Known solvers: frontier"),
        (["--confidence", "margin"], "computed from logits"),
        (["--policy", "p.yaml"], "choose it with --max-gflops"),
        (["--plot", "p.xyz"], "can't draw into 'p.xyz'"),
        (["--apply", "missing.npz"], "missing.npz: there is no such file"),
    ],
)
def test_bad_usage_is_one_clear_message(files, arguments, message):
    assert message in refused(files[0], *arguments)


def test_a_missing_scores_file_is_named(tmp_path):
    assert "none.npz: there is no such file" in refused(tmp_path / "none.npz")


def test_scores_of_another_plan_are_refused(files, tmp_path):
    other = random_scores(1, num_videos=20)
    path = tmp_path / "other.npz"
    ExitScores(
        gmacs_E=other.gmacs_E, confidence_EN=other.confidence(), correct_EN=other.correct(), plan_id="q"
    ).save(path)
    assert "fitted for plan random, not q" in refused(files[0], "--apply", path)


def test_importing_the_command_loads_nothing_heavy():
    code = (
        "import sys, dynsearch.cli.calibrate;"
        "heavy = ('numpy', 'scipy', 'torch', 'matplotlib', 'optuna', 'pandas');"
        "print([m for m in heavy if m in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"
