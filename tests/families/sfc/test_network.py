import pytest
import torch

from dynsearch.errors import PlanError
from dynsearch.families import build_network
from dynsearch.plan import ExitPlacement, FrameOrder, TemporalShift
from tests.network.backbone.names import size_of
from tests.network.nets import lively_network, random_clips
from tests.plans import compressed_plan, small_plan


@pytest.mark.parametrize(
    ("backbone", "split"),
    [
        ("test_resnet", 2),
        ("test_resnet", 4),
        ("vit_tiny_patch16_224", 1),
        ("swin_tiny_patch4_window7_224", 2),
    ],
)
def test_compressing_nothing_gives_the_base(backbone, split):
    """With ratios of one and an attention that looks nowhere else, every feature stays what it is."""
    depth = {"test_resnet": 5, "vit_tiny_patch16_224": 3, "swin_tiny_patch4_window7_224": 4}[backbone]
    stages = 3 if backbone.startswith("vit") else None
    plan = compressed_plan(
        f"4x{depth}", num_frames=4, backbone=backbone, split=split, time_ratio=1, image_size=size_of(backbone),
        stages=stages, temporal_shift=TemporalShift("bidirectional"),
    )  # fmt: skip
    network = lively_network(plan)
    clips = random_clips(plan, batch=2)
    with torch.inference_mode():
        network.compression.elsewhere.fill_(1e4)
        network.compression.away.fill_(1e4)
        torch.testing.assert_close(network(clips), network.base(clips), atol=1e-3, rtol=1e-3)


def test_the_tail_gets_compressed_features():
    """Head by the base's own stages, then the module, then the base's tail, one after the other."""
    plan = compressed_plan(
        num_frames=6, time_ratio=3, side_ratio=2, split=3, temporal_shift=TemporalShift("none")
    )
    network, clips = lively_network(plan), random_clips(plan, batch=1)
    model = network.base.backbone.model
    with torch.inference_mode():
        x = model.maxpool(model.act1(model.bn1(model.conv1(clips[0]))))
        x = model.layer2(model.layer1(x))
        few = network.compression(x.flatten(2).transpose(1, 2)[None], 2)[0]
        side = -(-x.shape[-1] // 2)
        y = model.layer4(model.layer3(few.transpose(1, 2).unflatten(2, (side, side))))
        expected = network.base.heads[0](y.mean(dim=(0, 2, 3))[None])
        torch.testing.assert_close(network(clips)[0], expected, atol=1e-4, rtol=1e-4)


def test_only_the_compression_is_trained():
    network = lively_network(compressed_plan()).train()
    before = {name: value.clone() for name, value in network.base.state_dict().items()}
    network(random_clips(network.plan)).square().sum().backward()
    trained = {name.partition(".")[0] for name, p in network.named_parameters() if p.grad is not None}
    assert trained == {"compression"}
    assert all(p.grad.any() for name, p in network.compression.named_parameters() if name != "elsewhere")
    assert all(torch.equal(value, before[name]) for name, value in network.base.state_dict().items())


def test_the_base_is_the_grid_network_of_as_many_frames_as_the_tail_sees():
    plan = compressed_plan(time_ratio=4)
    grid = small_plan("2x5", num_frames=2, num_sets=2, order="sequential", image_size=48)
    assert set(lively_network(plan).base.state_dict()) == set(build_network(grid, 5).state_dict())
    assert plan.options.base(plan) == grid


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"backbone": "resnet51"}, "backbone: timm has no model 'resnet51'"),
        ({"exits": ExitPlacement.of("8x7"), "split": 6}, "exits: an exit at depth 7 lies outside the grid"),
        (
            {"backbone": "vit_tiny_patch16_224", "side_ratio": 2, "stages": 5, "image_size": 64},
            "options.side_ratio: stage 3 of vit_tiny_patch16_224 hands on no maps",
        ),
        (
            {"backbone": "msdnet38", "image_size": 64},
            "backbone: stage 3 of msdnet38 hands on maps of several scales, compression needs one",
        ),
    ],
)
def test_plans_without_a_network_are_refused(fields, says):
    fields = dict(fields)
    exits = map(str, fields.pop("exits").exits) if "exits" in fields else ()
    with pytest.raises(PlanError) as caught:
        build_network(compressed_plan(*exits, **fields), 5)
    assert says in str(caught.value)


def test_an_unnamed_order_has_a_sequential_base():
    plan = compressed_plan("4x5", num_frames=4, temporal_shift=TemporalShift("none"))
    assert plan.options.base(plan).frame_order == FrameOrder.named("sequential", 2)
