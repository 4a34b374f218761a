"""Training stopped after any step and gone on with ends with the weights of a training that never stopped."""

import pytest
import torch

from dynsearch.errors import InputError
from dynsearch.training.made import Made
from dynsearch.training.run import train_and_score
from dynsearch.training.state import Progress, TrainingState
from tests.training.fakes import ArraySource, Steps
from tests.training.test_training import CONFIG, PLAN, assert_same, read_all

EVERYTHING = CONFIG.model_copy(update={"epochs": 2, "batch_size": 5, "accumulate": 2, "ema_decay": 0.8})
"""8 batches an epoch, so 4 steps; dropout, momentum, a moving average and batch statistics."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    train_and_score(PLAN, ArraySource(), EVERYTHING, folder, seed=1)
    return read_all(folder)


@pytest.mark.parametrize(
    ("stop_before", "every", "workers", "again"),
    [
        (3, 1, (0, 0), 1),  # In the middle of a step.
        (7, 2, (2, 0), 3),  # Saved after 4 batches, the second of two workers' work is lost.
        (8, 1, (0, 2), 0),  # At the end of an epoch.
        (15, 1, (2, 2), 1),
        (13, None, (0, 0), 5),
    ],
)
@pytest.mark.reliability(
    "Determinism",
    "a training stopped after any step, with other numbers of workers",
    happens="its weights and scores are those of one that never stopped, bit for bit",
)
def test_stopped_training_ends_the_same(monkeypatch, tmp_path, whole, stop_before, every, workers, again):
    steps = Steps(monkeypatch)
    steps.stop_before = stop_before
    first, second = map(ArraySource, workers)
    with pytest.raises(KeyboardInterrupt):
        train_and_score(PLAN, first, EVERYTHING, tmp_path, seed=1, save_every_steps=every)
    steps.stop_before = None
    train_and_score(PLAN, second, EVERYTHING, tmp_path, seed=1)
    assert steps.count == 16 + again
    assert_same(whole, read_all(tmp_path))


def test_a_state_is_for_as_many_processes_as_saved_it(tmp_path):
    network = torch.nn.Linear(3, 2)
    optimizer, scaler = torch.optim.SGD(network.parameters()), torch.amp.GradScaler("cpu", enabled=False)
    progress = Progress(epoch=3, batch=4, loss_sum=0.1, num_right=5, num_videos=6, seconds=7.0)
    path, two, one = tmp_path / "state.safetensors", Made({"processes": 2}), Made({"processes": 1})
    TrainingState(path, two).save(progress, network, optimizer, scaler)
    assert TrainingState(path, two).read().progress == progress
    assert TrainingState(path, Made({"processes": 2, "torch": "9"})).read() is None
    with pytest.raises(InputError, match=r"state\.safetensors: .*processes was 2, now 1"):
        TrainingState(path, one).read()
