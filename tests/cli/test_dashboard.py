"""optuna-dashboard really serves a study, with its plans and budget."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from dynsearch.search.folder import StudyFolder
from tests.cli.runner import dynsearch
from tests.search.test_driver import run
from tests.search.toy import SPACE, recipe


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    root = tmp_path_factory.mktemp("dashboard") / "studies"
    run(root / "toy", max_gflops=0.01, num_trials=3)
    StudyFolder(root / "toy").record(recipe(max_gflops=0.01), SPACE)
    return root


def get(url):
    limit = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.read()
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > limit:
                raise
            time.sleep(0.1)


def test_the_dashboard_shows_the_study(studies):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "dynsearch.cli", "dashboard", "toy", "--port", str(port)]
    process = subprocess.Popen(
        command, cwd=studies.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        url = f"http://127.0.0.1:{port}"
        (summary,) = json.loads(get(f"{url}/api/studies"))["study_summaries"]
        assert summary["study_name"] == "toy"
        detail = json.loads(get(f"{url}/api/studies/{summary['study_id']}?after=0"))
    finally:
        process.terminate()
        process.wait()
    assert detail["objective_names"] == ["top1", "gflops"]
    trials = detail["trials"]
    assert sum(trial["state"] == "Complete" for trial in trials) == 3
    refused = [trial for trial in trials if trial["state"] == "Pruned" and max(trial["constraints"]) > 0]
    assert refused
    finished = next(trial for trial in trials if trial["state"] == "Complete")
    attributes = {item["key"] for item in finished["user_attrs"]}
    assert {"plan_id", "exits", "frame_order", "thresholds", "exit_share"} <= attributes
    assert {"num_exits", "frame_order"} <= {item["name"] for item in finished["params"]}


def test_a_port_in_use_is_said_in_one_line(studies):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = dynsearch("dashboard", "toy", "--port", str(port), cwd=studies.parent, code=2)
    assert f"can't listen on 127.0.0.1:{port}" in result.err
