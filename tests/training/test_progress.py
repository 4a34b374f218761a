"""What a training tells while it runs, and its TensorBoard curves."""

import json

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dynsearch.training.progress import StepReport, StepReporter
from dynsearch.training.run import train_and_score
from tests.training.fakes import ArraySource
from tests.training.test_training import CONFIG, PLAN


def curves(folder):
    """Return TensorBoard's own reading of a trial: by tag, (step, value)."""
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]
    }


def test_tensorboard_shows_the_epochs_of_the_metrics_file_also_after_an_interruption(tmp_path):
    def interrupt(report):
        if report.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_and_score(PLAN, ArraySource(), CONFIG, tmp_path, on_epoch=interrupt)
    train_and_score(PLAN, ArraySource(), CONFIG, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    shown = curves(tmp_path)
    assert set(shown) == {
        "training/loss", "training/top1", "training/learning_rate", "training/seconds",
    }  # fmt: skip
    for name in ("loss", "top1", "learning_rate"):
        expected = [(line["epoch"], pytest.approx(line[name], rel=1e-5)) for line in lines]
        assert shown[f"training/{name}"] == expected


def test_steps_are_told_from_the_first_epoch_to_the_last_score(tmp_path):
    told, epochs = [], []
    train_and_score(
        PLAN, ArraySource(), CONFIG, tmp_path, on_epoch=epochs.append, on_step=told.append
    )  # fmt: skip
    ends = [report for report in told if report.done == report.total]
    assert [(r.phase, r.epoch, r.total) for r in ends] == [
        ("training", 1, 36), ("training", 2, 36), ("training", 3, 36),
        ("scoring calibration", 0, 30), ("scoring test", 0, 33),
    ]  # fmt: skip
    assert [(r.loss, r.top1) for r in ends[:3]] == [(e.loss, e.top1) for e in epochs]
    assert all(0 < r.done <= r.total for r in told)


def test_fast_work_tells_little():
    told = []
    reporter = StepReporter(told.append, "training", 10_000, epoch=1, num_epochs=1)
    for done in range(1, 10_001):
        reporter.tell(done, 0.5, 0.5)
    assert told[-1] == StepReport("training", 1, 1, 10_000, 10_000, 0.5, 0.5)
    assert len(told) < 1000
