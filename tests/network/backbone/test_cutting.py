"""Every backbone, cut into stages, is still timm's model."""

import pytest
import timm
import torch

from dynsearch.errors import PlanError
from dynsearch.network.backbone.backbone import Backbone
from dynsearch.network.backbone.cutting import anatomy
from dynsearch.network.backbone.stages import choose_cuts
from dynsearch.network.backbone.timm_models import create_timm_model
from tests.network.backbone.names import MINIATURES, NAMED, size_of


def run_stages(backbone, x):
    states = []
    for stage in range(len(backbone.stages)):
        x = backbone.forward_stage(x, stage)
        states.append(x)
    return states


@pytest.mark.parametrize("name", [*NAMED, *MINIATURES])
def test_stages_in_a_row_are_timms_model(name):
    """In eval mode and, with dropout and stochastic depth drawing the same numbers, in train mode."""
    torch.manual_seed(0)
    size = size_of(name)
    backbone = Backbone(name, size, depth=len(anatomy(name, size).cuts))
    x = torch.randn(2, 3, size, size)
    with torch.no_grad():
        backbone.eval()
        assert torch.equal(run_stages(backbone, x)[-1], backbone.model.forward_features(x))
        backbone.train()
        torch.manual_seed(1)
        staged = run_stages(backbone, x)[-1]
        torch.manual_seed(1)
        assert torch.equal(staged, backbone.model.forward_features(x))


@pytest.mark.parametrize("name", ["resnet10t", "regnety_008", "convnext_tiny", "test_vit", "test_byobnet"])
def test_stages_end_at_timms_feature_taps(name):
    torch.manual_seed(0)
    size = size_of(name)
    backbone = Backbone(name, size, depth=len(anatomy(name, size).cuts)).eval()
    x = torch.randn(2, 3, size, size)
    with torch.inference_mode():
        states = run_stages(backbone, x)
        features = backbone.model.forward_intermediates(x, intermediates_only=True)
    assert len(states) == len(features)
    for stage, state, feature in zip(backbone.stages[:-1], states, features, strict=False):
        torch.testing.assert_close(stage.layout.to_map(state), feature)


@pytest.mark.parametrize("num_stages", [1, 2, 4, 5, 7, 9])
def test_any_number_of_stages_is_the_same_model(num_stages):
    backbone = Backbone("resnet18", 64, num_stages, num_stages).eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        states = run_stages(backbone, x)
        assert len(states) == num_stages
        assert torch.equal(states[-1], backbone.model.forward_features(x))


@pytest.mark.parametrize(
    ("name", "num_stages", "channels"),
    [
        ("resnet18", None, [64, 64, 128, 256, 512]),
        ("resnet18", 4, [64, 128, 256, 512]),  # the stem joins the first residual stage
        ("resnet18", 9, [64, 64, 64, 128, 128, 256, 256, 512, 512]),  # one per residual block
        ("msdnet38", None, [576, 640, 608, 528, 976]),  # seeds' table of exits, coarsest scale
    ],
)
def test_stages_have_these_channels(name, num_stages, channels):
    cuts = choose_cuts(anatomy(name, 224), num_stages)
    assert [cut.layout.channels for cut in cuts] == channels


def test_a_transformer_is_cut_evenly():
    blocks = [c.node for c in anatomy("vit_tiny_patch16_224", 224).cuts]
    chosen = [c.node for c in choose_cuts(anatomy("vit_tiny_patch16_224", 224), 4)]
    assert chosen == [blocks[2], blocks[5], blocks[8], blocks[11]]


@pytest.mark.parametrize(
    ("name", "size", "says"),
    [
        ("hrnet_w18_small", 64, "between blocks it does more than pass on features"),
        ("mvitv2_tiny", 224, "nowhere inside it is a single value alive"),
        ("test_maxvit", 50, "refuses 50 px"),
    ],
)
def test_what_cannot_be_cut_says_why(name, size, says):
    with pytest.raises(PlanError, match=f"{name} can't be cut into stages: .*{says}"):
        anatomy(name, size)


def test_a_size_the_backbone_cannot_be_built_for():
    with pytest.raises(PlanError, match="image_size: test_coatnet can't be built for 0 px"):
        create_timm_model("test_coatnet", 0)


@pytest.mark.parametrize("name", ["mobilenetv3_large_100", "test_vit", "resnet18", "msdnet38"])
def test_only_what_runs_has_parameters(name):
    """No parameter of a deeper stage or a classifier is trained, saved or counted."""
    size = size_of(name)
    backbone = Backbone(name, size, depth=3).train()
    run_stages(backbone, torch.randn(2, 3, size, size))
    state = run_stages(backbone, torch.randn(2, 3, size, size))[-1]
    sum(part.square().sum() for part in (state if isinstance(state, list) else [state])).backward()
    assert all(parameter.grad is not None for parameter in backbone.parameters())
    known = set(timm.create_model(name).state_dict())
    assert {key.removeprefix("model.") for key in backbone.state_dict()} < known
