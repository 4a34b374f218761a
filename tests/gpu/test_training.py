"""Training on a GPU: as on a CPU in full precision, learning in half, the same again with the same seed."""

import copy

import pytest
import torch

from dynsearch.network.weights.files import load_weights
from dynsearch.training.device import pick_device
from dynsearch.training.run import train_and_score
from dynsearch.training.stepper import Stepper
from tests.network.nets import lively_network
from tests.plans import compressed_plan, focus_plan
from tests.training.fakes import ArrayClips, ArraySource
from tests.training.test_training import (
    CONFIG,
    PLAN,
    assert_an_interruption_changes_nothing,
    assert_same,
    read_all,
)

PLANS = {
    "grid": PLAN, "a patch a frame": focus_plan(), "a patch a video": focus_plan("video"),
    "compressed": compressed_plan(),
}  # fmt: skip


def losses(network, clips, device, **changes):
    """Return the losses of four steps on the same batch."""
    config = CONFIG.model_copy(update={"amp": "off", "dropout": 0.0} | changes)
    stepper = Stepper(copy.deepcopy(network), config, device)
    stepper.begin_epoch()
    batch, labels = clips.clips[:12].to(device), clips.labels[:12].to(device)
    return [stepper.step(batch, labels, 0.02)[0] for _ in range(4)]


def test_full_precision_follows_the_cpu():
    network, clips = lively_network(PLAN, num_classes=3), ArrayClips(12, PLAN, seed=1)
    on_cpu = losses(network, clips, torch.device("cpu"))
    assert losses(network, clips, pick_device()) == pytest.approx(on_cpu, rel=2e-3, abs=1e-3)


@pytest.mark.parametrize(
    "changes",
    [{"amp": "bf16"}, {"amp": "fp16"}, {"amp": "bf16", "compile": True}, {"amp": "fp16", "grad_clip": 5.0},
     {"amp": "bf16", "recompute": True, "ema_decay": 0.9}],
    ids=str,
)  # fmt: skip
def test_half_precision_comes_close_and_learns(changes):
    network, clips = lively_network(PLAN, num_classes=3), ArrayClips(12, PLAN, seed=1)
    exact = losses(network, clips, pick_device())
    close = losses(network, clips, pick_device(), **changes)
    assert close[0] == pytest.approx(exact[0], rel=0.05)
    assert close[-1] < close[0]


@pytest.mark.parametrize("amp", ["off", "bf16", "fp16"])
@pytest.mark.parametrize("name", PLANS)
def test_the_same_seed_gives_the_same_numbers(tmp_path, name, amp):
    config = CONFIG.model_copy(update={"amp": amp})
    for folder in "ab":
        train_and_score(PLANS[name], ArraySource(), config, tmp_path / folder, seed=1)
    assert_same(read_all(tmp_path / "a"), read_all(tmp_path / "b"))


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_an_interrupted_training_ends_the_same(tmp_path, amp):
    """The scale of fp16's loss is kept too."""
    config = CONFIG.model_copy(update={"amp": amp})
    assert_an_interruption_changes_nothing(tmp_path, config)


def test_a_trained_network_answers_on_a_cpu_as_on_the_gpu(tmp_path):
    scores = train_and_score(PLAN, ArraySource(), CONFIG, tmp_path, seed=1)
    network = lively_network(PLAN, num_classes=3)
    load_weights(network, tmp_path / "weights.safetensors")
    clips = ArrayClips(33, PLAN, seed=len("test")).clips
    with torch.inference_mode():
        logits_ENK = network(clips)
    torch.testing.assert_close(torch.tensor(scores.test.logits_ENK), logits_ENK, atol=1e-3, rtol=1e-3)
