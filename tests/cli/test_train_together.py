"""``dynsearch train`` in several processes, with the real command in real processes."""

import json
import subprocess
import sys

import numpy as np
import pytest
from safetensors import safe_open

from dynsearch.data.catalogue import open_dataset
from dynsearch.training.source import DatasetClips
from tests.cli.miniature import write_sthv2
from tests.cli.runner import dynsearch
from tests.plans import small_plan

SETTINGS = {
    "training.batch_size": 3, "training.accumulate": 1, "training.pretrained": "false", "training.num_workers": 0,
    "training.save_every_steps": 1, "calibration_fraction": 0.25, "seed": 0,
}  # fmt: skip
ARGUMENTS = (
    "train", "plan.yaml", "--dataset", "sthv2", "--data-root", "data", "--output", "net", "--epochs", "2",
    *(part for setting in SETTINGS.items() for part in ("--set", "{}={}".format(*setting))),
)  # fmt: skip


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    write_sthv2(folder / "data")
    small_plan("1x3", "4x5").save(folder / "plan.yaml")
    return folder


def last_video_of_the_first_epoch(data):
    """The second of two processes reads it, in the epoch's last step."""
    source = DatasetClips(open_dataset("sthv2", data, calibration_fraction=0.25))
    records = source.dataset.splits["train"]
    assert len(records) == 18
    return records[np.random.default_rng((0, 0)).permutation(18)[-1]].path


def test_a_bad_video_in_one_process_ends_all_and_torchrun_goes_on(work):
    video = last_video_of_the_first_epoch(work / "data")
    good = video.read_bytes()
    video.write_bytes(good[:200])
    failed = dynsearch(*ARGUMENTS, "--nproc", "2", cwd=work, code=2)
    assert "2 processes x 3 videos a step = 6; highest learning rate 2 x 0.01 = 0.02" in failed.out
    assert failed.err.count(video.name) == 1
    assert (
        len(failed.err.splitlines()) == 1
    )  # Nothing about the other process, which ended because of this one.
    with safe_open(work / "net" / "training-state.safetensors", framework="pt") as file:
        progress = json.loads(file.metadata()["dynsearch"])["progress"]
    assert (progress["epoch"], progress["batch"]) == (0, 2)

    video.write_bytes(good)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, "-m", "dynsearch", *ARGUMENTS]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch 1/2") == done.stdout.count("epoch 2/2") == 1
    lines = [json.loads(line) for line in (work / "net" / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert {path.name for path in (work / "net").iterdir()} == {
        "plan.yaml", "weights.safetensors", "policy.yaml", "labels.txt", "README.md", "recipe.yaml", "contents.json",
        "promise.json", "metrics.jsonl", "scores-calibration.npz", "scores-test.npz", "tensorboard",
    }  # fmt: skip


def test_mistakes_are_said_once(work):
    wrong = dynsearch(*ARGUMENTS, "--nproc", "2", "--set", "training.gamma=7", cwd=work, code=2)
    assert wrong.err.count("training.gamma") == 1
