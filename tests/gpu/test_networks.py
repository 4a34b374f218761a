"""On a GPU the networks give what they give on a CPU, and stop early as they do densely."""

import numpy as np
import pytest
import torch

from dynsearch.network.runtimes import runtime_for
from dynsearch.training.device import pick_device
from tests.families.grid.test_progressive import stop_at
from tests.network.nets import lively_network, random_clips
from tests.network.runtimes.test_runtimes import assert_same_answers
from tests.plans import compressed_plan, focus_plan, small_plan

PLANS = {
    "residual": small_plan("1x3", "2x4", "4x5"),
    "real size": small_plan("2x3", "4x4", "4x5", backbone="resnet18", image_size=224),
    "depth-wise convolutions": small_plan("1x3", "2x4", "4x5", backbone="mobilenetv2_035", image_size=64),
    "transformer": small_plan("1x3", "2x4", "4x4", backbone="test_vit", image_size=160),
    "multi-scale": small_plan("1x2", "2x3", "4x5", backbone="msdnet38", image_size=64),
    "a patch a frame": focus_plan(),
    "a patch a video": focus_plan("video"),
    "compressed": compressed_plan("4x5", "8x5"),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_gpu_computes_what_a_cpu_does_and_stops_early_alike(name):
    plan = PLANS[name]
    network, clips = lively_network(plan), random_clips(plan)
    with torch.inference_mode():
        expected_EBK = network(clips)
        device = pick_device()
        network.to(device=device, memory_format=torch.channels_last)
        logits_EBK = network(clips.to(device))
    scale = expected_EBK.abs().max()
    torch.testing.assert_close(logits_EBK.cpu() / scale, expected_EBK / scale, atol=1e-4, rtol=0)
    for k in range(len(plan.exits)):
        result = network.forward_until(clips.to(device), stop_at(k, len(plan.exits)))
        assert (np.asarray(result.exit) == k).all()
        torch.testing.assert_close(
            result.logits.cpu() / scale, logits_EBK[k].cpu() / scale, atol=1e-4, rtol=0
        )


@pytest.mark.parametrize("name", PLANS)
def test_recorded_graphs_give_what_the_network_gives(name):
    """In batches as they come, filled up, and waiting; nothing had to run unrecorded."""
    told = []
    network = lively_network(PLANS[name]).to(device=pick_device(), memory_format=torch.channels_last)
    runtime, steps = runtime_for("auto", network, told.append)
    assert_same_answers(network, steps, (None, 3))
    assert (runtime, told) == ("graphs", [])
