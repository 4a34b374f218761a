import pytest
import safetensors.torch
import torch

from dynsearch.errors import WeightsError
from dynsearch.families import build_network
from dynsearch.network.weights.files import read_weights
from dynsearch.network.weights.start import wake_residual_branches
from tests.network.nets import random_clips
from tests.plans import small_plan


def test_a_fresh_network_sees_other_frames_only_once_its_branches_are_awake():
    """Changing the frame fed first moves the features of the frame fed next through the shift, or not at all."""
    network = build_network(small_plan("2x5", order="sequential"), 5).eval()
    clips = random_clips(network.plan)
    changed = clips.clone()
    changed[:, 0] += 1
    last = []
    network.backbone.model.layer4[0].register_forward_hook(lambda *args: last.append(args[-1][1::2]))
    for wake in (False, True):
        if wake:
            wake_residual_branches(network)
        last.clear()
        with torch.inference_mode():
            network(clips)
            network(changed)
        assert torch.equal(*last) is not wake


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_weights_of_a_training_that_diverged_are_refused_by_name(tmp_path, value):
    tensors = {"a.weight": torch.ones(3), "b.weight": torch.tensor([1.0, value]), "count": torch.tensor(3)}
    torch.save({"state_dict": tensors}, tmp_path / "w.pth")
    safetensors.torch.save_file(tensors, tmp_path / "w.safetensors")
    for path in tmp_path.iterdir():
        with pytest.raises(WeightsError, match="b.weight holds values that are not finite numbers"):
            read_weights(path)
