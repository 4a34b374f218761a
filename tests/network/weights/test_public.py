"""Public weight files, generated here in the layouts their authors used."""

from dataclasses import replace

import pytest
import torch

from dynsearch.errors import WeightsError
from dynsearch.families import build_network
from dynsearch.network.backbone.timm_models import create_timm_model
from dynsearch.plan import ExitPlacement, FrameOrder, Plan, TemporalShift
from tests.network.nets import start


def msdnet_plan(*exits):
    return Plan(
        "msdnet38", 2, FrameOrder.named("sequential", 2), ExitPlacement.of(*exits), image_size=32, head="conv"
    )


def conv_bn(place, conv, bn, out_channels, in_channels, kernel, *, bias=False):
    """Tensors of a convolution and a batch norm, drawn so that none equals another."""
    state = {f"{place}.{conv}.weight": torch.randn(out_channels, in_channels, kernel, kernel)}
    if bias:
        state[f"{place}.{conv}.bias"] = torch.randn(out_channels)
    state |= {f"{place}.{bn}.{name}": torch.rand(out_channels) for name in ("weight", "bias", "running_mean")}
    state[f"{place}.{bn}.running_var"] = torch.rand(out_channels) + 0.5
    state[f"{place}.{bn}.num_batches_tracked"] = torch.tensor(1)
    return state


def public_msdnet(num_classes=1000, step=7):
    """The state dict of ``msdnet-step=7-block=5``, or another step, from the network's description alone."""
    width = bottleneck = (1, 2, 4, 4)
    state = conv_bn("module.blocks.0.0.layers.0", 0, 1, 32, 3, 7, bias=True)
    for i, (inside, out) in enumerate([(32, 64), (64, 128), (128, 128)], start=1):
        state |= conv_bn(f"module.blocks.0.0.layers.{i}.net", 0, 1, out, inside, 3)

    def branch(place, inside, out, factor):
        inner = min(inside, factor * out)
        return conv_bn(place, 0, 1, inner, inside, 1) | conv_bn(place, 3, 4, out, inner, 3)

    base = 32
    for block in range(5):
        position = 1 if block == 0 else 0
        for layer in range(step * block + 1, step * (block + 1) + 1):
            interval = -(-5 * step // 4)
            finest, before = (layer - 1) // interval, max(layer - 2, 0) // interval
            place = f"module.blocks.{block}.{position}"
            for i, s in enumerate(range(finest, 4)):
                growth = 16 * width[s]
                if i > 0 or finest > before:
                    growth //= 2
                    down = f"{place}.layers.{i}.conv_down.net"
                    state |= branch(down, base * width[s - 1], growth, bottleneck[s - 1])
                state |= branch(f"{place}.layers.{i}.conv_normal.net", base * width[s], growth, bottleneck[s])
            base += 16
            position += 1
            if finest > before:
                for i, s in enumerate(range(finest, 4)):
                    place = f"module.blocks.{block}.{position}.m.{i}.net"
                    state |= conv_bn(place, 0, 1, base // 2 * width[s], base * width[s], 1)
                base //= 2
                position += 1
        channels = base * 4
        for i in (0, 1):
            state |= conv_bn(f"module.classifier.{block}.m.{i}.net", 0, 1, channels, channels, 3)
        state[f"module.classifier.{block}.linear.weight"] = torch.randn(num_classes, channels)
        state[f"module.classifier.{block}.linear.bias"] = torch.randn(num_classes)
    return state


@pytest.fixture(scope="module")
def msdnet_file(tmp_path_factory):
    torch.manual_seed(0)
    state = public_msdnet()
    path = tmp_path_factory.mktemp("public") / "msdnet-step=7-block=5.pth.tar"
    torch.save({"state_dict": state, "epoch": 89}, path)
    return path, {name.removeprefix("module."): value for name, value in state.items()}


def test_the_generated_file_has_the_public_files_size(msdnet_file):
    _, state = msdnet_file
    learned = [v for k, v in state.items() if k.rpartition(".")[2] in ("weight", "bias")]
    assert sum(value.numel() for value in learned) == 62_314_472


def test_the_public_msdnet_loads_whole(msdnet_file):
    path, state = msdnet_file
    network = build_network(msdnet_plan("2x1", "2x2", "2x3", "2x4", "2x5"), 1000)
    start(network, pretrained=False, weights=path)
    ours = network.state_dict()
    assert len(ours) == len(state)
    pairs = {
        "blocks.0.0.layers.0.0.bias": "backbone.model.stem.finest.conv.bias",
        "blocks.0.0.layers.3.net.1.weight": "backbone.model.stem.coarser.2.bn.weight",
        "blocks.0.1.layers.3.conv_normal.net.0.weight": "backbone.model.blocks.0.0.same.scale4.squeeze.conv.weight",
        "blocks.0.1.layers.0.conv_normal.net.3.weight": "backbone.model.blocks.0.0.same.scale1.grow.conv.weight",
        "blocks.1.2.layers.0.conv_down.net.3.weight": "backbone.model.blocks.1.2.down.scale2.grow.conv.weight",
        "blocks.1.3.m.0.net.0.weight": "backbone.model.blocks.1.3.halve.scale2.conv.weight",
        "blocks.4.6.layers.0.conv_normal.net.4.bias": "backbone.model.blocks.4.6.same.scale4.grow.bn.bias",
        "classifier.2.m.1.net.0.weight": "heads.2.convs.3.weight",
        "classifier.4.linear.bias": "heads.4.linear.bias",
    }
    for theirs, own in pairs.items():
        assert torch.equal(state[theirs], ours[own]), theirs
    values = sorted(float(value.double().sum()) for value in state.values())
    assert values == sorted(float(value.double().sum()) for value in ours.values())


@pytest.mark.parametrize(("name", "step"), [("msdnet23", 4), ("msdnet33", 6)])
def test_its_shallower_siblings_load_whole(tmp_path, name, step):
    state = public_msdnet(7, step)
    torch.save(state, tmp_path / "msdnet.pth")
    network = build_network(replace(msdnet_plan("2x1", "2x2", "2x3", "2x4", "2x5"), backbone=name), 7)
    (loaded,) = start(network, pretrained=False, weights=tmp_path / "msdnet.pth")
    assert len(network.state_dict()) == len(state)
    assert len(loaded.heads) == 5
    assert not loaded.left


def test_with_other_classes_only_the_last_layers_start_afresh(msdnet_file):
    path, state = msdnet_file
    network = build_network(msdnet_plan("1x1", "2x2"), 7)
    start(network, pretrained=False, weights=path)
    assert torch.equal(network.heads[1].convs[0].weight, state["classifier.1.m.0.net.0.weight"])
    assert network.heads[1].linear.weight.shape == (7, 640)


@pytest.mark.parametrize("shifted", [False, True])
def test_public_tsn_and_tsm_files_load(tmp_path, shifted):
    model = create_timm_model("resnet50")
    state = {}
    for name, value in model.state_dict().items():
        parts = name.split(".")
        if shifted and len(parts) == 4 and parts[2] == "conv1":
            name = ".".join([*parts[:3], "net", parts[3]])
        state[f"module.base_model.{name}"] = value
    state |= {"module.new_fc.weight": torch.randn(9, 2048), "module.new_fc.bias": torch.randn(9)}
    torch.save({"state_dict": state, "arch": "resnet50", "epoch": 50}, tmp_path / "tsm.pth")
    shift = TemporalShift("bidirectional" if shifted else "none")
    order = FrameOrder.named("sequential", 2)
    plan = Plan("resnet50", 2, order, ExitPlacement.of("2x5"), image_size=32, temporal_shift=shift)
    network = build_network(plan, 9)
    start(network, pretrained=False, weights=tmp_path / "tsm.pth")
    loaded = network.backbone.model.state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in model.state_dict().items())
    assert torch.equal(network.heads[0].linear.weight, state["module.new_fc.weight"])


def test_a_file_of_another_architecture_lists_the_first_keys(tmp_path, msdnet_file):
    path, _ = msdnet_file
    plan = Plan("resnet18", 1, FrameOrder.named("sequential", 1), ExitPlacement.of("1x5"), image_size=32)
    says = r"missing conv1.weight, bn1.weight.*unexpected stem.finest.conv.*Nearest is the layout MSDNet"
    with pytest.raises(WeightsError, match=says):
        start(build_network(plan, 5), pretrained=False, weights=path)


def test_a_timm_file_with_more_than_is_needed_loads(tmp_path):
    """Classifier, pooling head and deeper stages are in the file and not in the network."""
    model = create_timm_model("mobilenetv3_large_100", num_classes=11)
    torch.save(model.state_dict(), tmp_path / "w.pth")
    plan = Plan(
        "mobilenetv3_large_100", 1, FrameOrder.named("sequential", 1), ExitPlacement.of("1x3"), image_size=32
    )
    network = build_network(plan, 5)
    start(network, pretrained=False, weights=tmp_path / "w.pth")
    assert torch.equal(network.backbone.model.conv_stem.weight, model.conv_stem.weight)


def test_frameexit_gives_its_backbone(tmp_path):
    """Its ResNet is a row of parts; what follows has no place, which is said."""
    model = create_timm_model("resnet18", num_classes=0)
    row = {name: str(place) for place, (name, _) in enumerate(model.named_children())}
    state = {}
    for name, value in model.state_dict().items():
        part, _, last = name.partition(".")
        state[f"module.backbone.{row[part]}.{last}"] = value
    others = ("mlp.layers.0.weight", "classifiers.3.bias", "exit_selector.0.bn1.weight")
    state |= {f"module.{name}": torch.randn(4) for name in others}
    torch.save(state, tmp_path / "frameexit.pth")
    plan = Plan("resnet18", 2, "frameexit", ["1x5", "2x5"], image_size=32, temporal_shift="none")
    network = build_network(plan, 9)
    (loaded,) = start(network, pretrained=False, weights=tmp_path / "frameexit.pth")
    assert all(torch.equal(v, model.state_dict()[n]) for n, v in network.backbone.model.state_dict().items())
    assert (loaded.layout, loaded.heads) == ("FrameExit", ())
    assert "not loaded: 3 tensors of FrameExit's hidden layer, classifiers and gates" in str(loaded)
    assert "begin afresh: the heads of 1x5, 2x5" in str(loaded)
