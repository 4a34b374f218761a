"""SIGTERM to the real command and all its processes, as a batch system sends it: exit 0, and it goes on."""

import json
import os
import signal
import time

import pytest
import yaml
from safetensors import safe_open

from tests.cli.miniature import write_sthv2
from tests.cli.miniature_study import SPACE
from tests.cli.runner import dynsearch
from tests.plans import small_plan
from tests.warm import Warm

SETTINGS = {
    "training.epochs": 2, "training.batch_size": 2, "training.accumulate": 1, "training.pretrained": "false",
    "training.num_workers": 0, "training.save_every_steps": 1, "calibration_fraction": 0.25, "seed": 0,
}  # fmt: skip
SET = tuple(part for setting in SETTINGS.items() for part in ("--set", "{}={}".format(*setting)))
STUDY = (
    "study",
    "--dataset",
    "sthv2",
    "--data-root",
    "data",
    "--space",
    "space.yaml",
    "--max-gflops",
    40,
    *SET,
)
RETRAIN = (*STUDY, "--strategy", "retrain", "--trials", 1)
ONE_SHOT = (*STUDY, "--strategy", "one-shot", "--trials", 1, "--retrain", 1)
TRAIN = ("train", "plan.yaml", "--dataset", "sthv2", "--data-root", "data", "--output", "net", *SET)
RESUMABLE = "dynsearch: stopped on request, resumable; run the same command again to go on\n"


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("preempted")
    write_sthv2(folder / "data")
    (folder / "space.yaml").write_text(yaml.safe_dump(SPACE))
    small_plan("1x3", "4x5").save(folder / "plan.yaml")
    return folder


def preempt(work, arguments, state):
    """Start a command, send SIGTERM to its whole group once ``state`` is there, and return how far it came."""
    process = Warm(arguments, cwd=work, start_new_session=True)
    while not any(work.glob(state)):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGTERM)
    _, told = process.communicate()
    assert (process.returncode, told) == (0, RESUMABLE)
    (path,) = work.glob(state)
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["dynsearch"])["progress"]


@pytest.mark.reliability(
    "Processes",
    "SIGTERM to all processes of a study or training",
    happens="the step under way is saved and the command exits with 0, resumable, in 10 seconds",
    sees="stopped on request, resumable; run the same command again to go on",
)
@pytest.mark.reliability(
    "Determinism",
    "one or two workers that read videos, interrupted or not",
    happens="frontier.csv is the same byte for byte",
)
def test_a_study_goes_on_where_it_was_and_gives_the_same_frontier_with_one_and_two_workers(work):
    one, two = ((*RETRAIN, "--name", f"workers-{n}", "--set", f"training.num_workers={n}") for n in (1, 2))
    progress = preempt(work, one, "studies/workers-1/trials/0/training-state.safetensors")
    assert progress["epoch"] < 2
    dynsearch(*one, cwd=work)
    dynsearch(*two, cwd=work)
    stopped, undisturbed = (work / f"studies/workers-{n}/frontier.csv" for n in (1, 2))
    assert stopped.read_text() == undisturbed.read_text()


@pytest.mark.slow
@pytest.mark.reliability("Processes", "SIGTERM to all processes of a study or training")
def test_a_one_shot_network_is_saved_too(work):
    state = "studies/one-shot/one-shot/*/training-state.safetensors"
    progress = preempt(work, (*ONE_SHOT, "--name", "one-shot"), state)
    assert progress["epoch"] < 2


@pytest.mark.slow
@pytest.mark.reliability("Processes", "SIGTERM to all processes of a study or training")
def test_a_training_in_two_processes_goes_on_where_it_was(work):
    progress = preempt(work, (*TRAIN, "--nproc", 2), "net/training-state.safetensors")
    assert progress["epoch"] < 2
    done = dynsearch(*TRAIN, "--nproc", 2, cwd=work)
    assert done.out.count("epoch 2/2") == 1
    lines = [json.loads(line) for line in (work / "net" / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(1, 3))
    assert (work / "net" / "policy.yaml").is_file()
