import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.metrics import average_precision_score

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
    assert {"point", "frontier"} <= set(values)
    assert set(values["point"]) == {"thresholds", "top1", "gflops", "exit_share", "expected_top1"}
    best = max((p for p in values["frontier"] if p["gflops"] <= 4), key=lambda p: p["expected_top1"])
    assert values["point"] == best
    scores = ExitScores.load(files[0])
    for point in values["frontier"]:
        replay = evaluate_policy(ExitPolicy(tuple(point["thresholds"])), scores)
        assert (replay.top1, replay.cost) == (point["top1"], point["gflops"])


def test_json_is_strict(files):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    assert json.loads(run(files[0], "--json").stdout, parse_constant=refuse)["frontier"]


def test_apply_measures_the_same_points_on_other_scores(files):
    values = json.loads(run(files[0], "--max-gflops", 4, "--apply", files[1], "--json").stdout)
    other = ExitScores.load(files[1])
    assert len(values["applied"]) == len(values["frontier"])
    for point, applied in zip(values["frontier"], values["applied"], strict=True):
        replay = evaluate_policy(ExitPolicy(tuple(point["thresholds"])), other)
        assert (applied["top1"], applied["gflops"]) == (replay.top1, replay.cost)
        assert applied["top1_low"] <= applied["top1"] <= applied["top1_high"]
        assert applied["gflops_low"] <= applied["gflops"] <= applied["gflops_high"]
    assert values["applied_point"] == values["applied"][values["frontier"].index(values["point"])]


def test_table_marks_the_chosen_point(files):
    text = run(files[0], "--max-gflops", 4, "--apply", files[1]).stdout
    assert (
        len([line for line in text.splitlines() if line.lstrip().startswith("* ") and " 4" not in line[:6]])
        >= 1
    )
    assert "best point under 4 GFLOPs" in text
    assert "exit 4: T = always" in text
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


def test_the_grid_of_the_geometric_schedule_and_what_ties_do(tmp_path):
    path = tmp_path / "ties.npz"
    ExitScores(
        cost_E=[1, 3],
        confidence_EN=[[0.9, 0.9, 0.9, 0.1], [1, 1, 1, 1]],
        correct_EN=[[1, 1, 0, 0], [1, 1, 1, 1]],
    ).save(path)
    costs = {}
    for more in ([], ["--stop-at-ties"]):
        values = json.loads(run(path, "--solver", "geometric", "--qs", "1", "--json", *more).stdout)
        costs[bool(more)] = [point["gflops"] for point in values["frontier"]]
    assert costs == {False: [3.0], True: [1.5]}
    values = json.loads(run(path, "--solver", "geometric", "--qs", "0.1:1.9:3", "--json").stdout)
    assert values["frontier"]


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_optuna_takes_a_sampler_and_trials_and_prints_no_trial(files, sampler):
    command = [sys.executable, "-m", "dynsearch", "calibrate", files[0], "--solver", "optuna"]
    result = subprocess.run(
        [*command, "--sampler", sampler, "--trials", "12", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert 1 <= len(json.loads(result.stdout)["frontier"]) <= 12
    assert result.stderr == ""


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_can_be_named_and_is_in_the_help(files, solver):
    more = ["--max-drop", 0.1] if solver == "risk" else []
    assert json.loads(run(files[0], "--solver", solver, "--json", *more).stdout)["frontier"]
    assert solver in run("--help").stdout


def test_shared_videos_are_refused_unless_insisted_on(tmp_path):
    path = tmp_path / "s.npz"
    ExitScores(
        cost_E=[1, 2], confidence_EN=np.ones((2, 2)), correct_EN=np.ones((2, 2)), video_ids_N=["a", "b"]
    ).save(path)
    assert "2 of 2 videos are also in the calibration scores" in refused(path, "--apply", path)
    assert run(path, "--apply", path, "--allow-overlap", "--json").exit_code == 0


def test_scores_without_ids_get_a_note(files):
    assert "video_ids" in run(files[0], "--apply", files[1], "--json").stderr


def test_cross_fitted_estimates_stand_beside_every_point(files):
    values = json.loads(run(files[0], "--cross-fit", "--json").stdout)
    assert [e["max_gflops"] for e in values["cross_fitted"]] == [p["gflops"] for p in values["frontier"]]
    for estimate in values["cross_fitted"]:
        assert estimate["top1_low"] <= estimate["top1"] <= estimate["top1_high"]
        assert estimate["gflops_low"] <= estimate["gflops"] <= estimate["gflops_high"]
        assert sum(estimate["exit_share"]) == pytest.approx(1)
    assert "cross-fitted top-1 %" in run(files[0], "--cross-fit").stdout


def test_safe_leaves_a_margin_and_says_the_chance(files):
    plain, safe = (
        json.loads(run(files[0], "--max-gflops", 4, "--json", *more).stdout)
        for more in ([], ["--safe", "--delta", 0.05])
    )
    assert safe["point"]["gflops"] < plain["point"]["gflops"]
    assert safe["chance_of_exceeding_budget"] <= 0.05 < plain["chance_of_exceeding_budget"]


def test_risk_promises_accuracy_and_chooses_the_cheapest_point(files):
    result = run(files[0], "--solver", "risk", "--max-drop", 0.1, "--delta", 0.2, "--json")
    values = json.loads(result.stdout)
    assert values["point"] == values["frontier"][0]
    message = refused(files[0], "--solver", "risk", "--max-drop", 0.001)
    assert "at least 4741 calibration videos" in message


def test_a_promise_that_only_the_full_network_keeps_says_what_more_videos_would_do(tmp_path):
    path = tmp_path / "useless-first-exit.npz"
    ExitScores(
        cost_E=[1, 2],
        confidence_EN=np.random.default_rng(0).random((2, 200)),
        correct_EN=np.stack([np.zeros(200), np.ones(200)]),
    ).save(path)
    result = run(path, "--solver", "risk", "--max-drop", 0.018, "--json")
    assert json.loads(result.stdout)["point"]["exit_share"] == [0.0, 1.0]
    assert "200 videos show this promise of the full network only" in result.stderr


def test_risk_promises_cost(files):
    values = json.loads(run(files[0], "--solver", "risk", "--max-gflops", 4, "--json").stdout)
    assert values["point"]["gflops"] < 4


def test_temperatures_are_reported_before_and_after(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    logits = 6 * (rng.normal(size=(2, 300, 3)) + 1.5 * np.eye(3)[labels])  # far too sure
    path = tmp_path / "logits.npz"
    ExitScores.from_logits(logits, labels, [1.0, 2.0]).save(path)
    for exit_report in json.loads(run(path, "--temperatures", "--json").stdout)["temperatures"]:
        assert exit_report["temperature"] > 2
        assert exit_report["nll_after"] < exit_report["nll_before"]
        assert exit_report["ece_after"] < exit_report["ece_before"]
    assert "temperature" in run(path, "--temperatures").stdout


def test_several_labels_a_video_are_reported_as_map(tmp_path):
    rng = np.random.default_rng(0)
    labels = (rng.random((200, 4)) < 0.4).astype(np.uint8)
    labels[:, 0] |= labels.sum(axis=1) == 0
    logits = rng.normal(size=(2, 200, 4)) + np.array([1.0, 3.0])[:, None, None] * labels
    path, new = tmp_path / "many.npz", tmp_path / "new.npz"
    scores = ExitScores.from_logits(logits, labels, [1.0, 2.0])
    scores.select(np.arange(100)).save(path)
    scores.select(np.arange(100, 200)).save(new)
    arguments = (path, "--max-gflops", 1.5, "--apply", new)
    values = json.loads(run(*arguments, "--json").stdout)
    assert 0.4 < values["applied_map"] < 1
    assert "--confidence max-sigmoid" in run(path, "--json").stderr
    shown = f"mAP on the calibration scores: {100 * values['point_map']:.2f}%, ranked by sigmoid"
    assert shown in run(*arguments).stdout


@pytest.mark.parametrize("spelled", ["option", "file", "probabilities"])
def test_map_ranks_what_the_loss_trained_as_scikit_learn_does(tmp_path, spelled):
    rng = np.random.default_rng(0)
    labels = (rng.random((200, 6)) < 0.3).astype(np.uint8)
    labels[:, 0] |= labels.sum(axis=1) == 0
    logits = rng.normal(size=(2, 200, 6)) + 2.0 * labels + 3 * rng.normal(size=(2, 200, 1))
    softmax = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    path, options = tmp_path / "many.npz", []
    if spelled == "probabilities":
        np.savez(path, logits=softmax, labels=labels, gmacs=[1.0, 2.0])
        options = ["--probabilities"]
    else:
        ExitScores.from_logits(logits, labels, [1.0, 2.0]).save(path)
        options = ["--activation", "softmax"]
        if spelled == "file":
            with np.load(path) as arrays:
                np.savez(path, **arrays, activation="softmax")
            options = []
    values = json.loads(run(path, *options, "--max-gflops", 1.5, "--json").stdout)
    first = softmax[0].max(axis=1) > values["point"]["thresholds"][0]
    assert first.mean() == pytest.approx(values["point"]["exit_share"][0])
    ranked = np.where(first[:, None], softmax[0], softmax[1])
    assert values["point_map"] == pytest.approx(average_precision_score(labels, ranked), abs=1e-6)
    assert values["map_ranks"] == "softmax"
    assert values["notes"] == []
    command = (path, *options, "--max-gflops", 1.5, "--activation", "sigmoid", "--json")
    same = spelled == "probabilities"  # as probabilities they are ranked as they are, whatever made them
    ranked_alike = json.loads(run(*command).stdout)["point_map"] == pytest.approx(
        values["point_map"], abs=1e-3
    )
    assert ranked_alike == same


def test_every_exit_alone_is_in_the_table_and_every_q_in_the_json(files):
    path, test = files
    scores, other = ExitScores.load(path), ExitScores.load(test)
    command = (path, "--apply", test, "--solver", "geometric", "--rule", "msdnet")
    values = json.loads(run(*command, "--json").stdout)
    for k, always in enumerate(values["always"]):
        assert always["exit"] == k
        assert always["top1"] == pytest.approx(scores.correct()[k].mean())
        assert always["gflops"] == pytest.approx(scores.cost_E[k])
        assert always["applied"]["top1"] == pytest.approx(other.correct()[k].mean())
    assert [point["q"] for point in values["schedule"]] == [p / 20 for p in range(1, 40)]
    assert all("applied" in point for point in values["schedule"])
    points = {point["q"]: point["thresholds"] for point in values["schedule"]}
    assert all(points[point["q"]] == point["thresholds"] for point in values["frontier"])
    last = run(*command).stdout.splitlines()[-1]
    assert last.split()[:4] == [
        "full",
        "network",
        f"{scores.cost_E[-1]:.4g}",
        f"{100 * scores.correct()[-1].mean():.2f}",
    ]


def test_confidence_auto_says_what_it_chose(files):
    values = json.loads(run(files[0], "--confidence", "auto", "--json").stdout)
    assert values["confidence"]["chosen"] == "max-softmax"
    assert "confidence max-softmax" in run(files[0], "--confidence", "auto").stdout


def test_drift_is_reported_and_rematched(files, tmp_path):
    scores = ExitScores.load(files[1])
    shifted = ExitScores(cost_E=scores.cost_E, confidence_EN=scores.confidence() * 0.8)
    new, policy = tmp_path / "new.npz", tmp_path / "policy.yaml"
    shifted.save(new)
    result = run(files[0], "--max-gflops", 4, "--check", new, "--rematch", new, "--policy", policy, "--json")
    values = json.loads(result.stdout)
    assert values["drift"]["moved"]
    assert values["drift"]["gflops"] > values["point"]["gflops"]
    assert list(ExitPolicy.load(policy).thresholds) == values["rematched"]["thresholds"]
    costs = scores.cost_E[ExitPolicy.load(policy).first_exit(shifted.confidence())]
    assert costs.mean() == pytest.approx(values["point"]["gflops"], rel=0.03)
    text = run(files[0], "--max-gflops", 4, "--check", new, "--rematch", new).stdout
    assert "moved beyond chance" in text
    assert "restore the stop rates" in text
    assert "do not tell accuracy" in text


def test_some_labels_of_new_videos_test_accuracy(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=600)
    logits = rng.normal(size=(2, 600, 3)) + 3 * np.eye(3)[labels] * [[[0.7]], [[1.0]]]
    ids = [f"v{n}" for n in range(600)]
    for name, rows in (("old", slice(0, 400)), ("new", slice(400, 600))):
        known = labels[rows] if name == "old" else None
        ExitScores.from_logits(logits[:, rows], known, [1.0, 4.0], video_ids=ids[rows]).save(
            tmp_path / f"{name}.npz"
        )
    for name, wrong in (("same", 0), ("other", 1)):
        rows = [f"v{n},{(labels[n] + wrong) % 3}" for n in range(400, 460)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["video_id,label", *rows]))
    asked = (tmp_path / "old.npz", "--max-gflops", 3, "--check", tmp_path / "new.npz", "--labels")
    assert "60 labelled ones: as expected" in run(*asked, tmp_path / "same.csv").stdout
    assert "other than expected beyond chance" in run(*asked, tmp_path / "other.csv").stdout
    (tmp_path / "none.csv").write_text("video_id,label\nw1,0\n")
    assert "not among the scores" in refused(*asked, tmp_path / "none.csv")


def test_classes_most_hurt_come_first(tmp_path):
    scores = random_scores(0, num_videos=100)
    path = tmp_path / "labelled.npz"
    ExitScores(
        cost_E=scores.cost_E,
        confidence_EN=scores.confidence(),
        correct_EN=scores.correct(),
        labels_N=np.arange(100) % 5,
    ).save(path)
    classes = json.loads(run(path, "--max-gflops", 4, "--by-class", "--json").stdout)["classes"]
    assert [c["drop"] for c in classes] == sorted((c["drop"] for c in classes), reverse=True)
    assert "classes that early exits hurt most" in run(path, "--max-gflops", 4, "--by-class").stdout


def test_other_groups_come_from_a_file_or_a_column(files, tmp_path):
    scores = ExitScores.load(files[0])
    named = tmp_path / "named.npz"
    ids = [f"v{i}" for i in range(scores.num_videos)]
    ExitScores(
        cost_E=scores.cost_E,
        confidence_EN=scores.confidence(),
        correct_EN=scores.correct(),
        video_ids_N=ids,
    ).save(named)
    groups = tmp_path / "groups.csv"
    groups.write_text(
        "video_id,group\n" + "".join(f"{name},{'night' if name > 'v5' else 'day'}\n" for name in ids)
    )
    values = json.loads(run(named, "--max-gflops", 4, "--by", groups, "--json").stdout)
    assert {view["group"] for view in values["groups"]} == {"day", "night"}
    assert "groups that early exits hurt most:" in run(named, "--max-gflops", 4, "--by", groups).stdout
    table = tmp_path / "own.csv"
    table.write_text("confidence_0,correct_0,confidence_1,correct_1,camera\n0.9,1,0.8,1,a\n0.2,0,0.7,1,b\n")
    values = json.loads(run(table, "--gmacs", "1,3", "--max-gflops", 3, "--by", "camera", "--json").stdout)
    assert [view["group"] for view in values["groups"]] == ["a", "b"]


def test_other_costs_in_the_applied_file_are_noted(files, tmp_path):
    scores = ExitScores.load(files[1])
    path = tmp_path / "dear.npz"
    ExitScores(cost_E=2 * scores.cost_E, confidence_EN=scores.confidence(), correct_EN=scores.correct()).save(
        path
    )
    assert "costs differ" in run(files[0], "--apply", path, "--json").stderr


def test_unlabelled_scores_are_named(files, tmp_path):
    scores = ExitScores.load(files[0])
    path = tmp_path / "unlabelled.npz"
    ExitScores(cost_E=scores.cost_E, confidence_EN=scores.confidence()).save(path)
    assert "unlabelled.npz: unlabelled, so there is no accuracy" in refused(path)
    assert "unlabelled.npz: unlabelled, so there is no accuracy" in refused(files[0], "--apply", path)


def test_a_table_needs_costs_beside_it(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("confidence_0,correct_0,confidence_1,correct_1\n0.9,1,0.8,1\n0.2,0,0.7,1\n")
    values = json.loads(run(path, "--gmacs", "1,3", "--json").stdout)
    assert [(p["gflops"], p["top1"]) for p in values["frontier"]] == [(1.0, 0.5), (2.0, 1.0), (3.0, 1.0)]
    assert "a table has no costs" in refused(path)
    assert "must be numbers such as" in refused(path, "--gmacs", "1;3")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--safe"], "--safe is about one point"),
        (["--check", "new.npz"], "--check is about one point"),
        (["--max-drop", 0.1], "Add --solver risk"),
        (["--qs", "1,2"], "Add --solver geometric"),
        (["--stop-at-ties"], "Add --solver geometric"),
        (["--sampler", "tpe"], "Add --solver optuna"),
        (["--trials", 5], "Add --solver optuna"),
        (["--solver", "optuna", "--sampler", "cma"], "'cma' is not one of 'tpe', 'nsga2'"),
        (["--solver", "optuna", "--trials", 0], "num_trials must be at least 1"),
        (["--solver", "geometric", "--qs", "1:2"], "a grid must be numbers"),
        (["--solver", "geometric", "--qs", "1:2:0"], "a grid must be numbers"),
        (["--solver", "geometric", "--qs", "a"], "a grid must be numbers"),
        (["--solver", "geometric", "--qs", "inf"], "a grid must hold finite numbers"),
        (["--solver", "geometric", "--qs", "-1"], "must be positive"),
        (["--by", "camera"], "--by is about one point"),
        (["--max-gflops", 4, "--by", "camera"], "has no column 'camera'"),
        (["--max-gflops", 4, "--by", "none.csv"], "none.csv"),
        (["--max-gflops", 4, "--by", "camera", "--by-class"], "ask for one"),
        (["--delta", 0.1], "--delta is for"),
        (["--max-gflops", 4, "--safe", "--solver", "risk"], "leave out --safe"),
        (["--temperatures"], "need logits and one label"),
        (["--max-gflops", 4, "--by-class"], "need one label for each video"),
        (["--max-gflops", 0.001], "is below the cheapest point"),
        (["--max-gflops", "nan"], "must be a number"),
        (["--max-gflops", "many"], "above zero, got 'many'"),
        (["--solver", "best"], "there is no threshold solver 'best'. Known: frontier"),
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
        cost_E=other.cost_E, confidence_EN=other.confidence(), correct_EN=other.correct(), plan_id="q"
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
