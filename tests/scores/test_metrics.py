import numpy as np
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score, top_k_accuracy_score

from dynsearch.errors import ScoresError
from dynsearch.scores import ExitScores
from dynsearch.scores.accuracy import mean_average_precision
from dynsearch.scores.metrics import METRICS, measure


def several(seed=0, num_videos=200, num_classes=12):
    rng = np.random.default_rng(seed)
    labels = (rng.random((num_videos, num_classes)) < 0.15).astype(np.uint8)
    labels[np.arange(num_videos), rng.integers(0, num_classes, num_videos)] = 1
    logits = (rng.normal(size=(2, num_videos, num_classes)) + labels).astype(np.float32)
    return ExitScores.from_logits(logits, labels, [1.0, 2.0])


@pytest.mark.parametrize("decimals", [1, 7])
def test_map_is_scikit_learns_with_and_without_ties(decimals):
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, size=(300, 20))
    scores = np.round(rng.normal(size=labels.shape) + 0.5 * labels, decimals)

    assert mean_average_precision(scores, labels) == pytest.approx(
        average_precision_score(labels, scores, average="macro"), abs=1e-12
    )


def test_metrics_of_one_label_are_scikit_learns():
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 7, size=150)
    logits = rng.normal(size=(150, 7)) + 1.5 * np.eye(7)[labels]

    assert METRICS["top5"](logits, labels) == pytest.approx(top_k_accuracy_score(labels, logits, k=5))
    assert METRICS["mean_class"](logits, labels) == pytest.approx(
        balanced_accuracy_score(labels, logits.argmax(axis=1))
    )
    assert METRICS["top5"](logits[:, :3], labels % 3) == 1.0


def test_a_policys_map_mixes_the_exits_where_videos_stop():
    scores = several()
    exit_N = np.arange(200) % 2
    mixed = np.where(exit_N[:, None] == 0, scores.logits_ENK[0], scores.logits_ENK[1])

    assert measure("map", scores, exit_N) == pytest.approx(
        average_precision_score(scores.labels_N, mixed, average="macro")
    )
    hits = [scores.labels_N[n, row.argmax()] for n, row in enumerate(mixed)]
    assert measure("top1", scores, exit_N) == pytest.approx(np.mean(hits))


def test_metrics_of_another_form_of_labels_are_refused():
    one = ExitScores.from_logits(np.zeros((1, 3, 2)), np.array([0, 1, 0]), [1.0])
    zeros = np.zeros(3, dtype=int)

    with pytest.raises(ScoresError, match=r"mAP needs logits and labels of the form \(videos, classes\)"):
        measure("map", one, zeros)
    with pytest.raises(ScoresError, match="top-5 is for one label a video"):
        measure("top5", several(num_videos=3), zeros)
    with pytest.raises(ScoresError, match=r"top-1 needs logits and labels of the form \(videos\)"):
        measure("top1", one.reduced(), zeros)
