"""A family, solver, confidence measure, cost measure and data set from outside the package, in the real commands."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.cli.miniature import write_sthv2
from tests.cli.runner import dynsearch

TOYS = Path(__file__).parent / "toys"
FAMILY = Path(__file__).parents[1] / "families" / "toy_family.py"
FILES = ("toy_family.py", "toy_solver.py", "toy_confidence.py", "toy_cost.py", "toy_dataset.py")
PLUGINS = [argument for name in FILES for argument in ("--plugin", name)]
SPACE = {
    "families": ["toy"],
    "toy": {"widths": [4, 8]},
    "backbones": ["none"],
    "frames": [{"num_frames": 4, "num_sets": 4}],
    "image_sizes": [32],
    "frame_orders": ["sequential"],
    "exits": {"max_depth": 1},
}
RECIPE = {
    "dataset": "toy-numbers",
    "space": "space.yaml",
    "max_frames": 3,
    "solver": "toy-shares",
    "confidence": "toy-height",
    "strategy": "retrain",
    "num_trials": 2,
    "training": {"epochs": 2, "batch_size": 6, "pretrained": False},
    "run": {"num_workers": 1},
}
VIDEO = "data/20bn-something-something-v2/25.webm"


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with videos, the five files, and a study that names them in its recipe."""
    folder = tmp_path_factory.mktemp("toys")
    write_sthv2(folder / "data")
    for path in TOYS.glob("*.py"):
        shutil.copy(path, folder)
    registered = "\n\nfrom dynsearch import FAMILIES\n\nFAMILIES.register('toy', ToyFamily())\n"
    (folder / "toy_family.py").write_text(FAMILY.read_text() + registered)
    (folder / "space.yaml").write_text(yaml.safe_dump(SPACE))
    (folder / "toys.yaml").write_text(yaml.safe_dump(RECIPE | {"plugins": list(FILES)}))
    dynsearch("study", "--recipe", "toys.yaml", "--data-root", "data", "--quiet", cwd=folder)
    return folder


@pytest.fixture(scope="module")
def net(work):
    dynsearch("export", "toys", *PLUGINS, "--data-root", "data", "--output", "net", cwd=work)
    return work / "net"


def test_all_five_decide_what_the_study_finds(work):
    recorded = yaml.safe_load((work / "studies/toys/study.yaml").read_text())["recipe"]
    assert recorded["max_frames"] == 3
    assert recorded["plugins"] == list(FILES)
    with (work / "studies/toys/frontier.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["family"] for row in rows} == {"toy"}
    assert all(1 <= float(row["calibration_frames"]) <= 4 for row in rows)
    # 6 calibration videos: the mean of whole numbers of frames.
    assert all((6 * float(row["calibration_frames"])) % 1 == pytest.approx(0, abs=1e-9) for row in rows)


@pytest.mark.cluster
@pytest.mark.slow
def test_the_processes_of_a_ray_cluster_import_the_five_files_too(work):
    pytest.importorskip("ray", reason="needs ray: make install")
    dynsearch(
        "study",
        "--recipe",
        "toys.yaml",
        "--data-root",
        "data",
        "--quiet",
        "--name",
        "far",
        "--engine",
        "ray",
        cwd=work,
    )
    near, far = ((work / "studies" / name / "frontier.csv").read_text() for name in ("toys", "far"))
    assert far == near


def test_the_study_is_opened_only_with_what_it_names(work):
    told = dynsearch("frontier", "toys", cwd=work, code=2)
    assert "modules that are not imported: 'toy_family.py', " in told.err
    assert "--plugin toy_family.py" in told.err
    shown = dynsearch("frontier", "toys", *PLUGINS, "--json", cwd=work).json
    assert shown["max_frames"] == 3
    assert shown["point"]["calibration_frames"] <= 3


def test_its_bundle_is_evaluated_and_predicts(work, net):
    policy = yaml.safe_load((net / "policy.yaml").read_text())
    assert policy["confidence"] == "toy-height"
    assert yaml.safe_load((net / "recipe.yaml").read_text())["plugins"] == list(FILES)
    measured = dynsearch("evaluate", net, *PLUGINS, "--data-root", "data", "--json", cwd=work).json
    assert measured["num_videos"] == 12
    answer = json.loads(dynsearch("predict", net, VIDEO, *PLUGINS, "--json", cwd=work).out)
    assert answer["label"] in ("left", "right", "up")


def test_code_that_a_bundle_names_is_not_run(work, net):
    planted = net.parent / "planted"
    shutil.copytree(net, planted / "net", dirs_exist_ok=True)
    (planted / "toy_family.py").write_text("open('ran', 'w').close()")
    told = dynsearch("predict", "net", work / VIDEO, cwd=planted, code=2)
    assert "not imported" in told.err
    assert not (planted / "ran").exists()


def test_graphs_are_not_written_for_a_measure_they_can_not_compute(work, net):
    told = dynsearch("export", net, *PLUGINS, "--format", "onnx", cwd=work, code=2)
    assert "the confidence measure 'toy-height' is not dynsearch's own" in told.err


def test_a_wrong_name_is_refused_before_anything_is_trained(work):
    told = dynsearch(
        "study", "--recipe", "toys.yaml", "--data-root", "data", "--name", "other", "--set", "solver=toy",
        cwd=work, code=2,
    )  # fmt: skip
    assert "there is no threshold solver 'toy'" in told.err
    assert not (work / "studies/other").exists()
