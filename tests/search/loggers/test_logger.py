"""Experiment trackers, each with its own real library writing to local files."""

import pytest

from dynsearch.errors import InputError
from dynsearch.search.loggers import LOGGERS, open_loggers
from dynsearch.thresholds import ExitPolicy, OperatingPoint
from dynsearch.training.loop import EpochReport
from tests.plans import small_plan
from tests.search.toy import recipe

TESTS = ("dynsearch.search.loggers",)

PLAN = small_plan()
POINT = OperatingPoint(ExitPolicy((0.5, 0.5, float("-inf"))), 0.75, 0.02, (0.5, 0.25, 0.25), 40)


def report(epoch):
    return EpochReport(epoch=epoch, loss=1 / epoch, top1=epoch / 10, learning_rate=0.1, seconds=2.0)


def a_study_in_two_sessions(name):
    """Trial 0 finishes; trial 1 is stopped after its first epoch, goes on in a second session, and fails."""
    (logger,) = open_loggers([name, name], "demo", recipe())
    logger.started(0, PLAN)
    logger.started(1, PLAN)
    for epoch in (1, 2):
        logger.epoch(0, report(epoch))
    logger.epoch(1, report(1))
    logger.ended(0, POINT, None)
    logger.close()
    (logger,) = open_loggers([name], "demo", recipe())
    logger.started(1, PLAN)
    logger.epoch(1, report(2))
    logger.ended(1, None, "out of memory")
    logger.ended(7, None, "never begun")
    logger.close()


@pytest.mark.slow
def test_mlflow_has_one_run_a_trial(tmp_path, monkeypatch):
    pytest.importorskip("mlflow", reason="needs mlflow: .venv/bin/python -m pip install mlflow-skinny")
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'runs.db'}")
    monkeypatch.chdir(tmp_path)
    a_study_in_two_sessions("mlflow")
    client = MlflowClient()
    experiment = client.get_experiment_by_name("demo").experiment_id
    runs = {run.info.run_name: run for run in client.search_runs([experiment])}
    assert set(runs) == {"demo-0", "demo-1"}
    done, failed = runs["demo-0"], runs["demo-1"]
    assert done.data.params["plan_id"] == PLAN.plan_id
    assert done.data.metrics["calibration/top1"] == 0.75
    assert done.info.status == "FINISHED"
    assert (failed.info.status, failed.data.tags["error"]) == ("FAILED", "out of memory")
    losses = client.get_metric_history(failed.info.run_id, "training/loss")
    assert [(metric.step, metric.value) for metric in losses] == [(1, 1.0), (2, 0.5)]


@pytest.mark.slow
def test_wandb_writes_offline_runs(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="needs wandb: .venv/bin/python -m pip install wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    a_study_in_two_sessions("wandb")
    files = sorted(path.name for path in tmp_path.glob("wandb/offline-run-*/run-*.wandb"))
    assert files == ["run-demo-0.wandb", "run-demo-1.wandb", "run-demo-1.wandb"]
    records = b"".join(path.read_bytes() for path in tmp_path.glob("wandb/offline-run-*/run-demo-0.wandb"))
    for written in (b"training/loss", b"calibration/gflops", PLAN.plan_id.encode()):
        assert written in records


@pytest.mark.parametrize("name", LOGGERS)
def test_a_tracker_that_is_not_installed_is_said_with_what_to_install(name, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, LOGGERS[name][0], raising=False)
    with pytest.raises(
        InputError, match=rf"{name} is not installed. Install it: pip install 'dynsearch\[{name}\]'"
    ):
        open_loggers([name], "demo", recipe())


def test_an_unknown_tracker_is_refused():
    with pytest.raises(InputError, match="no logger 'neptune'. Loggers: wandb, mlflow"):
        open_loggers(["neptune"], "demo", recipe())
