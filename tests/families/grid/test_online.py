"""Frames that arrive one by one give what progressive inference gives on the finished clip."""

from dataclasses import replace

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dynsearch.errors import PlanError
from dynsearch.families.grid.online import OnlineClip, feeds_in_time
from dynsearch.plan import TemporalShift
from dynsearch.thresholds import ExitPolicy
from tests.network.nets import lively_network, random_clips
from tests.plans import plans, small_plan

NEVER = float("inf")


def fed(network, policy, clip_TCHW):
    clip = OnlineClip(network, policy)
    for count, frame in enumerate(clip_TCHW, start=1):
        clip.feed(frame)
        if clip.finished:
            return clip.last, count
    raise AssertionError("the last exit takes every clip")


@settings(max_examples=25, deadline=None)
@given(plans(), st.sampled_from(["linear", "slots"]))
def test_every_exit_answers_as_soon_as_its_frames_are_there_with_its_dense_logits(plan, head):
    assume(feeds_in_time(plan))
    plan = replace(plan, head=head)
    network, clips = lively_network(plan), random_clips(plan, batch=1)
    with torch.inference_mode():
        logits_EBK = network(clips)
    for k, exit_ in enumerate(plan.exits.exits):
        limits = [-1.0 if i == k else NEVER for i in range(len(plan.exits) - 1)]
        last, count = fed(network, ExitPolicy((*limits, -NEVER)), clips[0])
        assert (last.exit, count) == (k, plan.frames_seen(exit_))
        torch.testing.assert_close(last.logits, logits_EBK[k, 0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("confidence", ["max-softmax", "patience"])
def test_a_policy_decides_as_on_the_finished_clip(confidence):
    plan = small_plan("1x3", "2x3", "3x4", "4x5", order="sequential")
    network = lively_network(plan)
    clips = random_clips(plan, batch=8)
    with torch.inference_mode():
        middles = network(clips).softmax(dim=2).amax(dim=2).median(dim=1).values.tolist()
    policy = ExitPolicy((*(middles[:-1] if confidence == "max-softmax" else [0.5] * 3), -NEVER), confidence)
    expected = network.forward_until(clips, policy)
    online = [fed(network, policy, clip)[0] for clip in clips]
    assert [answer.exit for answer in online] == expected.exit.tolist()
    assert len(set(expected.exit.tolist())) > 1
    torch.testing.assert_close(
        torch.stack([answer.logits for answer in online]), expected.logits, atol=1e-5, rtol=1e-5
    )


def test_every_frame_is_computed_once():
    plan = small_plan("2x3", "4x5", order="sequential")
    network = lively_network(plan)
    counts = {}
    for stage in ("conv1", "layer1", "layer4"):
        module = getattr(network.backbone.model, stage)[0]
        module.register_forward_hook(
            lambda _, inputs, __, stage=stage: counts.update({stage: counts.get(stage, 0) + len(inputs[0])})
        )
    fed(network, ExitPolicy((NEVER, -NEVER)), random_clips(plan, batch=1)[0])
    assert counts == {"conv1": 4, "layer1": 4, "layer4": 4}


@pytest.mark.parametrize(
    "plan",
    [
        small_plan(order="paper"),
        small_plan("4x3", "4x5", order="sequential", temporal_shift=TemporalShift("bidirectional")),
    ],
)
def test_plans_that_need_later_frames_first_are_refused(plan):
    assert not feeds_in_time(plan)
    with pytest.raises(PlanError, match="need a grid network of frame order sequential"):
        OnlineClip(lively_network(plan), ExitPolicy((*[0.5] * (len(plan.exits) - 1), -NEVER)))
