"""The one-shot network against the plans' own networks."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dynsearch.errors import PlanError
from dynsearch.families import build_network
from dynsearch.families.grid.one_shot import OneShotNetwork
from dynsearch.plan import Exit, ExitPlacement, FrameOrder, TemporalShift
from tests.network.nets import enliven, random_clips
from tests.plans import NUM_STAGES, plans, small_plan


def one_shot(trunk, **options):
    torch.manual_seed(0)
    return enliven(OneShotNetwork(trunk, 5, **options))


def trunk_of(plan, num_sets):
    """The trunk whose sets are so small that ``plan`` is one of its plans."""
    last = ExitPlacement((Exit(num_sets, NUM_STAGES),))
    return replace(plan, frame_order=FrameOrder.named("sequential", num_sets), exits=last)


@settings(max_examples=25, deadline=None)
@given(plans(), st.booleans(), st.booleans())
def test_a_plans_own_network_with_the_same_weights_gives_the_same_logits(plan, share_heads, finest):
    """Over exits, orders, groups, shifts across groups or not, none at all, and sets of one frame or several."""
    trunk = trunk_of(plan, plan.num_frames if finest else plan.num_sets)
    trunk = replace(trunk, temporal_shift=TemporalShift("online", plan.temporal_shift.div))
    network = one_shot(trunk, share_heads=share_heads)
    own = build_network(plan, 5).eval()
    weights = network.weights_of(plan)
    own.load_state_dict({name: weights[name] for name in own.state_dict()})
    clips = random_clips(plan)
    with torch.inference_mode():
        expected = own(clips)
        got = network(clips, plan.frame_order, plan.temporal_shift, plan.exits.exits)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("head", ["conv128", "conv+linear", "slots", "mlp+slots"])
@pytest.mark.parametrize("share_heads", [False, True])
def test_heads_of_every_kind(head, share_heads):
    plan = small_plan("1x3", "2x3", "2x4", "4x5", head=head, image_size=64)
    network = one_shot(trunk_of(plan, 4), share_heads=share_heads, first_depth=3)
    own = build_network(plan, 5).eval()
    weights = network.weights_of(plan)
    own.load_state_dict({name: weights[name] for name in own.state_dict()})
    clips = random_clips(plan)
    with torch.inference_mode():
        got = network(clips, plan.frame_order, plan.temporal_shift, plan.exits.exits)
        torch.testing.assert_close(got, own(clips), atol=1e-5, rtol=1e-5)


def test_a_last_exit_with_a_head_of_another_kind_begins_afresh():
    plan = small_plan("1x3", "2x4", head="conv+linear", image_size=64)
    names = one_shot(trunk_of(plan, 4)).weights_of(plan)
    assert any(name.startswith("heads.0.convs") for name in names)
    assert not [name for name in names if name.startswith("heads.1")]


def test_cells_may_come_in_any_sequence():
    plan = small_plan()
    network, clips = one_shot(trunk_of(plan, 4)), random_clips(plan)
    cells = [Exit(4, 5), Exit(1, 2), Exit(3, 5), Exit(4, 1)]
    with torch.inference_mode():
        together = network(clips, plan.frame_order, plan.temporal_shift, cells)
        alone = [network(clips, plan.frame_order, plan.temporal_shift, [cell])[0] for cell in cells]
    torch.testing.assert_close(together, torch.stack(alone), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"cells": [Exit(1, 1)]}, "exits: there is no head after 1 frames at depth 1"),
        ({"cells": [Exit(5, 3)]}, "exits: there is no head after 5 frames at depth 3"),
        ({"order": FrameOrder.named("paper", 3)}, "frame_order: 3 sets can't be made of the trunk's 4"),
        ({"shift": TemporalShift("online", 4)}, "temporal_shift: the trunk has online shift 1/8, asked for"),
    ],
)
def test_what_the_trunk_does_not_hold_is_refused(change, says):
    plan = small_plan()
    given = {"order": plan.frame_order, "shift": plan.temporal_shift, "cells": [Exit(4, 5)]} | change
    with pytest.raises(PlanError, match=says):
        one_shot(trunk_of(plan, 4), first_depth=2)(random_clips(plan), **given)
    with pytest.raises(PlanError, match="a trunk has one exit, after all sets, got 1x3 2x4 4x5"):
        OneShotNetwork(plan, 5)
