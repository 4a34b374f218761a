"""The same study started twice at once with the real command: both work on it, and no plan is trained twice."""

import json

import pytest
import yaml

from tests.cli.miniature import write_sthv2
from tests.cli.miniature_study import SPACE
from tests.cli.runner import dynsearch
from tests.cli.test_preemption import STUDY
from tests.warm import Warm

COMMAND = (*STUDY, "--strategy", "retrain", "--trials", 2, "--set", "training.epochs=1")


@pytest.mark.reliability(
    "Processes", "two studies of one name started at once",
    happens="with the same settings both work on the one study, and no plan is trained twice; with others the second "
    "is refused", sees="`was begun with other settings: seed was 0, now 1`",
)  # fmt: skip
def test_both_work_on_it_and_other_settings_are_refused(tmp_path):
    write_sthv2(tmp_path / "data")
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(SPACE))
    started = [Warm(COMMAND, cwd=tmp_path) for _ in range(2)]
    told = [process.communicate() for process in started]
    assert [process.returncode for process in started] == [0, 0], told
    folder = tmp_path / "studies" / "sthv2"
    trials = sorted((folder / "trials").iterdir())
    assert [path.name for path in trials] == ["0", "1"]
    for path in trials:
        lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
        assert [line["epoch"] for line in lines] == [1]
    assert (
        sum(out.count("trial 0: ") + out.count("trial 1: ") for out, _ in told) == 4
    )  # begun and ended, once each
    refused = dynsearch(*COMMAND, "--seed", 1, "--set", "seed=1", cwd=tmp_path, code=2).err
    assert "was begun with other settings: seed was 0, now 1" in refused
