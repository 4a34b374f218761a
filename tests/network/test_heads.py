import pytest
import torch
from torch import nn

from dynsearch.cost.backbone import head_cost
from dynsearch.errors import PlanError
from dynsearch.families import build_network
from dynsearch.network.heads import ExitHead, build_head, head_slots
from dynsearch.network.slots import SlotsHead
from dynsearch.plan import HEADS
from tests.families.grid.test_progressive import stop_at
from tests.network.nets import lively_network, random_clips
from tests.plans import compressed_plan, small_plan


@pytest.mark.parametrize(
    ("channels", "parameters"),
    [(576, 6_551_272), (640, 8_016_360), (608, 7_265_384), (528, 5_549_224), (976, 18_127_272)],
)
def test_msdnets_conv_heads_have_the_published_size(channels, parameters):
    """Parameters of the classifiers in the public MSDNet-38 for 1000 classes."""
    head = build_head("conv", channels, 1000, 0.0)
    assert sum(p.numel() for p in head.parameters()) == parameters


def test_a_conv_head_is_two_strided_convolutions_average_and_linear():
    head = build_head("conv128", 6, 5, 0.0).eval()
    convolutions = [m for m in head.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in head.modules() if isinstance(m, nn.BatchNorm2d)]
    x = torch.randn(2, 6, 7, 7)
    out = x
    for convolution, norm in zip(convolutions, norms, strict=True):
        out = norm(nn.functional.conv2d(out, convolution.weight, stride=2, padding=1)).relu()
    assert out.shape == (2, 128, 2, 2)
    expected = head.linear(nn.functional.avg_pool2d(out, 2).flatten(1))
    torch.testing.assert_close(head(x), expected)


def slots_by_hand(head, frames_BTC, times, num_frames):
    """The head as one linear layer on the slots of all positions in time, those not seen zero."""
    slots = torch.zeros(len(frames_BTC), num_frames, 32)
    for frame, time in zip(frames_BTC.unbind(dim=1), times, strict=True):
        slots[:, time] = nn.functional.layer_norm(head.of_frame(frame), (32,)).relu()
    hidden = (slots.flatten(1) @ head.slots.flatten(0, 1) + head.bias).relu()
    return head.of_mean(frames_BTC.mean(dim=1)) + hidden @ head.linear.weight.T


def test_slots_are_a_layer_on_all_positions_in_time_of_which_those_not_seen_are_zero():
    head = build_head("slots", 6, 5, 0.5, 8).eval()
    assert isinstance(head, SlotsHead)
    nn.init.normal_(head.linear.weight)
    frames = torch.randn(3, 4, 6)
    expected = slots_by_hand(head, frames, (5, 0, 7, 2), 8)
    torch.testing.assert_close(head(frames, (5, 0, 7, 2)), expected)
    assert (head(frames, (0, 5, 7, 2)) - expected).abs().max() > 0.01
    fed_otherwise = head(frames[:, [2, 1, 0, 3]], (7, 0, 5, 2))
    torch.testing.assert_close(fed_otherwise, expected)


@pytest.mark.parametrize("kind", ["linear", "mlp", "slots"])
def test_a_head_after_each_number_of_frames_is_the_head_of_these_frames(kind):
    head = build_head(kind, 6, 5, 0.5, 8).double().eval()
    nn.init.normal_(head.linear.weight)
    frames, times = torch.randn(3, 6, 6, dtype=torch.float64), (5, 0, 7, 2, 1, 6)
    for frame_counts in ([1, 2, 4, 6], [3], [6, 3]):
        one_by_one = [
            head(frames[:, :n], times[:n]) if kind == "slots" else head(frames[:, :n].mean(dim=1))
            for n in frame_counts
        ]
        torch.testing.assert_close(head.after_each(frames, times, frame_counts), torch.stack(one_by_one))


@pytest.mark.parametrize("waits", [False, True])
def test_the_order_of_frames_teaches_the_backbone_unless_the_head_waits_to_be_fitted(waits):
    head, frames = build_head("slots", 6, 5, 0.0, 4), torch.randn(2, 4, 6, requires_grad=True)
    nn.init.normal_(head.linear.weight)
    if waits:
        head.wait()
    head(frames, range(4))[:, 0].sum().backward()
    own = frames.detach().requires_grad_()
    expected = head.of_mean(own.mean(dim=1)) if waits else slots_by_hand(head, own, range(4), 4)
    expected[:, 0].sum().backward()
    torch.testing.assert_close(frames.grad, own.grad)
    assert waits == (head.slots.grad is None)


@pytest.mark.parametrize(
    ("kind", "of_a_frame", "once"), [("mlp", 0, 96 * 64), ("slots", 96 * 32 + 32 * 64, 96 * 5)]
)
def test_heads_cost_what_their_layers_multiply(kind, of_a_frame, once):
    layout = build_network(small_plan("4x5", head=kind), 5).backbone.stages[-1].layout
    assert layout.channels == 96
    for seen in (1, 3):
        assert head_cost(kind, layout, 5, 8, seen).macs == seen * of_a_frame + once + 64 * 5


def test_compressed_frames_have_no_position_in_time():
    with pytest.raises(
        PlanError, match="head: slots reads frames at their positions in time, which compressed frames"
    ):
        build_network(compressed_plan(head="slots"), 5)


def test_the_last_exit_can_have_another_head():
    plan = small_plan("1x3", "2x4", "2x5", "4x5", head="conv128+linear")
    slots = head_slots(plan)
    assert [slot.kind for slot in slots] == ["conv128", "conv128", "conv128", "linear"]
    assert [slot.index for slot in slots] == [0, 1, 2, 3]


def test_exits_at_one_depth_can_share_a_head():
    plan = small_plan("1x3", "2x5", "4x5", head="conv", share_heads=True)
    network = lively_network(plan)
    assert len(network.heads) == 2
    assert network.head(1) is network.head(2)
    clips = random_clips(plan)
    network(clips)[2].sum().backward()
    assert not network.heads[0].linear.weight.grad.any()
    assert network.heads[1].linear.weight.grad.any()


def test_a_conv_head_on_the_whole_clip_reads_the_mean_of_the_frames():
    plan = small_plan("4x5", head="conv", order="sequential")
    network, clips = lively_network(plan), random_clips(plan)
    seen = {}
    network.heads[0].register_forward_pre_hook(lambda _, args: seen.update(x=args[0]))
    with torch.inference_mode():
        network(clips)
        network.begin_pass(0, 4)
        features = network.backbone.model.forward_features(clips.flatten(0, 1))
    torch.testing.assert_close(seen["x"], features.unflatten(0, (3, 4)).mean(1), atol=1e-5, rtol=1e-4)


class LastHead(ExitHead):
    """A user's own: two layers on averaged features."""

    def __init__(self, channels, num_classes, dropout):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(channels, 7), torch.nn.Linear(7, num_classes))

    def forward(self, mean_BC):
        return self.layers(mean_BC)


def test_a_head_from_outside_is_one_like_the_others(monkeypatch):
    monkeypatch.setattr(HEADS, "_values", dict(HEADS._values))
    HEADS.register("two-layers", LastHead)
    plan = small_plan("1x3", "4x5", head="linear+two-layers")
    network, clips = lively_network(plan), random_clips(plan)
    assert isinstance(network.head(1), LastHead)
    extra = network.cost_E[-1] - build_network(small_plan("1x3", "4x5"), 5).cost_E[-1]
    channels = network.head(1).layers[0].in_features
    assert round(extra * 1e9) == channels * 7 + 7 * 5 - channels * 5
    with torch.inference_mode():
        expected = network(clips)[-1]
    torch.testing.assert_close(network.forward_until(clips, stop_at(1, 2)).logits, expected)


def test_what_makes_no_head_is_refused(monkeypatch):
    monkeypatch.setattr(HEADS, "_values", dict(HEADS._values))
    HEADS.register("half", lambda channels, num_classes, dropout: torch.nn.Linear(channels, num_classes))
    with pytest.raises(PlanError, match="registered as half makes a Linear, and no exit head"):
        build_network(small_plan("4x5", head="half"), 5)


def test_slots_that_wait_answer_as_the_linear_head_within_and_train_nothing_else():
    torch.manual_seed(0)
    head = build_head("slots", 6, 3, 0.0, num_frames=4)
    nn.init.normal_(head.linear.weight)
    frames_BTC = torch.randn(5, 3, 6, requires_grad=True)
    head.wait()
    logits_BK = head(frames_BTC, (0, 2, 3))
    torch.testing.assert_close(logits_BK, head.of_mean(frames_BTC.mean(dim=1)), rtol=0, atol=0)
    logits_BK.sum().backward()
    assert {name for name, value in head.named_parameters() if value.grad is not None} == {
        "of_mean.linear.weight", "of_mean.linear.bias",
    }  # fmt: skip
    assert (frames_BTC.grad != 0).all()
