"""A study over several network families, with the real command on a miniature Something-Something v2."""

import csv

import pytest
import yaml

from dynsearch.plan import Plan, family_name
from tests.cli.miniature_study import DATA, QUICK, arguments, prepared
from tests.cli.runner import dynsearch, dynsearch_here
from tests.report.html.studies import data_of

SPACE = {
    "families": ["grid", "adafocus", "sfc", "tsn", "tsm"],
    "backbones": ["test_resnet"],
    "frames": [{"num_frames": 4, "num_sets": 4}],
    "image_sizes": [48],
    "frame_orders": ["sequential"],
    "exits": {"min_exits": 2, "max_exits": 2, "min_depth": 3, "max_depth": 5},
    "adafocus": {
        "global_backbones": ["test_byobnet"], "local_backbones": ["test_resnet"], "patch_sizes": [24],
        "patch_per": ["frame"], "policy_width": 16, "classifier_width": 16,
    },
    "sfc": {"num_frames": [8], "splits": [3], "time_ratios": [2], "temporal_shifts": ["bidirectional"]},
}  # fmt: skip
FAMILIES = ("adafocus", "sfc", "tsm")
ONE_EPOCH = ("--set", "training.epochs=1")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with the data, the space, and a finished study of three families."""
    folder = prepared(tmp_path_factory.mktemp("work"), SPACE)
    told = dynsearch(*arguments("--families", ",".join(FAMILIES), "--reader", "pyav", *ONE_EPOCH), cwd=folder)
    assert "leaked" not in told.err, "a worker that was killed left something of the system's behind"
    return folder


def test_every_family_was_trained_and_has_its_frontier(work):
    folder = work / "studies" / "sthv2"
    assert yaml.safe_load((folder / "study.yaml").read_text())["run"]["reader"] == "pyav"
    plans = [Plan.load(folder / "trials" / str(trial) / "plan.yaml") for trial in range(3)]
    assert tuple(map(family_name, plans)) == FAMILIES
    with (folder / "families.csv").open() as file:
        assert {row["family"] for row in csv.DictReader(file)} == set(FAMILIES)
    assert [path.name for path in (folder / "bases").glob("*/")] == [plans[1].options.base(plans[1]).plan_id]


def test_the_report_has_a_frontier_of_each_family(work):
    text = (work / "studies" / "sthv2" / "report.html").read_text()
    families = data_of(text)["families"]
    assert set(families) == set(FAMILIES)
    assert all(families.values())


def test_the_frontier_names_families(work):
    shown = dynsearch_here("frontier", "sthv2", cwd=work).out
    assert "Best of each family under 40" in shown
    assert {line.split()[0] for line in shown.splitlines() if line} >= set(FAMILIES)
    row = dynsearch_here("frontier", "sthv2", "--json", cwd=work).json["point"]
    assert row["family"] in FAMILIES


def test_any_family_becomes_a_bundle_that_runs(work):
    for trial, family in enumerate(FAMILIES[:2]):
        plan = work / "studies" / "sthv2" / "trials" / str(trial) / "plan.yaml"
        dynsearch_here(
            "train", plan, "--output", family, "--reader", "decord", *DATA, *QUICK, *ONE_EPOCH, cwd=work
        )
        assert "reader" not in yaml.safe_load((work / family / "recipe.yaml").read_text())
        measured = dynsearch_here(
            "evaluate", family, "--data-root", "data", "--json", "--reader", "pyav", cwd=work
        ).json
        assert measured["gflops"] <= measured["full_gflops"]
        assert 0 <= measured["top1"] <= 1


@pytest.mark.parametrize(
    ("families", "says"),
    [
        (
            "grid,forest",
            "families.1: there is no network family 'forest'. Known: grid, adafocus, sfc, tsn, tsm (got 'forest')",
        )
    ],
)
def test_families_that_do_not_exist(work, families, says):
    error = dynsearch_here(*arguments("--families", families), cwd=work, code=2).err
    assert says in error
    assert error.count("\n") == 1
