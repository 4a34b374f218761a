"""Where the temporal shift goes in, on any backbone."""

import pytest
import timm
import torch

from dynsearch.network.backbone.branches import Branch, find_branch
from dynsearch.network.backbone.cutting import anatomy
from dynsearch.plan import TemporalShift
from tests.network.backbone.names import MINIATURES, NAMED, NO_BRANCH, size_of
from tests.network.nets import lively_network, random_clips
from tests.plans import small_plan


@pytest.mark.parametrize(
    ("name", "count", "first"),
    [
        ("resnet50", 16, "layer1.0.conv1"),  # TSM's "blockres": every residual block
        ("resnet101", 33, "layer1.0.conv1"),
        ("mobilenetv2_100", 10, "blocks.1.1.conv_pw"),  # TSM: the 10 blocks that have a skip
        ("efficientnet_b0", 9, "blocks.1.1.conv_pw"),  # 16 blocks, 7 of them change size or width
        ("ghostnet_100", 16, "blocks.0.0.ghost1.primary_conv.0"),
        ("convnext_tiny", 18, "stages.0.blocks.0.conv_dw"),
        ("densenet121", 58, "features.denseblock1.denselayer1.norm1"),  # 6 + 12 + 24 + 16
        ("vit_tiny_patch16_224", 12, "blocks.0.norm1"),
        ("swin_tiny_patch4_window7_224", 12, "layers.0.blocks.0.norm1"),
        ("msdnet38", 35, "blocks.0.0.same.scale4.squeeze.conv"),  # every layer but the stem
    ],
)
def test_number_of_residual_branches(name, count, first):
    branches = anatomy(name, size_of(name)).branches
    assert (len(branches), branches[0].name) == (count, first)


@pytest.mark.parametrize("name", [*NAMED, *MINIATURES])
def test_every_backbone_has_branches(name):
    assert bool(anatomy(name, size_of(name)).branches) == (name not in NO_BRANCH)


def test_a_block_without_identity_has_no_branch():
    block = torch.nn.Sequential(
        torch.nn.Conv2d(4, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(4, 4, 1)
    )
    assert find_branch("b", block, torch.zeros(3, 4, 5, 5)) is None


def test_the_projection_beside_a_branch_is_not_taken_for_it():
    """These blocks compute their shortcut first."""
    block = timm.create_model("test_nfnet", num_classes=0).eval().stages[1][0]
    order = []
    for name, module in block.named_modules():
        module.register_forward_hook(lambda *_, name=name: order.append(name))
    assert find_branch("b", block, torch.zeros(3, 32, 8, 8)) == Branch("b.conv1", 1, 32, "b", (1, 32))
    assert order.index("downsample.conv") < order.index("conv1")


@pytest.mark.parametrize(
    ("name", "layer", "axis"),
    [("test_vit", "blocks.0.norm1", 2), ("swin_tiny_patch4_window7_224", "layers.0.blocks.0.norm1", 3)],
)
@pytest.mark.parametrize("kind", ["online", "bidirectional"])
def test_tokens_and_channels_last_maps_are_shifted_along_their_channels(name, layer, axis, kind):
    plan = small_plan(
        "4x1", backbone=name, image_size=size_of(name), order="sequential", temporal_shift=TemporalShift(kind)
    )
    network = lively_network(plan)
    seen = {}
    block = network.backbone.model.get_submodule(layer.rpartition(".")[0])
    block.register_forward_pre_hook(lambda _, args: seen.update(x=args[0]))
    block.norm1.register_forward_hook(lambda _, args, __: seen.update(shifted=args[0]))
    with torch.inference_mode():
        network(random_clips(plan, batch=1))
    x, shifted = seen["x"].movedim(axis, 1), seen["shifted"].movedim(axis, 1)
    fold = x.shape[1] // 8
    expected = x.clone()
    zero = torch.zeros_like(x[:1, :fold])
    if kind == "online":
        expected[:, :fold] = torch.cat([zero, x[:-1, :fold]])
    else:
        expected[:, :fold] = torch.cat([x[1:, :fold], zero])
        expected[:, fold : 2 * fold] = torch.cat([zero, x[:-1, fold : 2 * fold]])
    assert torch.equal(shifted, expected)


def test_msdnet_is_shifted_at_the_coarsest_scale_only():
    """Shifted on its way into the convolution; the features handed on to the next layer are not."""
    plan = small_plan("4x1", backbone="msdnet38", image_size=64, order="sequential")
    network = lively_network(plan)
    layer = network.backbone.model.blocks[0][0]
    seen = {}
    layer.register_forward_hook(lambda _, args, out: seen.update(scales=args[0], out=out))
    layer.same["scale4"].squeeze.conv.register_forward_hook(lambda _, args, __: seen.update(x4=args[0]))
    layer.same["scale3"].squeeze.conv.register_forward_hook(lambda _, args, __: seen.update(x3=args[0]))
    with torch.inference_mode():
        network(random_clips(plan, batch=1))
    coarsest = seen["scales"][3]
    fold = coarsest.shape[1] // 8
    assert torch.equal(seen["x4"][1:, :fold], coarsest[:-1, :fold])
    assert torch.equal(seen["x4"][:, fold:], coarsest[:, fold:])
    assert torch.equal(seen["x3"], seen["scales"][2])
    assert torch.equal(seen["out"][3][:, : coarsest.shape[1]], coarsest)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_branches_are_found_where_gradients_are_off(mode):
    anatomy.cache_clear()
    with mode():
        assert len(anatomy("resnet18", 64).branches) == 8
