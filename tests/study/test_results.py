import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, top_k_accuracy_score

from dynsearch.frontier import merge
from dynsearch.plan import ExitPlacement, FrameOrder, Plan
from dynsearch.study.results import StudyResults
from tests.search.toy import ToyEvaluator


def test_rows_have_the_data_sets_metrics_on_test():
    plan = Plan("test_resnet", 4, FrameOrder.named("paper", 4), ExitPlacement.of("1x3", "4x5"), 48)
    scores = {0: tuple(ToyEvaluator.draw(plan, split) for split in ("calibration", "test"))}
    results = StudyResults({0: plan}, scores, merge(scores), {}, 0, metrics=("top5", "mean_class"))

    test = scores[0][1]
    for row, point in zip(results.rows(), results.points, strict=True):
        policy = point.calibration.policy
        exit_N = policy.first_exit(policy.confidence_of(test))
        logits = test.logits_ENK[exit_N, np.arange(test.num_videos)]
        k = min(5, logits.shape[1])
        expected = 1.0 if k == logits.shape[1] else top_k_accuracy_score(test.labels_N, logits, k=k)
        assert row["test_top5"] == pytest.approx(expected)
        assert row["test_mean_class"] == pytest.approx(
            balanced_accuracy_score(test.labels_N, logits.argmax(axis=1))
        )
        assert row["test_top1"] == pytest.approx((logits.argmax(axis=1) == test.labels_N).mean())


def test_without_further_metrics_rows_are_the_contracts():
    plan = Plan("test_resnet", 4, FrameOrder.named("paper", 4), ExitPlacement.of("1x3", "4x5"), 48)
    scores = {0: tuple(ToyEvaluator.draw(plan, split) for split in ("calibration", "test"))}
    columns = list(StudyResults({0: plan}, scores, merge(scores), {}, 0).rows()[0])
    assert columns[-3:] == ["test_top1_high", "expected_top1", "doubtful"]
