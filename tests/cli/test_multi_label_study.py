"""The whole circle on a miniature ActivityNet, whose videos have several labels."""

import csv

import numpy as np
import pytest
import torch
import yaml
from sklearn.metrics import average_precision_score

import dynsearch as dynsearch_package
from dynsearch.scores import ExitScores
from tests.cli.runner import dynsearch
from tests.data.layouts.several import write_activitynet

SPACE = {
    "backbones": ["test_resnet"],
    "frames": [{"num_frames": 4, "num_sets": 4}],
    "image_sizes": [48],
    "frame_orders": ["sequential"],
    "exits": {"min_exits": 2, "max_exits": 3, "min_depth": 3, "max_depth": 5},
}
SETTINGS = (
    "training.epochs=2", "training.batch_size=6", "training.pretrained=false", "training.num_workers=0",
    "training.learning_rate=0.05", "calibration_fraction=0.25",
)  # fmt: skip


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with the data and a finished study called ``anet``."""
    folder = tmp_path_factory.mktemp("work")
    write_activitynet(folder / "data")
    (folder / "space.yaml").write_text(yaml.safe_dump(SPACE))
    dynsearch(
        "study", "--recipe", "sthv2", "--dataset", "activitynet", "--data-root", "data", "--name", "anet",
        "--max-gflops", "40", "--strategy", "retrain", "--trials", "2", "--space", "space.yaml",
        *(part for setting in SETTINGS for part in ("--set", setting)), cwd=folder,
    )  # fmt: skip
    return folder


def stops(scores, thresholds):
    """Where each video stops by its largest sigmoid, written out."""
    sure_EN = 1 / (1 + np.exp(-scores.logits_ENK.max(axis=2).astype(np.float64)))
    limits = [*thresholds, -np.inf]
    return np.array([next(k for k, limit in enumerate(limits) if sure_E[k] > limit) for sure_E in sure_EN.T])


def test_frontier_csv_has_the_surrogate_and_scikit_learns_map(work):
    with (work / "studies/anet/frontier.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        thresholds = [float(value) for value in row["thresholds"].split()]
        for split in ("calibration", "test"):
            scores = ExitScores.load(work / f"studies/anet/trials/{row['trial']}/scores-{split}.npz")
            assert scores.labels_N.shape[1] == 3
            exit_N = stops(scores, thresholds)
            logits = scores.logits_ENK[exit_N, range(len(exit_N))]
            present = scores.labels_N.any(axis=0)
            assert float(row[f"{split}_map"]) == pytest.approx(
                average_precision_score(scores.labels_N[:, present], logits[:, present], average="macro")
            )
            hits = scores.labels_N[range(len(exit_N)), logits.argmax(axis=1)]
            assert float(row[f"{split}_top1"]) == pytest.approx(hits.mean())
            assert float(row[f"{split}_gflops"]) == pytest.approx(scores.cost_E[exit_N].mean())


def test_dynamic_inference_of_the_bundle_has_the_same_map(work):
    chosen = dynsearch("frontier", "anet", "--json", cwd=work).json["point"]
    dynsearch("export", "anet", "--output", "bundle", "--data-root", "data", cwd=work)
    measured = dynsearch("evaluate", "bundle", "--data-root", "data", "--json", cwd=work).json
    assert measured["metrics"]["map"] == pytest.approx(chosen["test_map"], abs=1e-6)
    assert measured["top1"] == pytest.approx(chosen["test_top1"])
    assert measured["gflops"] == pytest.approx(chosen["test_gflops"])
    loaded = dynsearch_package.load(work / "bundle")
    answer = loaded.describe(torch.tensor([0.5, -1.0, -2.0]), 0)
    assert [round(p, 4) for _, p in answer.top5] == [0.6225, 0.2689, 0.1192]  # sigmoids
    assert yaml.safe_load((work / "bundle/policy.yaml").read_text())["confidence"] == "max-sigmoid"
