import copy

import pytest
import torch
from torch import nn

from dynsearch.errors import InputError
from dynsearch.training import TrainingConfig
from dynsearch.training.data_parallel import convert_norms
from dynsearch.training.stepper import Stepper
from tests.network.nets import lively_network, random_clips
from tests.plans import small_plan


@pytest.mark.parametrize("backbone", ["test_resnet", "resnetv2_18d"])
def test_synchronised_norms_are_the_same_function(backbone):
    """Also where norms come with an activation and have a shift before them, as in the second one."""
    plan = small_plan("1x3", "4x4", backbone=backbone)
    network = lively_network(plan)
    converted = copy.deepcopy(network)
    convert_norms(converted)
    kinds = [type(module) for module in converted.modules()]
    assert nn.BatchNorm2d not in kinds
    assert any(issubclass(kind, nn.SyncBatchNorm) for kind in kinds)
    assert list(converted.state_dict()) == list(network.state_dict())
    with torch.inference_mode():
        torch.testing.assert_close(converted(random_clips(plan)), network(random_clips(plan)))


def test_synchronised_norms_need_gpus():
    settings = TrainingConfig(sync_batch_norm=True)
    with pytest.raises(InputError, match=r"training.sync_batch_norm: needs GPUs\. Set it to false"):
        Stepper(lively_network(small_plan()), settings, torch.device("cpu"))
