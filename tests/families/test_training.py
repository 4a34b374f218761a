"""Training networks that are no grid."""

import copy

import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F

from dynsearch.families.adafocus.objective import with_auxiliary_heads
from dynsearch.network.losses import sum_of_cross_entropies
from dynsearch.network.weights.files import read_tensors
from dynsearch.training import TrainingConfig
from dynsearch.training.run import train_and_score
from dynsearch.training.stepper import Stepper
from tests.network.nets import lively_network, random_clips, start
from tests.plans import compressed_plan, focus_plan
from tests.training.fakes import ArraySource
from tests.training.test_training import CONFIG, read_all

FOCUS = {
    "recurrent": focus_plan(exits=("1x1", "4x1")),
    "one patch": focus_plan("video", exits=("4x1", "4x2")),
}


@pytest.mark.parametrize("plan", FOCUS.values(), ids=FOCUS)
def test_the_objective_of_adafocus_by_hand(plan):
    network, clips, labels = lively_network(plan), random_clips(plan), torch.tensor([0, 3, 1])
    seen = []

    def remembered(*args, **kwargs):
        seen.append(network(*args, **kwargs))
        return seen[0]

    loss, logits_EBK = with_auxiliary_heads(remembered, clips, labels, sum_of_cross_entropies)
    (out,) = seen
    expected = 0.0
    for patches in range(2):  # the policy's, random ones
        for exit_ in out.exits_2EBK[patches]:
            expected += F.cross_entropy(exit_, labels) / 4
        steps = [F.cross_entropy(logits, labels) for logits in out.local_2BTK[patches].unbind(1)]
        expected += sum(steps) / len(steps) / 2
    steps = [F.cross_entropy(logits, labels) for logits in out.global_BTK.unbind(1)]
    expected += sum(steps) / len(steps)
    torch.testing.assert_close(loss, expected)
    assert torch.equal(logits_EBK, out.exits_2EBK[0])


@pytest.mark.parametrize("plan", FOCUS.values(), ids=FOCUS)
def test_adafocus_learns(plan, tmp_path):
    scores = train_and_score(plan, ArraySource(), CONFIG, tmp_path, seed=1)
    assert scores.test.plan_id == plan.plan_id
    assert scores.test.num_exits == 2
    assert scores.test.correct()[-1].mean() > 0.6  # chance is a third


def test_a_compression_is_trained_on_a_trained_base(tmp_path):
    """The base is trained once, by the same settings as alone, and not touched afterwards."""
    for split in (3, 4):
        plan = compressed_plan(split=split)
        scores = train_and_score(
            plan, ArraySource(), CONFIG, tmp_path / str(split), seed=1, bases=tmp_path / "bases"
        )
        assert scores.test.correct()[-1].mean() > 0.6  # chance is a third
    base = plan.options.base(plan)
    (home,) = (tmp_path / "bases").glob("*/")
    assert home.name == base.plan_id
    train_and_score(base, ArraySource(), CONFIG, tmp_path / "alone", seed=1)
    alone, trained = (
        read_tensors(path / "weights.safetensors") for path in (tmp_path / "alone", tmp_path / "4")
    )
    assert all(torch.equal(trained[f"base.{name}"], value) for name, value in alone.items())


def test_an_interrupted_training_goes_on_as_if_undisturbed(tmp_path):
    """Random patches are drawn from the seed and the epoch, like everything else."""

    class Killed(Exception):
        pass

    def kill(report):
        if report.epoch == 2:
            raise Killed

    plan = FOCUS["recurrent"]
    config = CONFIG.model_copy(update={"part_rates": {"policy": 0.5, "classifier": 2.0}})
    train_and_score(plan, ArraySource(), config, tmp_path / "whole", seed=1)
    with pytest.raises(Killed):
        train_and_score(plan, ArraySource(), config, tmp_path / "cut", seed=1, on_epoch=kill)
    train_and_score(plan, ArraySource(), config, tmp_path / "cut", seed=1)
    whole, cut = read_all(tmp_path / "whole"), read_all(tmp_path / "cut")
    assert all(torch.equal(whole["weights"][name], cut["weights"][name]) for name in whole["weights"])


def test_each_part_moves_at_its_own_rate():
    plan = FOCUS["recurrent"]
    network, clips, labels = lively_network(plan), random_clips(plan), torch.tensor([0, 3, 1])

    def moves(**part_rates):
        config = TrainingConfig(dropout=0, momentum=0, weight_decay=0, part_rates=part_rates)
        stepper = Stepper(copy.deepcopy(network), config, torch.device("cpu"))
        stepper.begin_epoch()
        torch.manual_seed(0)  # of the random patches
        stepper.step(clips, labels, 0.01)
        after = dict(stepper.network.named_parameters())
        return {name: (after[name] - before).detach() for name, before in network.named_parameters()}

    plain, rated = moves(), moves(policy=0.1, classifier=5.0)
    for name, move in plain.items():
        factor = {"policy": 0.1, "classifier": 5.0}.get(name.partition(".")[0], 1.0)
        torch.testing.assert_close(rated[name], factor * move, atol=1e-6, rtol=1e-3)


def test_rates_of_parts_that_no_network_has_are_refused():
    with pytest.raises(ValidationError, match="polizy"):
        TrainingConfig(part_rates={"polizy": 0.1})
    with pytest.raises(ValidationError, match="greater than 0"):
        TrainingConfig(part_rates={"policy": 0})


@pytest.mark.parametrize("local", ["test_resnet", "resnet18"])
def test_a_weights_file_is_for_the_backbones_of_its_name(tmp_path, local):
    """Another local backbone starts at random, with its residual branches awake."""
    plan = focus_plan(local_backbone=local)
    source = lively_network(plan, seed=1).global_net.backbone.model.state_dict()
    torch.save(source, tmp_path / "backbone.pth")
    network = lively_network(plan)
    start(network, pretrained=False, weights=tmp_path / "backbone.pth")
    given = read_tensors(tmp_path / "backbone.pth")
    assert all(
        torch.equal(value, given[name])
        for name, value in network.global_net.backbone.model.state_dict().items()
    )
    state = network.local_net.backbone.model.state_dict()
    if local == "test_resnet":
        assert all(torch.equal(value, given[name]) for name, value in state.items())
    else:
        assert all(state[name].all() for name in state if name.endswith("bn2.weight"))
