"""TSM's checkpoints, compared with networks that are wrapped as its authors' code wraps them."""

import argparse
import re
import sys
from datetime import datetime
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import timm
import torch
from torch import nn

from dynsearch.errors import PlanError, WeightsError
from dynsearch.families import build_network
from dynsearch.plan import Plan
from tests.network.nets import enliven, start

FRAMES, CLASSES = 3, 7


class Shifted(nn.Module):
    """A wrapper that shifts an eighth of the channels to and fro; its layer is called ``net``."""

    def __init__(self, net, online):
        super().__init__()
        self.net, self.online = net, online

    def forward(self, x):
        clips = x.unflatten(0, (-1, FRAMES))
        fold, parts = x.shape[1] // 8, []
        for t in range(FRAMES):
            before = clips[:, t - 1] if t else torch.zeros_like(clips[:, 0])
            after = clips[:, t + 1] if t + 1 < FRAMES else torch.zeros_like(clips[:, 0])
            pieces = [before[:, :fold]] if self.online else [after[:, :fold], before[:, fold : 2 * fold]]
            parts.append(torch.cat([*pieces, clips[:, t, len(pieces) * fold :]], 1))
        return self.net(torch.stack(parts, 1).flatten(0, 1))


def shifted_resnet(name, *, every=1, place="branch", online=False):
    """Return timm's ResNet with every so many-th block of a stage wrapped."""
    torch.manual_seed(0)
    model = enliven(timm.create_model(name, num_classes=CLASSES))
    for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
        for i in range(0, len(stage), every):
            if place == "block":
                stage[i] = Shifted(stage[i], online)
            else:
                stage[i].conv1 = Shifted(stage[i].conv1, online)
    return model


def tsm_state(model, *, dropout=True):
    """Return its state dict as TSM's trainer names it."""
    state = {f"module.base_model.{name}": value for name, value in model.state_dict().items()}
    if dropout:
        for last in ("weight", "bias"):
            state[f"module.new_fc.{last}"] = state.pop(f"module.base_model.fc.{last}")
    return state


def tsm_plan(backbone, *exits, kind="bidirectional", **shift):
    exits = exits or (f"{FRAMES}x5",)
    return Plan(backbone, FRAMES, "sequential", exits, 32, {"kind": kind, **shift})


def logits_of(plan, path, classes=CLASSES):
    network = build_network(plan, classes).eval()
    loaded = start(network, pretrained=False, weights=path)
    clips = torch.randn(2, FRAMES, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return network(clips), clips, loaded


@pytest.mark.parametrize(
    ("name", "every", "place", "online", "dropout"),
    [
        ("resnet101", 2, "branch", False, True),
        ("resnet18", 1, "block", False, False),
        ("resnet18", 2, "block", True, True),
        ("resnet26", 1, "branch", True, False),
    ],
)
def test_where_the_weights_were_shifted_the_plan_shifts(tmp_path, name, every, place, online, dropout):
    model = shifted_resnet(name, every=every, place=place, online=online)
    torch.save({"state_dict": tsm_state(model, dropout=dropout)}, tmp_path / "tsm.pth.tar")
    kind = "online" if online else "bidirectional"
    plan = tsm_plan(name, kind=kind, blocks=every, place=place)
    logits, clips, (loaded,) = logits_of(plan, tmp_path / "tsm.pth.tar")
    with torch.inference_mode():
        expected = model(clips.flatten(0, 1)).unflatten(0, (-1, FRAMES)).mean(1)
    torch.testing.assert_close(logits[-1], expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    assert loaded.heads == (f"{FRAMES}x5",)
    assert loaded.left == loaded.fresh == ()
    assert loaded.tensors + 2 == len(tsm_state(model))


@pytest.mark.reliability(
    "Files",
    "weights that were trained with the temporal shift in other blocks, or of whole blocks",
    happens="are refused, with what to write in the plan",
    sees="`the weights were trained with the temporal shift at ... places, the plan has it at ...`",
)
@pytest.mark.parametrize(
    ("every", "place", "plan", "says"),
    [
        (2, "branch", {}, "kind: bidirectional, blocks: 2, place: branch"),
        (1, "block", {}, "kind: bidirectional, blocks: 1, place: block"),
        (1, "branch", {"kind": "online", "place": "block"}, "kind: online, blocks: 1, place: branch"),
        (1, "branch", {"kind": "none"}, "kind: bidirectional, blocks: 1, place: branch"),
        (9, "branch", {"kind": "none"}, "No plan shifts there"),
        (None, "branch", {}, "kind: none"),
    ],
)
def test_weights_shifted_elsewhere_are_refused(tmp_path, every, place, plan, says):
    model = shifted_resnet("resnet34", every=every or 99, place=place)
    if every is None:
        model = timm.create_model("resnet34", num_classes=CLASSES)
    torch.save(tsm_state(model), tmp_path / "tsm.pth")
    with pytest.raises(
        WeightsError, match=f"tsm.pth: the weights were trained with the temporal shift.*{says}"
    ):
        logits_of(tsm_plan("resnet34", **plan), tmp_path / "tsm.pth")


def test_weights_without_a_shift_may_begin_a_training_with_one(tmp_path):
    """For other classes; then it is said."""
    torch.save(tsm_state(timm.create_model("resnet18", num_classes=CLASSES)), tmp_path / "tsn.pth")
    _, _, (loaded,) = logits_of(tsm_plan("resnet18"), tmp_path / "tsn.pth", classes=9)
    assert loaded.notes == ("they were trained without the plan's bidirectional shift 1/8",)
    assert f"linear.weight ({CLASSES}, 512) for exit 3x5: the network's is (9, 512)" in str(loaded)
    assert "begin afresh: the heads of 3x5" in str(loaded)


def test_a_block_that_adds_nothing_to_its_branch_is_not_shifted_whole():
    with pytest.raises(
        PlanError, match="temporal_shift.place: the block blocks.0.0 has no identity to shift"
    ):
        build_network(tsm_plan("msdnet38", kind="online", place="block"), 5)


def mmaction2_state(model):
    """Return the same weights as mmaction2's recognizers name them."""
    state = {"cls_head.fc_cls.weight": model.fc.weight, "cls_head.fc_cls.bias": model.fc.bias}
    for name, value in model.state_dict().items():
        if not name.startswith("fc."):
            name = re.sub(r"conv(\d)\.(net\.)?weight", r"conv\1.conv.\2weight", name)
            name = re.sub(r"\bbn(\d)", r"conv\1.bn", name)
            name = name.replace("downsample.0", "downsample.conv").replace("downsample.1", "downsample.bn")
            state[f"backbone.{name}"] = value
    return state


@pytest.mark.parametrize(
    ("name", "every", "place"),
    [("resnet50", 1, "branch"), ("resnet34", 2, "block"), ("resnet18", 99, "none")],
)
def test_mmaction2s_tsn_and_tsm(tmp_path, name, every, place):
    model = shifted_resnet(name, every=every, place=place)
    if place == "none":
        model = enliven(timm.create_model(name, num_classes=CLASSES))
    torch.save({"meta": {"epoch": 50}, "state_dict": mmaction2_state(model)}, tmp_path / "mm.pth")
    shift = {"kind": "none"} if place == "none" else {"blocks": every, "place": place}
    logits, clips, (loaded,) = logits_of(tsm_plan(name, **shift), tmp_path / "mm.pth")
    with torch.inference_mode():
        expected = model(clips.flatten(0, 1)).unflatten(0, (-1, FRAMES)).mean(1)
    torch.testing.assert_close(logits[-1], expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    assert (loaded.layout, loaded.heads, loaded.left) == ("mmaction2", (f"{FRAMES}x5",), ())


class InRow(nn.Module):
    """MobileNetV2 as a row of layers, as TSM's code has it: a block is ``conv.0`` ... ``conv.7``."""

    SETTING = (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    )  # fmt: skip

    def __init__(self, shift):
        super().__init__()
        layers, inside = [self.layer(3, 32, 3, 2)], 32
        for factor, outside, count, stride in self.SETTING:
            for i in range(count):
                layers.append(self.block(inside, outside, factor, stride if i == 0 else 1, shift))
                inside = outside
        self.features = nn.ModuleList([*layers, self.layer(320, 1280, 1, 1)])
        self.classifier = nn.Linear(1280, CLASSES)

    @staticmethod
    def layer(inside, outside, kernel, stride, groups=1, act=True):
        conv = nn.Conv2d(inside, outside, kernel, stride, kernel // 2, groups=groups, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(outside), *([nn.ReLU6()] if act else []))

    def block(self, inside, outside, factor, stride, shift):
        wide = inside * factor
        layers = [
            *(self.layer(inside, wide, 1, 1) if factor > 1 else []),
            *self.layer(wide, wide, 3, stride, wide),
        ]
        block = nn.Module()
        block.conv = nn.Sequential(*layers, *self.layer(wide, outside, 1, 1, act=False))
        block.skip = stride == 1 and inside == outside
        if block.skip and shift:
            block.conv[0] = Shifted(block.conv[0], online=False)
        return block

    def forward(self, x):
        for layer in self.features:
            x = layer(x) if isinstance(layer, nn.Sequential) else layer.conv(x) + (x if layer.skip else 0)
        return self.classifier(x.mean((2, 3)))


def torchvision_name(name):
    """Return torchvision's name: every convolution, norm and activation but a block's last are one more level down."""
    match = re.fullmatch(r"features\.(\d+)\.conv\.(\d)\.(.*)", name)
    if not match:
        return name.replace("classifier.", "classifier.1.")
    block, layer, last = match[1], int(match[2]), match[3]
    lasts = {3: "1", 4: "2"} if block == "1" else {6: "2", 7: "3"}
    return f"features.{block}.conv.{lasts.get(layer, f'{layer // 3}.{layer % 3}')}.{last}"


def mmaction2_name(name, *, shift=False):
    """Return mmaction2's name: convolution and norm are one module, and both are wrapped."""
    match = re.fullmatch(r"features\.(\d+)\.(?:conv\.)?(\d)\.(?:net\.)?(.*)", name)
    if not match:
        return name.replace("classifier.", "cls_head.fc_cls.")
    number, layer = int(match[1]), int(match[2])
    part = f"{('conv', 'bn')[layer % 3]}.{match[3]}"
    if number in (0, 18):
        return f"backbone.conv{1 if number == 0 else 2}.{part}"
    places = [(s, i) for s, (_, _, count, _) in enumerate(InRow.SETTING, start=1) for i in range(count)]
    stage, at = places[number - 1]
    return (
        f"backbone.layer{stage}.{at}.conv.{layer // 3}.{'net.' if shift and at and layer < 3 else ''}{part}"
    )


@pytest.mark.parametrize(
    ("shift", "layout", "rename"),
    [
        (True, "TSN/TSM", lambda name: f"base_model.{name}".replace("base_model.classifier", "new_fc")),
        (True, "TSN/TSM", lambda name: f"base_model.{name}"),
        (True, "mmaction2", partial(mmaction2_name, shift=True)),
        (False, "mmaction2", mmaction2_name),
        (False, "MobileNetV2", str),
        (False, "MobileNetV2", torchvision_name),
    ],
)  # fmt: skip
def test_the_public_mobilenetv2s(tmp_path, shift, layout, rename):
    torch.manual_seed(0)
    model = enliven(InRow(shift))
    torch.save({rename(name): value for name, value in model.state_dict().items()}, tmp_path / "mobile.pth")
    plan = tsm_plan("mobilenetv2_100", f"{FRAMES}x5", kind="bidirectional" if shift else "none")
    logits, clips, (loaded,) = logits_of(plan, tmp_path / "mobile.pth")
    with torch.inference_mode():
        expected = model(clips.flatten(0, 1)).unflatten(0, (-1, FRAMES)).mean(1)
    torch.testing.assert_close(logits[-1], expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    assert (loaded.layout, loaded.heads, loaded.left) == (layout, (f"{FRAMES}x5",), ())


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"model": state, "epoch": 3},
        lambda state: {"net": {f"module.{name}": value for name, value in state.items()}, "acc": np.float64(71.2)},
        lambda state: {"model_state": state, "optimizer": {"state": {0: {"step": torch.tensor(3)}}}},
        lambda state: {"state_dict_ema": state, "metric": np.float32(1), "when": np.arange(3), "best": None},
        lambda state: {"state_dict": state, "args": argparse.Namespace(model="resnet18", lr=np.float64(0.1))},
        lambda state: {"model": {"state_dict": {f"_orig_mod.module.{name}": v for name, v in state.items()}}},
        lambda state: {name: value.numpy() for name, value in state.items()} | {"epoch": 7},
        lambda state: {"state_dict": {n: v for n, v in state.items() if "num_batches" not in n}},
        lambda state: {"model": {n: v.half() if v.is_floating_point() else v for n, v in state.items()}},
        lambda state: {"model": state, "args": argparse.Namespace(out=Path("a"), lr=np.float64(1))},
        lambda state: {"model": state, "when": datetime.now(), "cfg": SimpleNamespace(a=range(3), b={1}, c=slice(1))},
        lambda state: {n.replace("fc.", "fc.1."): v for n, v in state.items()},  # Sequential(Dropout, Linear)
    ],
)  # fmt: skip
def test_what_trainers_put_around_the_tensors(tmp_path, wrap):
    model = timm.create_model("resnet18", num_classes=CLASSES)
    torch.save(wrap(model.state_dict()), tmp_path / "w.pth")
    plan = tsm_plan("resnet18", kind="none")
    network = build_network(plan, CLASSES)
    (loaded,) = start(network, pretrained=False, weights=tmp_path / "w.pth")
    assert (loaded.layout, loaded.heads, loaded.left) == ("timm", (f"{FRAMES}x5",), ())
    torch.testing.assert_close(network.heads[0].linear.weight, model.fc.weight, atol=1e-3, rtol=0)


def test_mmengines_history_beside_the_tensors(tmp_path, monkeypatch):
    """Its trainer writes buffers of a class of its own, which is not imported to read them."""
    code = "class HistoryBuffer:\n    def __init__(self, values):\n        self._log_history = values\n"
    for name in ("mmengine", "mmengine.logging", "mmengine.logging.history_buffer"):
        monkeypatch.setitem(sys.modules, name, module := ModuleType(name))
    exec(code, module.__dict__)
    state = mmaction2_state(timm.create_model("resnet18", num_classes=CLASSES))
    hub = {"log_scalars": {"train/loss": module.HistoryBuffer(np.arange(3.0))}, "runtime_info": {"epoch": 3}}
    torch.save({"state_dict": state, "message_hub": hub, "meta": {"cfg": "x = 1"}}, tmp_path / "epoch_3.pth")
    monkeypatch.undo()
    _, _, (loaded,) = logits_of(tsm_plan("resnet18", kind="none"), tmp_path / "epoch_3.pth")
    assert (loaded.layout, loaded.heads) == ("mmaction2", (f"{FRAMES}x5",))


def test_what_lies_beside_the_network_is_said(tmp_path):
    """Lightning's module has the network as ``model``, and a loss or a metric with tensors."""
    state = {
        f"model.{n}": v for n, v in timm.create_model("resnet18", num_classes=CLASSES).state_dict().items()
    }
    torch.save(
        {"state_dict": state | {"criterion.weight": torch.ones(7)}, "epoch": 3}, tmp_path / "last.ckpt"
    )
    _, _, (loaded,) = logits_of(tsm_plan("resnet18", kind="none"), tmp_path / "last.ckpt")
    assert (loaded.heads, loaded.left) == ((f"{FRAMES}x5",), ("criterion.weight (7,): beside model.",))


def test_a_whole_network_is_refused_by_its_class(tmp_path):
    torch.save({"model": timm.create_model("resnet18")}, tmp_path / "net.pth")
    with pytest.raises(
        WeightsError, match=r"it holds a timm\.models\.resnet\.ResNet, and code in files is not run"
    ):
        logits_of(tsm_plan("resnet18", kind="none"), tmp_path / "net.pth")


@pytest.mark.parametrize(
    ("wrap", "says"),
    [
        (
            lambda state, ema: {"state_dict": state, "state_dict_ema": ema},
            "state_dict was read, not its state_dict_ema",
        ),
        (
            lambda state, ema: {"model": state, "model_ema": ema, "best": ema},
            "model was read, not its model_ema, best",
        ),
        (
            lambda state, ema: {
                "model": {"state_dict": state, "ema": {f"module.{k}": v for k, v in ema.items()}}
            },
            "state_dict was read, not its ema",
        ),
        (lambda state, ema: {"model_ema": ema, "args": {"lr": torch.tensor(1.0)}}, None),
    ],
)
def test_weights_that_were_not_read_are_said(tmp_path, wrap, says):
    """Of the weights and their moving average the first are read."""
    torch.manual_seed(0)
    model, average = (timm.create_model("resnet18", num_classes=CLASSES) for _ in range(2))
    torch.save(wrap(model.state_dict(), average.state_dict()), tmp_path / "w.pth")
    network = build_network(tsm_plan("resnet18", kind="none"), CLASSES)
    (loaded,) = start(network, pretrained=False, weights=tmp_path / "w.pth")
    read = average if says is None else model
    assert torch.equal(network.heads[0].linear.weight, read.fc.weight)
    assert [says in note for note in loaded.notes] == ([True] if says else [])


@pytest.mark.parametrize("saved", [{"epoch": 3}, [torch.zeros(1)], {"optimizer": {"state": {}}}])
def test_files_without_weights_say_where_they_are_looked_for(tmp_path, saved):
    torch.save(saved, tmp_path / "w.pth")
    with pytest.raises(
        WeightsError, match=r"holds no plain mapping of names to tensors.*state_dict, model_state_dict"
    ):
        logits_of(tsm_plan("resnet18", kind="none"), tmp_path / "w.pth")
