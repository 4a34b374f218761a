"""The property the whole tool rests on: stopping at an exit gives what the dense forward gives there."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dynsearch.errors import PlanError, PolicyError
from dynsearch.plan import TemporalShift
from dynsearch.thresholds import ExitPolicy
from tests.network.backbone.names import size_of
from tests.network.nets import lively_network, random_clips
from tests.plans import plans, small_plan

NEVER, ALWAYS = float("inf"), -1.0
slowly = settings(max_examples=40, deadline=None)


def stop_at(k, num_exits):
    return ExitPolicy((*tuple(ALWAYS if i == k else NEVER for i in range(num_exits - 1)), -NEVER))


@st.composite
def plans_with_heads(draw):
    head = draw(
        st.sampled_from(["linear", "mlp", "slots", "conv", "conv128+linear", "conv+slots", "slots+linear"])
    )
    return dataclasses.replace(draw(plans()), head=head, share_heads=draw(st.booleans()))


@slowly
@given(plans_with_heads())
def test_stopping_at_an_exit_gives_its_dense_logits(plan):
    network, clips = lively_network(plan), random_clips(plan)
    with torch.inference_mode():
        logits_EBK = network(clips)
    for k in range(len(plan.exits)):
        result = network.forward_until(clips, stop_at(k, len(plan.exits)))
        assert (result.exit == k).all()
        torch.testing.assert_close(result.logits, logits_EBK[k], atol=1e-5, rtol=1e-5)
        np.testing.assert_allclose(result.cost, network.cost_E[k])


@slowly
@given(plans_with_heads(), st.integers(0, 2**32 - 1))
def test_videos_that_stop_leave_the_others_alone(plan, seed):
    """Each video stops where the policy says from the dense logits, whatever the rest of the batch does."""
    network, clips = lively_network(plan), random_clips(plan, batch=6, seed=seed)
    with torch.inference_mode():
        logits_EBK = network(clips)
    confidence_EB = logits_EBK.double().softmax(dim=2).amax(dim=2).numpy()
    middles = [float(np.sort(row)[2:4].mean()) for row in confidence_EB[:-1]]
    policy = ExitPolicy((*middles, -NEVER))
    result = network.forward_until(clips, policy)
    exit_B = policy.first_exit(confidence_EB)
    assert result.exit.tolist() == exit_B.tolist()
    expected = logits_EBK[torch.from_numpy(exit_B), torch.arange(6)]
    torch.testing.assert_close(result.logits, expected, atol=1e-5, rtol=1e-5)


@slowly
@given(plans(), st.integers(0, 4))
def test_an_exit_depends_on_no_frame_fed_later(plan, k):
    """Changing every frame beyond an exit's sets changes nothing at that exit."""
    k = min(k, len(plan.exits) - 1)
    network, clips = lively_network(plan), random_clips(plan)
    seen = list(plan.frame_order.frame_indices(plan.frames_per_set))[: plan.frames_seen(plan.exits.exits[k])]
    unseen = [t for t in range(plan.num_frames) if t not in seen]
    changed = clips.clone()
    changed[:, unseen] = 100.0
    with torch.inference_mode():
        torch.testing.assert_close(network(changed)[k], network(clips)[k], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("across_groups", [True, False])
@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("vit_tiny_patch16_224", {"stages": 4}),
        ("test_vit3", {"head": "conv128+slots"}),
        ("convnext_tiny", {}),
        ("efficientnet_b0", {"stages": 7}),
        ("densenet121", {"head": "conv128"}),
        ("swin_tiny_patch4_window7_224", {"head": "conv", "share_heads": True}),
        ("msdnet38", {"head": "conv"}),
        ("ghostnet_100", {"head": "slots"}),
        ("resnet18", {"stages": 9}),
    ],
)
def test_every_kind_of_backbone_is_exact(name, fields, across_groups):
    """Features as maps, channels-last maps, tokens and several scales; stages by tap and by block."""
    plan = small_plan(
        "1x1", "2x2", "3x4", "4x4", backbone=name, image_size=size_of(name),
        temporal_shift=TemporalShift(across_groups=across_groups), **fields,
    )  # fmt: skip
    network, clips = lively_network(plan), random_clips(plan, batch=2)
    with torch.inference_mode():
        logits_EBK = network(clips)
    for k in range(4):
        result = network.forward_until(clips, stop_at(k, 4))
        torch.testing.assert_close(result.logits, logits_EBK[k], atol=1e-4, rtol=1e-4)
    frames = list(plan.frame_order.frame_indices(1))[:3]
    clips[:, [t for t in range(4) if t not in frames]] = 9.0  # what an exit has not seen, it can't depend on
    with torch.inference_mode():
        torch.testing.assert_close(network(clips)[:3], logits_EBK[:3], atol=1e-4, rtol=1e-4)


def test_really_stops_computing():
    """Layers beyond the exit are not run, and only for the frames that are needed."""
    plan = small_plan("1x3", "2x4", "4x5")
    network, clips = lively_network(plan), random_clips(plan)
    frames_run = {}
    for stage in ("conv1", "layer1", "layer2", "layer3", "layer4"):
        module = getattr(network.backbone.model, stage)[0]
        module.register_forward_hook(
            lambda _, inputs, __, stage=stage: frames_run.update(
                {stage: frames_run.get(stage, 0) + len(inputs[0])}
            )
        )
    network.forward_until(clips, stop_at(1, 3))
    assert frames_run == {"conv1": 6, "layer1": 6, "layer2": 6, "layer3": 6}
    frames_run.clear()
    network.forward_until(clips, stop_at(2, 3))
    assert frames_run == {"conv1": 12, "layer1": 12, "layer2": 12, "layer3": 12, "layer4": 12}


def test_a_run_leaves_nothing_behind():
    plan = small_plan()
    network, clips = lively_network(plan), random_clips(plan)
    with torch.inference_mode():
        before = network(clips)
        network.forward_until(random_clips(plan, batch=5, seed=1), stop_at(2, 3))
        assert torch.equal(network(clips), before)


def test_bidirectional_shift_stops_depthwise():
    plan = small_plan("4x2", "4x4", "4x5", order="sequential", temporal_shift=TemporalShift("bidirectional"))
    network, clips = lively_network(plan), random_clips(plan)
    with torch.inference_mode():
        logits_EBK = network(clips)
    for k in range(3):
        result = network.forward_until(clips, stop_at(k, 3))
        torch.testing.assert_close(result.logits, logits_EBK[k], atol=1e-5, rtol=1e-5)


def test_wrong_clips_and_policies_are_refused():
    plan = small_plan()
    network = lively_network(plan)
    with pytest.raises(PlanError, match="T=4"):
        network(torch.zeros(1, 3, 3, 32, 32))
    with pytest.raises(PolicyError, match="2 exits"):
        network.forward_until(random_clips(plan), ExitPolicy((0.5, -NEVER)))
    with pytest.raises(PolicyError, match="abc"):
        network.forward_until(random_clips(plan), ExitPolicy((0.5, 0.5, -NEVER), plan_id="abc"))
