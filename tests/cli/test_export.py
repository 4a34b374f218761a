"""``dynsearch export`` of a bundle: graph files beside it, and mistakes."""

import json

import pytest

from tests.cli.runner import dynsearch_here as dynsearch
from tests.export.bundles import toy_bundle
from tests.plans import small_plan


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


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("net",), "net is a bundle already; give --format onnx or torch-export"),
        (("net", "--format", "onnx", "--max-gflops", "1"), "a bundle has its thresholds"),
        (("sthv2",), "Give --output"),
        (("nowhere", "--output", "x"), "there is no study 'nowhere'"),
    ],
)
def test_mistakes(bundle, arguments, says):
    assert says in dynsearch("export", *arguments, cwd=bundle.parent, code=2).err
