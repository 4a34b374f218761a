"""``dynsearch export`` of a bundle: graph files beside it, and mistakes."""

import json

import pytest

from dynsearch.export import Bundle
from dynsearch.frontier import solve_thresholds
from tests.cli.runner import dynsearch_here as dynsearch
from tests.export.bundles import toy_bundle
from tests.plans import small_plan
from tests.search.toy import ToyEvaluator

PLAN = small_plan(image_size=48)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return toy_bundle(tmp_path_factory.mktemp("export") / "net", small_plan("4x4", image_size=48)).folder


def test_a_bundle_becomes_graph_files_beside_it(bundle):
    result = dynsearch("export", "net", "--format", "torch-export", cwd=bundle.parent)
    assert "net/torch-export: 1 graphs" in result.out
    names = {path.name for path in (bundle / "torch-export").iterdir()}
    assert names == {"step0.pt2", "network.json", "run.py"}
    facts = json.loads((bundle / "torch-export" / "network.json").read_text())
    assert facts["labels"] == (bundle / "labels.txt").read_text().splitlines()
    assert [step["exit"] for step in facts["steps"]] == ["4x4"]


def test_a_bundle_with_its_scores_is_written_at_another_budget(tmp_path):
    """With the thresholds that its scores give under it, and the same weights."""
    bundle = toy_bundle(tmp_path / "net", PLAN)
    scores = {split: ToyEvaluator.draw(PLAN, split) for split in ("calibration", "test")}
    for split, own in scores.items():
        own.save(bundle.folder / f"scores-{split}.npz")
    curve = solve_thresholds(scores["calibration"])
    wanted = curve[len(curve) // 2]
    arguments = ("export", "net", "--max-gflops", str(wanted.cost), "--output", "other")
    told = dynsearch(*arguments, cwd=tmp_path).out
    other = Bundle.load(tmp_path / "other")
    assert other.policy.thresholds == wanted.policy.thresholds
    assert other.weights.read_bytes() == bundle.weights.read_bytes()
    assert other.recipe.budget == wanted.cost
    assert f"top-1 {100 * wanted.evaluate(scores['test']).top1:.1f}%" in told
    assert dynsearch(*arguments, cwd=tmp_path).out == told
    error = dynsearch("export", "net", "--max-gflops", "1e-9", "--output", "third", cwd=tmp_path, code=2).err
    assert "below the cheapest point" in error
    assert not (tmp_path / "third").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("net",),
            "net is a bundle already; give --max-gflops and --output, or --format onnx or torch-export",
        ),
        (("net", "--max-gflops", "1"), "Give --output, the folder of the bundle at that budget"),
        (("net", "--max-gflops", "1", "--output", "x"), "no exit scores that tell others"),
        (("net", "--max-ms", "1", "--output", "x"), "The budget of this bundle is in GFLOPs"),
        (("net", "--all-budgets"), "--all-budgets takes the plans of a study; a bundle has one"),
        (("sthv2",), "Give --output"),
        (("nowhere", "--output", "x"), "there is no study 'nowhere'"),
    ],
)
def test_mistakes(bundle, arguments, says):
    assert says in dynsearch("export", *arguments, cwd=bundle.parent, code=2).err
