"""Every option of a training step does what it says."""

import copy

import pytest
import torch
from torch.nn import functional as F

from dynsearch.families import build_network
from dynsearch.network.losses import distilled_cross_entropies, linear_cross_entropies
from dynsearch.study.recipe_file import load_recipe
from dynsearch.training import TrainingConfig
from dynsearch.training.device import amp_dtype
from dynsearch.training.stepper import Stepper
from tests.network.nets import lively_network, random_clips
from tests.plans import small_plan
from tests.training.test_training import CONFIG, PLAN, assert_an_interruption_changes_nothing

CPU = torch.device("cpu")
LABELS = torch.tensor([0, 1, 2, 1])


def stepped(network, *batches, **fields):
    """Return parameters after one step per batch, from a copy of ``network``."""
    config = TrainingConfig(dropout=0, momentum=0, weight_decay=0, **fields)
    stepper = Stepper(copy.deepcopy(network), config, CPU)
    stepper.begin_epoch()
    for position, (clips, labels) in enumerate(batches, start=1):
        stepper.step(
            clips, labels, 0.1, share=1 / config.accumulate, update=position % config.accumulate == 0
        )
    stepper.finish()
    return stepper.network


def assert_same_weights(one, other, **tolerance):
    for (name, a), b in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, msg=lambda text, name=name: f"{name}: {text}", **tolerance)


@pytest.fixture(scope="module")
def network():
    return lively_network(PLAN, num_classes=3)


@pytest.fixture(scope="module")
def clips():
    return random_clips(PLAN, batch=4)


def test_linear_weights_rise_and_add_up_to_the_number_of_exits():
    logits_EBK = torch.randn(3, 4, 5)
    each = [F.cross_entropy(logits, LABELS) for logits in logits_EBK]
    torch.testing.assert_close(
        linear_cross_entropies(logits_EBK, LABELS), 0.5 * each[0] + each[1] + 1.5 * each[2]
    )


def test_distillation_teaches_early_exits_by_the_last():
    logits_EBK = torch.randn(3, 4, 5, requires_grad=True)
    loss = distilled_cross_entropies(logits_EBK, LABELS, temperature=2.0, weight=0.25)
    each = [F.cross_entropy(logits, LABELS) for logits in logits_EBK]
    expected = each[2]
    teacher = (logits_EBK[2] / 2).softmax(dim=1)
    for k in range(2):
        student = (logits_EBK[k] / 2).log_softmax(dim=1)
        divergence = (teacher * (teacher.log() - student)).sum(dim=1).mean()
        expected = expected + 0.75 * each[k] + 0.25 * 4 * divergence
    torch.testing.assert_close(loss, expected)
    (gradient,) = torch.autograd.grad(loss, logits_EBK)
    (alone,) = torch.autograd.grad(F.cross_entropy(logits_EBK[2], LABELS), logits_EBK)
    torch.testing.assert_close(gradient[2], alone[2])  # the teacher learns from the labels only


def test_accumulated_batches_make_the_step_of_one_large_batch(network, clips):
    whole = stepped(network, (clips, LABELS), freeze_batch_norm=True)
    parts = [(clips[:2], LABELS[:2]), (clips[2:], LABELS[2:])]
    assert_same_weights(stepped(network, *parts, accumulate=2, freeze_batch_norm=True), whole)


def test_recomputing_changes_nothing(network, clips):
    """Gradients and batch statistics are those of a plain step."""
    batches = [(clips, LABELS), (clips.flip(0), LABELS)]
    assert_same_weights(stepped(network, *batches, recompute=True), stepped(network, *batches))


def test_recomputing_keeps_less():
    def kept(recompute):
        net = build_network(small_plan("4x5"), 3).train()
        net.backbone.recompute = recompute
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):
            net(random_clips(net.plan, batch=4))
        return sum(sizes)

    assert kept(True) < kept(False) / 2


def test_memory_format_changes_nothing(network, clips):
    plain = stepped(network, (clips, LABELS), channels_last=False)
    assert_same_weights(stepped(network, (clips, LABELS), channels_last=True), plain, atol=1e-4, rtol=1e-3)


def test_the_average_is_kept_of_every_step(network, clips):
    one = stepped(network, (clips, LABELS))
    two = stepped(network, (clips, LABELS), (clips, LABELS))
    averaged = stepped(network, (clips, LABELS), (clips, LABELS), ema_decay=0.9)
    name = "heads.1.linear.weight"
    expected = 0.9 * one.state_dict()[name] + 0.1 * two.state_dict()[name]
    torch.testing.assert_close(averaged.state_dict()[name], expected)


def test_frozen_batch_norm_keeps_its_statistics(network, clips):
    frozen = stepped(network, (clips, LABELS), freeze_batch_norm=True).state_dict()
    free = stepped(network, (clips, LABELS)).state_dict()
    before = network.state_dict()
    means = [name for name in before if name.endswith("running_mean")]
    assert all(torch.equal(frozen[name], before[name]) for name in means)
    assert not any(torch.equal(free[name], before[name]) for name in means)


def test_bf16_comes_close(network, clips):
    a = stepped(network, (clips, LABELS), amp="bf16").state_dict()
    b = stepped(network, (clips, LABELS)).state_dict()
    assert not torch.equal(a["heads.1.linear.weight"], b["heads.1.linear.weight"])
    torch.testing.assert_close(a["heads.1.linear.weight"], b["heads.1.linear.weight"], atol=0.1, rtol=0.1)


@pytest.mark.parametrize(
    ("computes", "dtype"),
    [
        ({}, None),
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True, "avx512_bf16": False}, torch.bfloat16),
    ],
)
def test_native_is_bf16_where_the_processor_computes_it(monkeypatch, computes, dtype):
    """One that does not takes twelve times as long; both kinds of processors are not in one machine."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: computes)
    assert amp_dtype("native", CPU) is dtype
    assert amp_dtype("auto", CPU) is None


def test_an_interrupted_average_ends_the_same(tmp_path):
    config = CONFIG.model_copy(update={"ema_decay": 0.8, "accumulate": 2})
    assert_an_interruption_changes_nothing(tmp_path, config)


def test_the_command_line_reaches_every_option():
    settings = {
        "accumulate": 4, "amp": "bf16", "channels_last": False, "compile": True, "recompute": True,
        "ema_decay": 0.99, "grad_clip": 5.0, "exit_loss": "distill", "freeze_batch_norm": True,
    }  # fmt: skip
    recipe = load_recipe("motions", settings=[f"training.{k}={v}" for k, v in settings.items()])[0]
    assert {name: getattr(recipe.training, name) for name in settings} == settings


@pytest.mark.slow
def test_a_compiled_step_is_the_same_step(network, clips):
    plain = stepped(network, (clips, LABELS))
    assert_same_weights(stepped(network, (clips, LABELS), compile=True), plain, atol=2e-3, rtol=1e-2)
