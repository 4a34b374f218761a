"""Milliseconds through the commands: a study under them, and what is asked of it afterwards; tables made by hand."""

import csv

import numpy as np
import optuna
import pytest
import yaml

import dynsearch
from dynsearch.errors import InputError, StudyError
from dynsearch.export import Bundle
from dynsearch.families import cost_table
from dynsearch.plan import Plan
from dynsearch.scores import ExitScores
from dynsearch.study.folder import StudyFolder
from dynsearch.thresholds import ExitPolicy, evaluate_policy
from dynsearch.timing.tables import _FOUND, TABLES
from tests.cli.miniature_study import QUICK, arguments, prepared
from tests.cli.runner import dynsearch_here
from tests.timing.made import table

TIMES = {
    "frames": [1, 2, 4],
    "stages": [[1.5, 2.5, 4.5], [1, 2, 4], [2, 3, 5], [1, 1.5, 2.5], [1, 2, 4]],
    "p95": [],
    "heads": [(0.25, 0.25)] * 5,
    "last_heads": [(0.25, 0.25)] * 5,
    "read": [0.0] * 5,
    "kept": [0.125] * 5,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a study under 14 ms and so many GFLOPs, and a data home with the table that it took."""
    folder = prepared(tmp_path_factory.mktemp("ms"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DYNSEARCH_HOME", str(folder / "home"))
        _FOUND.clear()
        plan = Plan("test_resnet", 4, "sequential", "4x5", num_sets=4, image_size=48)
        table(plan, **TIMES).save(folder / "home" / TABLES)
        given = [*arguments("--name", "s", "--max-ms", "14", "--trials", "2")]
        i = given.index("--max-gflops")
        given[i + 1] = "0.02"
        yield folder, dynsearch_here(*given, cwd=folder)
    _FOUND.clear()


@pytest.fixture(autouse=True)
def home(request, monkeypatch):
    if "made" in request.fixturenames:
        monkeypatch.setenv("DYNSEARCH_HOME", str(request.getfixturevalue("made")[0] / "home"))
    _FOUND.clear()


def rows(folder, name):
    with (folder / "studies" / "s" / name).open() as file:
        return list(csv.DictReader(file))


def truth(folder, row, study="s"):
    """Of a row of the frontier: where its test videos stop, by its thresholds, and the plan."""
    trial = StudyFolder(folder / "studies" / study).trial(int(row["trial"]))
    plan = Plan.load(trial / "plan.yaml")
    test = ExitScores.load(trial / "scores-test.npz")
    logits = test.logits_ENK - test.logits_ENK.max(axis=2, keepdims=True)
    sure_EN = 1 / np.exp(logits).sum(axis=2)
    cuts = [float(cut) for cut in row["thresholds"].split()]
    exits = [next((k for k, cut in enumerate(cuts) if sure[k] > cut), len(cuts)) for sure in sure_EN.T]
    return plan, test.logits_ENK.shape[2], np.bincount(exits, minlength=len(plan.exits)) / len(exits)


def test_a_study_keeps_milliseconds_and_gflops_together(made):
    folder, _ = made
    recipe = StudyFolder(folder / "studies" / "s").recipe()
    assert (recipe.measure.name, recipe.budget, recipe.limits) == ("ms", 14, {"max_gflops": 0.02})
    found = rows(folder, "frontier.csv")
    for row in found:
        plan, num_classes, share = truth(folder, row)
        ms = float(share @ table(plan, **TIMES).cost_E(plan, num_classes))
        counted = float(share @ np.array(cost_table(plan, num_classes).cost_E))
        assert float(row["test_ms"]) == pytest.approx(ms, rel=1e-3)
        assert float(row["test_gflops"]) == pytest.approx(counted, rel=1e-3)
    carried = list((folder / "studies" / "s" / TABLES).glob("*.json"))
    assert [path.name for path in carried] == [
        path.name for path in (folder / "home" / TABLES).glob("*.json")
    ]


def test_a_finished_study_is_asked_in_another_measure(made):
    folder, _ = made
    before = (folder / "studies" / "s" / "frontier.csv").read_bytes()
    said = dynsearch_here("frontier", "s", "--measure", "gflops", "--json", cwd=folder).json
    found = rows(folder, "frontier-gflops.csv")
    assert [row["calibration_gflops"] for row in found] == sorted(
        (row["calibration_gflops"] for row in found), key=float
    )
    assert said["max_gflops"] == pytest.approx(float(found[-1]["calibration_gflops"]))
    for row in found:
        plan, num_classes, share = truth(folder, row)
        assert float(row["test_gflops"]) == pytest.approx(
            share @ np.array(cost_table(plan, num_classes).cost_E), rel=1e-3
        )
    assert (folder / "studies" / "s" / "frontier.csv").read_bytes() == before
    both = dynsearch_here("frontier", "s", "--max-ms", 12, "--max-gflops", 0.015, "--json", cwd=folder).json
    assert both["max_ms"] == 12
    assert both["point"]["calibration_ms"] <= 12
    for row in both["frontier"]:
        plan, num_classes, _ = truth(folder, row)
        calibration = ExitScores.load(
            folder / "studies" / "s" / "trials" / str(row["trial"]) / "scores-calibration.npz"
        )
        point = evaluate_policy(ExitPolicy((*map(float, row["thresholds"].split()), -np.inf)), calibration)
        assert np.dot(point.exit_share, cost_table(plan, num_classes).cost_E) <= 0.015 * (1 + 1e-9)
    assert (folder / "studies" / "s" / "frontier-within.csv").is_file()


def test_a_one_shot_study_is_seen_whole(made):
    """Searched, shared, trained alone, reported and shown by milliseconds, with GFLOPs beside them."""
    folder, _ = made
    given = list(arguments("--name", "o", "--max-ms", "14", "--retrain", "1", "--set", "one_shot.shared=2"))
    for gone in ("--strategy", "--max-gflops"):
        del given[given.index(gone) : given.index(gone) + 2]
    out = dynsearch_here(*given, cwd=folder).out
    assert "under 14 ms" in out
    study = StudyFolder(folder / "studies" / "o")
    with (study.path / "frontier.csv").open() as file:
        found = list(csv.DictReader(file))
    assert "shared" in {row["weights"] for row in found}
    for row in found:
        plan, num_classes, share = truth(folder, row, "o")
        assert float(row["test_ms"]) == pytest.approx(
            share @ table(plan, **TIMES).cost_E(plan, num_classes), rel=1e-3
        )
        assert float(row["test_gflops"]) == pytest.approx(
            share @ cost_table(plan, num_classes).cost_E, rel=1e-3
        )
    storage = f"sqlite:///{study.path}/study.db"
    for name in ("o", "o/screening"):
        record = optuna.load_study(study_name=name, storage=storage)
        assert record.metric_names == ["top1", "ms"]
        assert all(0 < trial.values[1] <= 14 * (1 + 1e-9) for trial in record.best_trials)
    assert "ms per video" in (study.path / "report.html").read_text()
    dynsearch_here("export", "o", "--output", "every", "--all-budgets", cwd=folder)
    loaded, least = dynsearch.load(folder / "every"), min(float(row["calibration_ms"]) for row in found)
    switched = loaded.at(max_ms=least * 1.001)
    plan, num_classes = switched.bundle.plan, len(switched.bundle.class_names)
    assert switched.network.cost_E == pytest.approx(table(plan, **TIMES).cost_E(plan, num_classes))
    with pytest.raises(InputError, match="costs here are in ms"):
        loaded.at(max_gflops=0.01)
    given = [
        "evaluate",
        "every",
        "--data-root",
        "data",
        "--json",
        "--quiet",
        "--max-ms",
        least * 1.001,
        "--max-ms",
        14,
    ]
    points = dynsearch_here(*given, cwd=folder).json
    cheap, dear = points if isinstance(points, list) else points["budgets"]
    assert cheap["ms"] <= dear["ms"]


def test_python_asks_the_same(made, tmp_path, monkeypatch):
    """A study in milliseconds is gone on with, costed anew and exported; the command says the same."""
    folder, _ = made
    monkeypatch.chdir(folder)
    words = dict(word.split("=") for word in QUICK[1::2])
    settings = {"space": "space.yaml", "strategy": "retrain", "num_trials": 2}
    settings |= {name: yaml.safe_load(value) for name, value in words.items()}
    again = {"data_root": "data", "progress": False, "settings": settings, "name": "s"}
    study = dynsearch.run_study("sthv2", 0.02, max_ms=14, **again)
    assert study.to_pandas().equals(dynsearch.Study.open("s").to_pandas())
    with pytest.raises(StudyError, match="max_ms"):
        dynsearch.run_study("sthv2", 0.02, max_ms=13, **again)
    assert study.best_under() == study.best_under(14) == study.best_under(max_ms=14)
    for budgets in (
        {"max_ms": 12, "max_gflops": 0.015},
        {"max_gflops": 0.015},
        {"max_ms": 12, "max_p95_ms": 13},
    ):
        typed = [word for name, value in budgets.items() for word in (f"--{name.replace('_', '-')}", value)]
        said = dynsearch_here("frontier", "s", *typed, "--json", cwd=folder).json["point"]
        point = study.best_under(**budgets)
        name = point.measure.name
        assert (point.key, point.calibration.cost) == (said["trial"], said[f"calibration_{name}"])
        bundle = study.export(tmp_path / "-".join(budgets), **budgets)
        assert (bundle.recipe.measure.name, bundle.recipe.budget) == (name, next(iter(budgets.values())))
        assert bundle.promised().cost == point.test.cost
    with pytest.raises(InputError, match="max_ms and budget are one"):
        study.best_under(14, max_ms=14)


@pytest.mark.reliability(
    "Numbers",
    "a budget of milliseconds below the fastest exit",
    happens="is refused with exit code 2",
    sees="`max_ms=... is below the cheapest point, ... ms per video`",
)
def test_a_budget_below_the_fastest_exit_is_named(made):
    folder, _ = made
    for command in (["frontier", "s"], ["export", "s", "--output", "out"]):
        done = dynsearch_here(*command, "--max-ms", 0.5, cwd=folder, code=2)
        assert "max_ms=0.5 is below the cheapest point, " in done.err
        assert "ms per video" in done.err
    given = list(arguments("--name", "new", "--max-ms", "0.5"))
    given[given.index("--max-gflops") : given.index("--max-gflops") + 2] = []
    done = dynsearch_here(*given, cwd=folder, code=2)
    assert "max_ms=0.5 is below the cheapest point, 4.75 ms per video" in done.err
    assert not (folder / "studies" / "new").exists()


def test_a_bundle_brings_its_table_with_it(made, tmp_path, monkeypatch):
    folder, _ = made
    dynsearch_here("export", "s", "--max-ms", 14, "--output", tmp_path / "net", cwd=folder)
    monkeypatch.setenv("DYNSEARCH_HOME", str(tmp_path / "nothing"))
    _FOUND.clear()
    found = dynsearch_here(
        "evaluate", tmp_path / "net", "--data-root", "data", "--json", "--quiet", cwd=folder
    ).json
    plan, num_classes = (
        Plan.load(tmp_path / "net" / "plan.yaml"),
        len(Bundle.load(tmp_path / "net").class_names),
    )
    assert found["exit_costs"] == pytest.approx(table(plan, **TIMES).cost_E(plan, num_classes))
    assert found["ms"] == pytest.approx(np.dot(found["exit_share"], found["exit_costs"]))
    latency, shares = found["latency"], np.cumsum(found["exit_share"])
    by_table, promised = latency["rows"]["table"], latency["rows"]["promised"]
    assert by_table["mean"] == pytest.approx(found["ms"]) == promised["mean"], (
        "the same videos, the same exits"
    )
    for name, part in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        assert by_table[name] == found["exit_costs"][np.argmax(shares >= part - 1e-9)]
    measured = latency["rows"]["measured"]
    assert 0 < measured["p50"] <= measured["p95"] <= measured["p99"]
    assert latency["num_videos"] == found["num_videos"]
    assert latency["budgets"] == {"max_ms": 14, "max_gflops": 0.02}
    given = ["evaluate", tmp_path / "net", "--data-root", "data", "--quiet"]
    said = dynsearch_here(*given, cwd=folder).out
    assert "1 thread" in said
    assert "1 video at a time" in said
    assert "promised, of the bundle's own test videos" in said
    assert "asked for: max_ms=14, max_gflops=0.02" in said
    assert "--budget or --max-ms" in dynsearch_here(*given, "--max-gflops", 1, cwd=folder, code=2).err
    path = tmp_path / "net" / "promise.json"
    path.write_text(path.read_text().replace('"exit_share"', '"exits"'))
    assert "promise.json" in dynsearch_here(*given, cwd=folder, code=2).err


def test_scores_are_calibrated_in_milliseconds_by_the_plan_beside_them(made, tmp_path):
    folder, _ = made
    trial = folder / "studies" / "s" / "trials" / rows(folder, "frontier.csv")[0]["trial"]
    plan, scores = Plan.load(trial / "plan.yaml"), ExitScores.load(trial / "scores-calibration.npz")
    num_classes = scores.logits_ENK.shape[2]
    counted = np.array(cost_table(plan, num_classes).cost_E)
    bare = ExitScores.from_logits(scores.logits_ENK, scores.labels_N, counted, plan_id=plan.plan_id)
    bare.save(tmp_path / "c.npz")
    lacking = dynsearch_here("calibrate", tmp_path / "c.npz", "--max-ms", 14, cwd=folder, code=2)
    assert "no plan.yaml beside it" in lacking.err
    plan.save(tmp_path / "plan.yaml")
    times = np.array(table(plan, **TIMES).cost_E(plan, num_classes))
    longest, most = float(times[-1]), float(counted[0] + counted[-1]) / 2
    given = ["calibrate", tmp_path / "c.npz", "--json", "--max-ms", longest]
    point = dynsearch_here(*given, cwd=folder).json["point"]
    assert point["ms"] == pytest.approx(np.dot(point["exit_share"], times))
    both = dynsearch_here(*given, "--max-gflops", most, cwd=folder).json["point"]
    assert np.dot(both["exit_share"], counted) <= most * (1 + 1e-9)
    p95 = dynsearch_here(*given, "--max-p95-ms", float(times[-2]), cwd=folder).json["point"]
    assert p95["exit_share"][-1] <= 0.05
    wrong = dynsearch_here(*given, "--plan", "joint-resnet50", cwd=folder, code=2)
    assert plan.plan_id in wrong.err
    alone = ["calibrate", tmp_path / "c.npz", "--device", "cpu"]
    assert "--max-ms" in dynsearch_here(*alone, cwd=folder, code=2).err
