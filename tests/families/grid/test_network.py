import pytest
import timm
import torch

from dynsearch.errors import PlanError
from dynsearch.families import build_network
from dynsearch.plan import ExitPlacement, FrameOrder, Plan, TemporalShift
from tests.network.nets import lively_network, random_clips
from tests.plans import small_plan


def test_one_frame_without_shift_is_timms_model():
    """A single exit at full depth on one frame is the plain timm classifier."""
    plan = small_plan(
        "1x5", num_frames=1, num_sets=1, order="sequential", temporal_shift=TemporalShift("none")
    )
    network = lively_network(plan, num_classes=7)
    model = timm.create_model("test_resnet", num_classes=7).eval()
    state = network.backbone.model.state_dict()
    model.load_state_dict(state | {f"fc.{k}": v for k, v in network.heads[0].linear.state_dict().items()})
    clips = random_clips(plan)
    with torch.inference_mode():
        torch.testing.assert_close(network(clips)[0], model(clips[:, 0]), atol=1e-5, rtol=1e-5)


def test_the_online_shift_by_hand():
    """One residual block, computed frame by frame with an explicit cache, as in TSM's online demo."""
    plan = small_plan("4x2", order="paper", temporal_shift=TemporalShift("online", across_groups=False))
    network, clips = lively_network(plan), random_clips(plan, batch=1)
    model = network.backbone.model
    block = model.layer1[0]
    outputs, cache = [], None
    with torch.inference_mode():
        expected = network(clips)[0]
        for position, t in enumerate((0, 3, 1, 2)):
            x = model.maxpool(model.act1(model.bn1(model.conv1(clips[:, t]))))
            fold = x.shape[1] // 8
            if position in (0, 2):  # a group begins
                cache = torch.zeros_like(x[:, :fold])
            branch = torch.cat([cache, x[:, fold:]], dim=1)
            cache = x[:, :fold]
            out = torch.nn.functional.conv2d(branch, block.conv1.weight, padding=1)
            out = block.bn2(block.conv2(block.act1(block.bn1(out))))
            outputs.append(block.act2(out + x).mean(dim=(2, 3)))
        by_hand = network.heads[0](torch.stack(outputs).mean(dim=0))
    torch.testing.assert_close(expected, by_hand, atol=1e-5, rtol=1e-5)


def test_the_bidirectional_shift_by_hand():
    plan = small_plan("4x2", order="sequential", temporal_shift=TemporalShift("bidirectional", div=4))
    network = lively_network(plan)
    seen = {}
    block = network.backbone.model.layer1[0]
    block.register_forward_pre_hook(lambda _, inputs: seen.update(x=inputs[0]))
    block.conv1.register_forward_hook(lambda _, inputs, __: seen.update(shifted=inputs[0]))
    with torch.inference_mode():
        network(random_clips(plan, batch=1))
    x, shifted = seen["x"], seen["shifted"]
    fold = x.shape[1] // 4
    zero = torch.zeros_like(x[:1, :fold])
    assert torch.equal(shifted[:, :fold], torch.cat([x[1:, :fold], zero]))
    assert torch.equal(shifted[:, fold : 2 * fold], torch.cat([zero, x[:-1, fold : 2 * fold]]))
    assert torch.equal(shifted[:, 2 * fold :], x[:, 2 * fold :])


def test_parameter_names_stay_timms():
    names = set(build_network(small_plan(), 5).backbone.model.state_dict())
    assert names == set(timm.create_model("test_resnet", num_classes=0).state_dict())


def test_stages_behind_the_last_exit_are_dropped():
    network = build_network(small_plan("1x2", "4x3"), 5)
    assert not [name for name in network.state_dict() if "layer3" in name or "layer4" in name]
    assert all(parameter.grad is not None for parameter in _trained_once(network).parameters())


def _trained_once(network):
    network(random_clips(network.plan)).square().sum().backward()
    return network


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"backbone": "resnet51"}, "backbone: timm has no model 'resnet51'. Nearest: resnet"),
        ({"backbone": "hrnet_w18_small"}, "backbone: hrnet_w18_small can't be cut into stages: "),
        ({"backbone": "mvitv2_tiny", "image_size": 224}, "nowhere inside it is a single value alive"),
        ({"stages": 4}, "exits: the exit 4x5 lies outside the grid: the plan has 4 stages"),
        ({"stages": 6}, "stages: test_resnet can be cut into at most 5 stages, one per block; with 6"),
        ({"exits": ExitPlacement.of("4x6")}, "exits: an exit at depth 6 lies outside the grid"),
        (
            {"head": "quantum"},
            "head: there is no exit head 'quantum'. Known: linear, mlp, slots, conv, conv128",
        ),
        ({"head": "conv+linear+linear"}, "or two joined by '+'"),
        (
            {"backbone": "test_efficientnet"},
            "temporal_shift: test_efficientnet has no residual block to shift",
        ),
        ({"family": "tree"}, "family: there is no network family 'tree'. Known: grid"),
    ],
)
def test_plans_without_a_network_are_refused(fields, says):
    values = {"exits": ExitPlacement.of("4x5"), "backbone": "test_resnet", "image_size": 64} | fields
    with pytest.raises(PlanError) as caught:
        build_network(Plan(num_frames=4, frame_order=FrameOrder.named("paper", 4), **values), 5)
    assert says in str(caught.value)
