"""Counts of every backbone against counters that know nothing of stages."""

import pytest
import timm
import torch
from fvcore.nn import FlopCountAnalysis
from torch import nn

from dynsearch.cost import count_macs
from dynsearch.cost.backbone import backbone_cost
from dynsearch.families import cost_table
from dynsearch.network.backbone.timm_models import create_timm_model
from dynsearch.plan import ExitPlacement, FrameOrder, Plan
from tests.network.backbone.names import MINIATURES, NAMED, size_of

# fvcore misses fused attention, and counts the norms of ConvNeXt and the like as something else.
FVCORE = [name for name in NAMED if not name.startswith(("vit", "deit", "swin"))]


class Features(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model.forward_features(x)


@pytest.mark.parametrize("name", [*NAMED, *MINIATURES])
def test_stages_add_up_to_torchs_count_of_the_whole_model(name):
    size = size_of(name)
    cost = backbone_cost(name, size)
    with torch.device("meta"):
        model = create_timm_model(name, size).eval()
        x = torch.empty(1, 3, size, size)
    assert cost.cumulative_macs[-1] == count_macs(model.forward_features, x)
    model = create_timm_model(name, size).eval()
    model.forward_features(torch.zeros(1, 3, size, size)).sum().backward()  # No gradient behind the features.
    used = sum(p.numel() for p in model.parameters() if p.grad is not None)
    assert sum(stage.parameters for stage in cost.stages) == used


@pytest.mark.parametrize("name", FVCORE)
def test_stages_add_up_to_fvcores_count_of_the_whole_model(name):
    size = size_of(name)
    model = create_timm_model(name, size).eval()
    counted = FlopCountAnalysis(Features(model), torch.zeros(1, 3, size, size))
    counted.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    operators = counted.by_operator()
    assert operators["conv"] + operators["linear"] == backbone_cost(name, size).cumulative_macs[-1]


@pytest.mark.parametrize("num_stages", [1, 4, 9])
def test_finer_stages_cost_the_same(num_stages):
    whole, cut = backbone_cost("resnet18", 64), backbone_cost("resnet18", 64, num_stages)
    assert len(cut.stages) == num_stages
    assert cut.cumulative_macs[-1] == whole.cumulative_macs[-1]
    assert sum(s.parameters for s in cut.stages) == sum(s.parameters for s in whole.stages)


def test_a_classifier_is_timms_own():
    """One linear head behind everything is timm's model with that many classes."""
    plan = Plan("regnety_008", 1, FrameOrder.named("sequential", 1), ExitPlacement.of("1x5"))
    table = cost_table(plan, 1000)
    model = timm.create_model("regnety_008")
    assert table.parameters == sum(p.numel() for p in model.parameters())
    with torch.device("meta"):
        model = timm.create_model("regnety_008").eval()
        assert round(table.cost_E[0] * 1e9) == count_macs(model, torch.empty(1, 3, 224, 224))
