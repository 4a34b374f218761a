"""The two AdaFocusV2 networks against timm's models, called by hand, and what trains what."""

import pytest
import timm
import torch
from torch.nn import functional as F

from dynsearch.errors import PlanError
from dynsearch.families import build_network
from dynsearch.plan import TemporalShift
from tests.network.nets import lively_network, random_clips
from tests.plans import focus_plan

TESTS = (
    "dynsearch.families.adafocus.frame_encoder",
    "dynsearch.families.adafocus.network",
    "dynsearch.families.adafocus.one_patch",
    "dynsearch.families.adafocus.recurrent",
)


def timm_model(backbone):
    model = timm.create_model(backbone.name, num_classes=0, global_pool="").eval()
    model.load_state_dict(backbone.model.state_dict())
    return model


def crop(frames, place, size):
    """The patch at a place, as an average of four crops at whole pixels."""
    corner = place * (frames.shape[-1] - size)
    left, top = corner.floor().int().tolist()
    wx, wy = (corner - corner.floor()).tolist()
    padded = F.pad(frames, (0, 1, 0, 1))
    return sum(
        across * down * padded[..., top + dy : top + dy + size, left + dx : left + dx + size]
        for dx, across in enumerate((1 - wx, wx))
        for dy, down in enumerate((1 - wy, wy))
    )


@torch.inference_mode()
def test_the_recurrent_network_by_hand():
    plan = focus_plan(num_frames=4, exits=("1x1", "3x1", "4x1"), global_size=32)
    network = lively_network(plan)
    clips = random_clips(plan, batch=1)
    glance, focus = timm_model(network.global_net.backbone), timm_model(network.local_net.backbone)
    memory, peak, logits = None, torch.zeros(24), []
    for t in (1, 0, 3, 2):  # the middle, the ends, the rest
        frame = clips[:, t]
        maps = glance(F.interpolate(frame, [32, 32], mode="bilinear", antialias=True))
        memory = network.policy.memory(network.policy.encoder(maps), memory)
        place = network.policy.place(memory)[0]
        seen = torch.cat([maps.mean((2, 3)), focus(crop(frame, place, 24)).mean((2, 3))], dim=1)
        peak = torch.maximum(peak, network.classifier.hidden(seen)[0])
        logits.append(peak)
    heads = network.classifier.heads
    expected = torch.stack([heads[k](logits[t]) for k, t in enumerate((0, 2, 3))])
    torch.testing.assert_close(network(clips)[:, 0], expected, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_the_network_with_one_patch_by_hand():
    plan = focus_plan("video", 4, exits=("4x1", "4x2"), global_frames=2, temporal_shift=TemporalShift("none"))
    network = lively_network(plan)
    clips = random_clips(plan, batch=1)
    glance, focus = timm_model(network.global_net.backbone), timm_model(network.local_net.backbone)
    maps = glance(clips[0, [1, 3]])  # the middles of both halves
    place = network.policy.layers(maps.flatten(0, 1)[None])[0]
    first = network.global_head(maps.mean((0, 2, 3)))
    second = first + network.local_head(focus(crop(clips[0], place, 24)).mean((0, 2, 3)))
    torch.testing.assert_close(network(clips)[:, 0], torch.stack([first, second]), atol=1e-4, rtol=1e-4)


def trained_parts(network, loss_of):
    """The parts that a loss of the training logits gives a gradient."""
    network.zero_grad()
    loss_of(network.train()(random_clips(network.plan), auxiliary=True)).backward()
    return {
        name.partition(".")[0]
        for name, p in network.named_parameters()
        if p.grad is not None and p.grad.any()
    }


def test_what_trains_what_in_the_recurrent_network():
    network = lively_network(focus_plan())
    own = {"policy", "local_net", "classifier", "global_net"}
    assert trained_parts(network, lambda out: out.exits_2EBK[0].square().sum()) == own
    assert trained_parts(network, lambda out: out.exits_2EBK[1].square().sum()) == own - {"policy"}
    assert trained_parts(network, lambda out: out.global_BTK.square().sum()) == {"global_net", "global_aux"}
    # The policy's input is cut off from the global network, so what the local one wants does not reach it.
    local = trained_parts(network, lambda out: out.local_2BTK[0].square().sum())
    assert local == {"policy", "local_net", "local_aux"}


def test_what_trains_what_with_one_patch():
    network = lively_network(focus_plan("video", exits=("4x1", "4x2")))
    assert trained_parts(network, lambda out: out.exits_2EBK.square().sum()) == {"global_head", "local_head"}
    assert trained_parts(network, lambda out: out.global_BTK.square().sum()) == {"global_net", "global_aux"}
    local = trained_parts(network, lambda out: out.local_2BTK[0].square().sum())
    assert local == {"policy", "local_net", "local_aux"}


@pytest.mark.parametrize("plan", [focus_plan(), focus_plan("video")], ids=["recurrent", "video"])
def test_the_auxiliary_pass_looks_at_random_patches_too(plan):
    network, clips = lively_network(plan), random_clips(plan)
    num_steps = 4 if plan.options.patch_per == "frame" else 1
    with torch.inference_mode():
        out, again = network(clips, auxiliary=True), network(clips, auxiliary=True)
        assert torch.equal(out.exits_2EBK[0], network(clips))
        assert torch.equal(out.exits_2EBK[0], again.exits_2EBK[0])
        assert not torch.equal(out.exits_2EBK[1], again.exits_2EBK[1])
    assert out.exits_2EBK.shape == (2, len(plan.exits), 3, 5)
    assert (out.global_BTK.shape, out.local_2BTK.shape) == ((3, num_steps, 5), (2, 3, num_steps, 5))


def test_the_shift_sees_the_frames_of_both_networks():
    """With one patch per video both networks shift among the frames that they see, and no others."""
    plan = focus_plan("video", 6, global_frames=3)
    network = lively_network(plan)
    network(random_clips(plan))
    assert (network.global_net.history.num_frames, network.local_net.history.num_frames) == (3, 6)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"backbone": "resnet51"}, "backbone: timm has no model 'resnet51'"),
        ({"local_backbone": "resnet51"}, "backbone: timm has no model 'resnet51'"),
        (
            {"local_backbone": "test_efficientnet", "temporal_shift": TemporalShift()},
            "temporal_shift: test_efficientnet has no residual block to shift",
        ),
    ],
)
def test_plans_without_a_network_are_refused(fields, says):
    with pytest.raises(PlanError) as caught:
        build_network(focus_plan(**fields), 5)
    assert says in str(caught.value)


def test_wrong_clips_are_refused():
    for plan in (focus_plan(), focus_plan("video")):
        with pytest.raises(PlanError, match="T=4"):
            lively_network(plan)(torch.zeros(1, 3, 3, 48, 48))
