"""``dynsearch study`` on a miniature Something-Something v2: what it leaves, resumes and shows, in real processes."""

import csv
import os
import signal
import time

import pytest
import yaml

from dynsearch.scores import ExitScores
from tests.cli.miniature_study import arguments, studied, study
from tests.cli.runner import dynsearch
from tests.warm import Warm


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with the data, a small search space, and a finished study called ``sthv2``."""
    return studied(tmp_path_factory.mktemp("work"))


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a_study_leaves_what_the_contract_says(work):
    folder = work / "studies" / "sthv2"
    recorded = yaml.safe_load((folder / "study.yaml").read_text())
    assert recorded["recipe"]["training"]["epochs"] == 2
    assert recorded["recipe"]["max_gflops"] == 40
    assert {"torch", "timm", "optuna", "dynsearch"} <= set(recorded["versions"])
    assert (folder / "study.db").is_file()
    assert (folder / "frontier.png").read_bytes().startswith(b"\x89PNG")
    for trial in range(3):
        names = {path.name for path in (folder / "trials" / str(trial)).iterdir()}
        assert names == {
            "plan.yaml", "weights.safetensors", "scores-calibration.npz", "scores-test.npz", "metrics.jsonl",
            "tensorboard", "frontier-calibration.npz", "frontier.png", "grid.png",
        }  # fmt: skip
    assert (folder / "report.html").read_text().endswith("</html>\n")
    origin = yaml.safe_load((folder / "origin.yaml").read_text())
    assert origin["commands"] == [" ".join(["dynsearch", *arguments()])]
    assert (len(origin["class_names"]), origin["num_videos"]["test"]) == (3, 12)
    assert [row for row in rows(folder / "frontier.csv") if float(row["calibration_gflops"]) > 40] == []


def test_splits_are_disjoint_and_complete(work):
    trial = work / "studies" / "sthv2" / "trials" / "0"
    calibration, test = (ExitScores.load(trial / f"scores-{split}.npz") for split in ("calibration", "test"))
    assert (calibration.num_videos, test.num_videos) == (6, 12)
    assert not set(calibration.video_ids_N) & set(test.video_ids_N)


def test_the_same_command_again_trains_nothing_and_changes_nothing(work):
    path = work / "studies" / "sthv2" / "frontier.csv"
    before = path.read_text()
    started = {p: p.stat().st_mtime_ns for p in (work / "studies/sthv2/trials").rglob("weights.safetensors")}
    study(work)
    assert path.read_text() == before
    assert started == {p: p.stat().st_mtime_ns for p in started}


def test_frontier_as_json_equals_the_file(work):
    printed = dynsearch("frontier", "sthv2", "--json", cwd=work).json
    written = rows(work / "studies" / "sthv2" / "frontier.csv")
    assert [row["plan_id"] for row in printed["frontier"]] == [row["plan_id"] for row in written]
    assert printed["point"] in printed["frontier"]
    assert printed["num_trials"] == 3


def test_frontier_draws_a_vector_picture(work):
    dynsearch("frontier", "sthv2", "--plot", "frontier.svg", cwd=work)
    assert "<svg" in (work / "frontier.svg").read_text()
    assert "frontier.docx" in dynsearch("frontier", "sthv2", "--plot", "frontier.docx", cwd=work, code=2).err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
@pytest.mark.reliability(
    "Processes",
    "Ctrl-C, or kill -9 of the real command while it trains",
    happens="the same command goes on to the same frontier; Ctrl-C exits with 130",
    sees="run the same command again to go on",
)
def test_ended_while_training_the_study_goes_on(work, number):
    name = f"ended-{number}"
    process = Warm(arguments("--name", name), cwd=work, start_new_session=True)
    state = work / "studies" / name / "trials/1/training-state.safetensors"
    limit = time.monotonic() + 120
    while not state.exists():
        assert process.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.005)
    if number == signal.SIGKILL:
        process.kill()
        process.wait()
    else:
        os.killpg(process.pid, number)  # as a terminal does: to the driver and its workers
        _, told = process.communicate()
        assert process.returncode == 130
        assert "run the same command again to go on" in told
        assert "Traceback" not in told
    study(work, "--name", name)
    ended, undisturbed = (work / "studies" / one / "frontier.csv" for one in (name, "sthv2"))
    assert ended.read_text() == undisturbed.read_text()
