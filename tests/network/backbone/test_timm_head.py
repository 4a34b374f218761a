"""The last exit reads what timm's classifier reads; timm's own models are the truth."""

import math

import pytest
import timm
import torch

from dynsearch.cost.counter import count_macs, count_parameters
from dynsearch.families import build_network, cost_table, family_of
from dynsearch.families.grid.one_shot import OneShotNetwork
from dynsearch.network.backbone.stages import backbone_stages
from dynsearch.plan import Plan
from dynsearch.thresholds import ExitPolicy
from tests.network.nets import enliven, random_clips
from tests.plans import focus_plan

QUICK = [
    ("mobilenetv3_small_050", 32), ("test_convnext", 32), ("test_vit", 64), ("test_vit3", 64), ("efficientvit_b0", 64),
    ("eva02_tiny_patch14_224", 56), ("dla46_c", 32), ("resnet10t", 32),
]  # fmt: skip
SLOW = [
    ("repghostnet_050", 32), ("xcit_nano_12_p16_224", 64), ("tiny_vit_5m_224", 64), ("mambaout_femto", 64),
    ("caformer_s18", 64), ("efficientformer_l1", 224),
]  # fmt: skip
MODELS = [*QUICK, *(pytest.param(*model, marks=pytest.mark.slow) for model in SLOW)]
CLASSES = 6


def timm_model(name, size):
    torch.manual_seed(0)
    options = {"img_size": size} if timm.get_pretrained_cfg(name).fixed_input_size else {}
    model = timm.create_model(name, num_classes=CLASSES, **options).eval().requires_grad_(False)
    for parameter in model.parameters():
        if not parameter.any():
            parameter.normal_(0, 0.02)
    return model


def plan_of(name, size, frames=1, *, shallow=False, **fields):
    depth = len(backbone_stages(name, size, None))
    exits = [f"1x{depth - 1}", f"{frames}x{depth}"] if shallow else [f"{frames}x{depth}"]
    return Plan(name, frames, "sequential", exits, size, **({"temporal_shift": "none"} | fields))


def loaded_network(plan, model, path):
    torch.save(model.state_dict(), path)
    network = enliven(build_network(plan, CLASSES))
    return network, family_of(plan).start(network, pretrained=False, weights=path)


@pytest.mark.parametrize(("name", "size"), MODELS)
def test_with_timms_classifier_one_frame_gets_timms_logits(tmp_path, name, size):
    model, plan = timm_model(name, size), plan_of(name, size)
    network, (loaded,) = loaded_network(plan, model, tmp_path / "timm.pth")
    frames = torch.randn(2, 3, size, size)
    with torch.inference_mode():
        expected, logits = model(frames), network(frames[:, None])[-1]
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    assert loaded.heads == (str(plan.exits.last),)
    assert not loaded.left
    if name != "efficientformer_l1":  # It has a second classifier, distilled.
        table = cost_table(plan, CLASSES)
        assert table.parameters == count_parameters(network) == count_parameters(model)
        assert round(table.cost_E[-1] * 1e9) == count_macs(model, frames[:1])


@pytest.mark.parametrize(
    ("name", "size"), [("test_vit", 64), ("mobilenetv3_small_050", 32), ("test_convnext", 64)]
)
def test_stopping_at_an_exit_gives_the_dense_logits(name, size):
    plan = plan_of(name, size, 4, shallow=True, temporal_shift="online")
    network = enliven(build_network(plan, CLASSES))
    clips = random_clips(plan)
    with torch.inference_mode():
        dense = network(clips)
    for k, threshold in enumerate((-math.inf, math.inf)):
        result = network.forward_until(clips, ExitPolicy((threshold, -math.inf)))
        torch.testing.assert_close(result.logits, dense[k], rtol=1e-4, atol=1e-4)


def test_earlier_exits_read_the_class_token_where_the_model_does():
    plan = plan_of("test_vit", 64, shallow=True)
    network = enliven(build_network(plan, CLASSES))
    x = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        logits = network(x[:, None])[0]
        model = network.backbone.model
        tokens = model.forward_intermediates(x, intermediates_only=True, return_prefix_tokens=True)[-2][1]
        expected = network.heads[0](tokens[:, 0])
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)


def test_the_one_shot_network_reads_alike():
    plan = plan_of("test_convnext", 64, 2, shallow=True, temporal_shift="online")
    torch.manual_seed(0)
    trunk = plan_of("test_convnext", 64, 2, temporal_shift="online")
    whole, own = enliven(OneShotNetwork(trunk, CLASSES)), build_network(plan, CLASSES).eval()
    own.load_state_dict({name: whole.weights_of(plan)[name] for name in own.state_dict()})
    clips = random_clips(plan)
    with torch.inference_mode():
        got = whole(clips, plan.frame_order, plan.temporal_shift, plan.exits.exits)
        torch.testing.assert_close(got, own(clips), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("patch_per", ["frame", "video"])
def test_adafocus_reads_both_backbones_so(patch_per):
    plan = focus_plan(
        patch_per, backbone="mobilenetv3_small_050", local_backbone="test_convnext", patch_size=32
    )
    network = enliven(build_network(plan, CLASSES))
    frames = torch.randn(1, 4, 3, 48, 48)
    with torch.inference_mode():
        _, features = network.global_net(frames)
        model = network.global_net.backbone.model
        expected = model.forward_head(model.forward_features(frames[0]), pre_logits=True)
    torch.testing.assert_close(features[0], expected, rtol=1e-5, atol=1e-5)
    assert cost_table(plan, CLASSES).parameters == count_parameters(network)


class TestPlansOfBefore:
    """A plan that an earlier version wrote keeps its id and its network."""

    @pytest.mark.parametrize(
        ("name", "exits", "plan_id"),
        [("vit_tiny_patch16_224", ["2x12", "4x12"], "7dca02a66c75"), ("test_vit", ["4x3"], "80d430d31095"),
         ("resnet18", ["4x5"], "4733b97ec7d8")],
    )  # fmt: skip
    def test_ids(self, name, exits, plan_id):
        fields = {
            "num_frames": 4,
            "num_sets": 4,
            "image_size": 64,
            "frame_order": "sequential",
            "exits": exits,
        }
        shift = {"kind": "online", "div": 8, "across_groups": True}
        old = {"family": "grid", "backbone": name, "temporal_shift": shift, "head": "linear"} | fields
        plan = Plan.from_dict(old)
        assert (plan.plan_id, plan.to_dict()) == (plan_id, old)
        new = Plan(name, 4, "sequential", exits, 64)
        assert (new.plan_id == plan_id) == (name == "resnet18")
        assert Plan.from_dict(new.to_dict()) == new == Plan.from_dict({"backbone": name} | fields)

    @pytest.mark.parametrize(
        ("name", "size"), [("test_vit", 64), ("test_convnext", 64), ("ghostnet_050", 32)]
    )
    def test_networks(self, tmp_path, name, size):
        """Every exit reads the mean over space, without class tokens and head."""
        plan = plan_of(name, size, features="mean")
        network, (loaded,) = loaded_network(plan, timm_model(name, size), tmp_path / "timm.pth")
        frames = torch.randn(2, 3, size, size)
        with torch.inference_mode():
            features = network.backbone.model.forward_features(frames)
            mean = features[:, 1:].mean(1) if name == "test_vit" else features.mean((2, 3))
            torch.testing.assert_close(network(frames[:, None])[-1], network.heads[0](mean))
        assert loaded.heads == ()
        assert "timm's classifier, 6 classes: with features mean, heads read something else" in loaded.left
