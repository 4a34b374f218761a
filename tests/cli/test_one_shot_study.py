"""``dynsearch study`` as it is by default, one-shot, on a miniature Something-Something v2 in real processes."""

import csv

import optuna
import pytest
import yaml

from dynsearch.export.budgets import Budgets
from dynsearch.training.made import facts_in
from tests.cli.miniature_study import DATA, QUICK, SPACE, prepared
from tests.cli.runner import dynsearch


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("work"))


def study(folder, *more):
    return dynsearch("study", *DATA, "--retrain", "3", "--space", "space.yaml", *QUICK, *more, cwd=folder)


def test_the_default_trains_once_screens_and_retrains(work):
    out = study(work).out
    assert "one-shot network for test_resnet, 4 frames of 48 px, linear heads: 2 epochs" in out
    assert "on 6 calibration videos: 0.0 MB" in out
    assert "are trained alone" in out
    with (work / "studies/sthv2/frontier.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert all(0 <= float(row["predicted_top1"]) <= 1 for row in rows if row["weights"] == "alone")
    storage = f"sqlite:///{work}/studies/sthv2/study.db"
    assert set(optuna.get_all_study_names(storage)) == {"sthv2", "sthv2/screening"}
    recipe = yaml.safe_load((work / "studies/sthv2/study.yaml").read_text())["recipe"]
    assert (recipe["strategy"], recipe["one_shot"]["retrain"]) == ("one-shot", 3)
    printed = dynsearch("frontier", "sthv2", "--json", cwd=work).json
    assert "one_shot_kendall_tau" in printed
    again = study(work).out
    assert "epochs" not in again


def test_one_bundle_serves_every_budget(work):
    """With the one-shot network's weights for all; measured anew it keeps what was said of it."""
    with (work / "studies/sthv2/frontier.csv").open() as file:
        assert {row["weights"] for row in csv.DictReader(file)} <= {"shared", "alone"}
    out = dynsearch("export", "sthv2", "--output", "net", "--all-budgets", cwd=work).out
    assert "net/budgets.safetensors: " in out.splitlines()[-1]
    assert "points of" in out.splitlines()[-1]
    videos = sorted(map(str, (work / "data/20bn-something-something-v2").glob("*.webm")))[:3]
    some = dynsearch("predict", "net", *videos, "--max-gflops", "40", "--json", cwd=work).out
    assert some == dynsearch("predict", "net", *videos, "--json", cwd=work).out
    cheapest = Budgets.load(work / "net/budgets.safetensors").points[0]
    two = ("--max-gflops", f"{cheapest.cost}", "--max-gflops", "40")
    low, high = dynsearch("evaluate", "net", *two, "--json", cwd=work).json
    assert low["gflops"] <= high["gflops"]
    assert low["gflops"] == pytest.approx(cheapest.test_cost)
    assert low["top1"] == pytest.approx(cheapest.test_top1)
    printed = dynsearch("evaluate", "net", *two, "--quiet", cwd=work).out
    assert printed.splitlines()[-1].split()[0] == "40"
    error = dynsearch("predict", "net", *videos, "--max-gflops", "1e-6", cwd=work, code=2).err
    assert "max_gflops=1e-06 is below the cheapest point" in error


def test_two_processes_train_the_network_and_score_its_orders(work):
    """On the local engine; the same command again finds all of it there."""
    arguments = (
        "--workers-per-trial",
        "2",
        "--retrain",
        "1",
        "--name",
        "two",
        "--set",
        "training.batch_size=3",
    )
    out = study(work, *arguments).out
    assert "one-shot network for test_resnet, 4 frames of 48 px, linear heads: 2 epochs" in out
    (network,) = (work / "studies/two/one-shot").glob("*/weights.safetensors")
    trained = work / "studies/two/trials"
    assert {facts_in(file)["processes"] for file in (network, *trained.glob("*/weights.safetensors"))} == {2}
    assert len(list(network.parent.glob("grids/*/grid.json"))) == 2
    with (work / "studies/two/frontier.csv").open() as file:
        assert next(csv.DictReader(file))["weights"] in ("shared", "alone")
    again = study(work, *arguments).out
    assert "epochs" not in again


def test_without_shared_plans_there_is_nothing_to_export_for_all(work):
    study(work, "--retrain", "1", "--set", "one_shot.shared=0", "--name", "alone")
    error = dynsearch("export", "alone", "--output", "other", "--all-budgets", cwd=work, code=2).err
    assert "no plan of it has the weights of a one-shot network" in error
    assert "--all-budgets all" in error
    dynsearch("export", "alone", "--output", "other", "--all-budgets", "all", cwd=work)
    assert (work / "other/budgets.safetensors").is_file()
    dynsearch("export", "alone", "--output", "other", cwd=work)
    assert not (work / "other/budgets.safetensors").exists()


def test_a_wrong_setting_is_named(work):
    for setting, says in (
        ("one_shot.cells_per_step=0", "one_shot.cells_per_step"),
        ("one_shot.colour=1", "one_shot.colour"),
    ):
        arguments = ("study", *DATA, "--space", "space.yaml", *QUICK, "--set", setting)
        assert says in dynsearch(*arguments, cwd=work, code=2).err


def test_a_backbone_that_there_is_not_is_named_before_anything_is_trained(work):
    (work / "other.yaml").write_text(yaml.safe_dump(SPACE | {"backbones": ["test_resnet", "test_resnot"]}))
    arguments = ("study", *DATA, "--space", "other.yaml", *QUICK, "--name", "other")
    error = dynsearch(*arguments, cwd=work, code=2).err
    assert "timm has no model 'test_resnot'" in error
    assert not (work / "studies" / "other").exists(), "something of it is left"


def test_a_budget_below_every_plan_leaves_nothing_behind(work):
    arguments = ("study", *DATA, "--space", "space.yaml", *QUICK, "--name", "cheap", "--max-gflops", "0.0001")
    error = dynsearch(*arguments, cwd=work, code=2).err
    assert "max_gflops=0.0001 is below the cheapest point" in error
    assert not (work / "studies" / "cheap").exists(), "something of it is left"
