"""Stopping at an exit gives what the dense forward gives there: the families that are no grid."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dynsearch.errors import PolicyError
from dynsearch.plan import NAMED_ORDERS, TemporalShift
from dynsearch.thresholds import ExitPolicy
from tests.families.grid.test_progressive import NEVER, stop_at
from tests.network.nets import lively_network, random_clips
from tests.plans import compressed_plan, focus_plan

slowly = settings(max_examples=12, deadline=None)
shifts = st.builds(TemporalShift, st.sampled_from(["none", "online"]), st.just(8), st.booleans())


@st.composite
def recurrent_plans(draw):
    num_sets, frames_per_set = draw(st.sampled_from([(1, 1), (3, 1), (4, 1), (3, 2)]))
    ends = sorted(draw(st.sets(st.integers(1, num_sets), min_size=1)))
    return focus_plan(
        exits=[f"{end}x1" for end in ends],
        num_frames=num_sets * frames_per_set,
        num_sets=num_sets,
        order=draw(st.sampled_from(sorted(NAMED_ORDERS))),
        temporal_shift=draw(shifts),
        global_size=draw(st.sampled_from([None, 32])),
    )


@st.composite
def one_patch_plans(draw):
    num_frames = draw(st.integers(2, 5))
    exits = draw(st.sampled_from([("x2",), ("x1", "x2")]))
    return focus_plan(
        "video",
        num_frames,
        exits=[f"{num_frames}{depth}" for depth in exits],
        global_frames=draw(st.sampled_from([None, 2])),
        temporal_shift=draw(st.sampled_from([TemporalShift("bidirectional"), TemporalShift("none")])),
    )


@st.composite
def compressed_plans(draw):
    num_sets = draw(st.sampled_from([3, 4]))
    ends = sorted(draw(st.sets(st.integers(1, num_sets), min_size=1)))
    return compressed_plan(
        *(f"{end}x5" for end in ends),
        num_frames=num_sets * draw(st.integers(1, 2)),
        num_sets=num_sets,
        order=draw(st.sampled_from(sorted(NAMED_ORDERS))),
        temporal_shift=draw(shifts),
        split=draw(st.integers(1, 4)),
        time_ratio=draw(st.integers(1, 3)),
        side_ratio=draw(st.integers(1, 2)),
    )


any_plan = st.one_of(recurrent_plans(), one_patch_plans(), compressed_plans())


@slowly
@given(any_plan)
def test_stopping_at_an_exit_gives_its_dense_logits(plan):
    network, clips = lively_network(plan), random_clips(plan)
    with torch.inference_mode():
        logits_EBK = network(clips)
    for k in range(len(plan.exits)):
        result = network.forward_until(clips, stop_at(k, len(plan.exits)))
        assert (result.exit == k).all()
        torch.testing.assert_close(result.logits, logits_EBK[k], atol=1e-4, rtol=1e-4)
        np.testing.assert_allclose(result.cost, network.cost_E[k])
    with torch.inference_mode():  # A run leaves nothing behind.
        assert torch.equal(network(clips), logits_EBK)


@slowly
@given(any_plan, st.integers(0, 2**32 - 1))
def test_videos_that_stop_leave_the_others_alone(plan, seed):
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
    torch.testing.assert_close(result.logits, expected, atol=1e-4, rtol=1e-4)


@slowly
@given(st.one_of(recurrent_plans(), compressed_plans()), st.integers(0, 3))
def test_an_exit_depends_on_no_frame_fed_later(plan, k):
    exit_ = plan.exits.exits[min(k, len(plan.exits) - 1)]
    network, clips = lively_network(plan), random_clips(plan)
    seen = list(plan.frame_order.frame_indices(plan.frames_per_set))[: plan.frames_seen(exit_)]
    changed = clips.clone()
    changed[:, [t for t in range(plan.num_frames) if t not in seen]] = 9.0
    k = plan.exits.exits.index(exit_)
    with torch.inference_mode():
        torch.testing.assert_close(network(changed)[k], network(clips)[k], atol=1e-4, rtol=1e-4)


def test_really_stops_computing():
    network = lively_network(focus_plan())
    counts = {"global_net": 0, "local_net": 0}
    for name in counts:
        stem = network.get_submodule(name).backbone.model.conv1[0]

        def count(module, inputs, output, name=name):
            counts[name] += len(output)

        stem.register_forward_hook(count)
    network.forward_until(random_clips(network.plan), stop_at(1, 4))
    assert counts == {"global_net": 6, "local_net": 6}


@pytest.mark.parametrize("plan", [focus_plan(), focus_plan("video", exits=("4x1", "4x2"))])
def test_policies_of_other_networks_are_refused(plan):
    network = lively_network(plan)
    with pytest.raises(PolicyError, match="3 exits"):
        network.forward_until(random_clips(plan), ExitPolicy((0.5, 0.5, -NEVER)))
