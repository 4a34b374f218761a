"""The commands on a GPU, from a study to answers, and what a user sees when it is too small or there is only one."""

import contextlib
import json

import numpy as np
import pytest
import torch

from tests.cli.miniature_study import arguments, prepared, studied
from tests.cli.runner import dynsearch

ROOT = ("--data-root", "data")
EPOCHS = ("--epochs", "1")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with a finished study and a bundle of it, ``net``."""
    folder = studied(tmp_path_factory.mktemp("work"))
    dynsearch("export", "sthv2", "--output", "net", *ROOT, cwd=folder)
    return folder


@contextlib.contextmanager
def little_memory(free_bytes):
    """Take all of the GPU's memory but so much."""
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info()
    taken = torch.empty(free - free_bytes, dtype=torch.uint8, device="cuda")
    try:
        yield
    finally:
        del taken
        torch.cuda.empty_cache()


def test_bundles_are_measured_and_asked(work):
    shown = dynsearch("evaluate", "net", *ROOT, "--json", cwd=work).json
    assert shown["top1"] > 0
    video = next((work / "data" / "20bn-something-something-v2").glob("*.webm"))
    answers = dynsearch("predict", "net", video, "--json", cwd=work)
    assert json.loads(answers.out)["exit"] >= 1


def test_one_of_several_processes_trains_with_nccl(work):
    dynsearch("train", "net", "--output", "full", "--nproc", "1", *EPOCHS, *ROOT, cwd=work)
    assert (work / "full" / "weights.safetensors").is_file()


def test_more_processes_than_gpus_are_refused(work):
    count = torch.cuda.device_count() + 1
    shown = dynsearch("train", "net", "--output", "none", "--nproc", count, *EPOCHS, *ROOT, cwd=work, code=2)
    assert f"process {count} on this machine has no GPU: there are {count - 1}" in shown.err


def test_a_batch_too_large_for_the_gpu_is_halved(tmp_path):
    """The GPU really runs out of memory: 18 clips of 224 px want more than the 9 GB that are left, 9 clips less."""
    space = {
        "backbones": ["resnet50"], "frames": [{"num_frames": 8, "num_sets": 8}], "image_sizes": [224],
        "frame_orders": ["sequential"],
        "exits": {"min_exits": 2, "max_exits": 2, "min_depth": 4, "max_depth": 5},
    }  # fmt: skip
    folder = prepared(tmp_path, space)
    batch = ("--set", "training.batch_size=18", "--trials", "1", "--set", "training.epochs=1")
    with little_memory(9 * 10**9):
        done = dynsearch(*arguments(*batch), cwd=folder)
    assert "out of memory" in done.out + done.err
    (trial,) = (folder / "studies" / "sthv2" / "trials").iterdir()
    assert np.load(trial / "scores-test.npz")["logits"].shape[1] > 0
