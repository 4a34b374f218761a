"""``metrics.jsonl`` changed at any byte: a training that goes on keeps what can be read, and is not ended by it."""

import json

import pytest

from dynsearch.training.loop import EpochReport
from dynsearch.training.metrics_log import MetricsLog
from tests.mutations import changed_bytes


@pytest.mark.reliability(
    "Files",
    "a `metrics.jsonl` changed at any byte",
    happens="training goes on; epochs that can be read are kept",
)
def test_a_damaged_log_ends_no_training(tmp_path, monkeypatch):
    monkeypatch.setattr(MetricsLog, "_draw", lambda self, report: None)
    lines = [json.dumps({"epoch": epoch, "loss": 1.0 / epoch}) for epoch in (1, 2, 3)]
    report = EpochReport(epoch=3, loss=0.5, top1=0.5, learning_rate=0.1, seconds=1.0)
    path = tmp_path / "metrics.jsonl"
    for content in changed_bytes("\n".join([*lines, ""]).encode(), 43):
        path.write_bytes(content)
        with MetricsLog(tmp_path, None) as log:
            log.add(report)
        kept = path.read_text().splitlines()
        assert json.loads(kept[-1])["epoch"] == 3
        assert all(json.loads(line)["epoch"] < 3 for line in kept[:-1])
        intact = [line for line in content.decode(errors="replace").splitlines() if line in lines[:2]]
        assert [line for line in kept if line in lines[:2]] == intact
