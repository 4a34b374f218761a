"""AdaFocusV2's own checkpoints, compared with a network that has its published names and computes what it does."""

import argparse
from itertools import pairwise

import numpy as np
import pytest
import timm
import torch
from torch import nn

from dynsearch.errors import WeightsError
from dynsearch.families import build_network, family_of
from dynsearch.plan import Plan
from tests.families.adafocus.test_networks import crop
from tests.network.nets import enliven
from tests.network.weights.test_tsm import CLASSES, FRAMES, InRow, shifted_resnet

SIZE, PATCH, HIDDEN, WIDE = 64, 32, 16, 24


def layers(*widths):
    """Linear layers with biases, each with norm and activation, as the published code has them."""
    made = []
    for inside, outside in pairwise(widths):
        made += [nn.Linear(inside, outside), nn.BatchNorm1d(outside), nn.Tanh()]
    return made


def encoder(channels, side, *widths):
    first = [nn.Conv2d(channels, 64, 1, bias=False), nn.BatchNorm2d(64), nn.Tanh(), nn.Flatten()]
    return [*first, *layers(64 * side * side, *widths)]


def maps_of(net, frames):
    if isinstance(net, InRow):
        for layer in net.features:
            frames = (
                layer(frames)
                if isinstance(layer, nn.Sequential)
                else layer.conv(frames) + (frames if layer.skip else 0)
            )
        return frames
    return net.forward_features(frames)


def patches(frames, places):
    """The patches at places that are down, across."""
    return torch.cat([crop(f[None], p.flip(0), PATCH) for f, p in zip(frames, places, strict=True)])


def linear(channels):
    return nn.Sequential(nn.Dropout(), nn.Linear(channels, CLASSES))


class Published(nn.Module):
    """One patch a frame."""

    def __init__(self, glance):
        super().__init__()
        channels, side = (1280, 2) if glance == "mobilenetv2_100" else (512, 1)
        self.global_CNN = InRow(False) if channels == 1280 else timm.create_model(glance)
        self.local_CNN = timm.create_model("resnet18")
        self.global_CNN_fc, self.local_CNN_fc = linear(channels), linear(512)
        self.policy_stn = nn.Module()
        self.policy_stn.encoder = nn.Sequential(*encoder(channels, side, HIDDEN))
        self.policy_stn.gru = nn.GRU(HIDDEN, HIDDEN, batch_first=True)
        self.policy_stn.fc = nn.Sequential(nn.Linear(HIDDEN, 2), nn.Sigmoid())
        self.classifier = nn.Module()
        self.classifier.mlp = nn.Module()
        self.classifier.mlp.layers = nn.Sequential(
            nn.Linear(channels + 512, WIDE), nn.BatchNorm1d(WIDE), nn.ReLU()
        )
        self.classifier.classifiers = nn.ModuleList(
            nn.Sequential(nn.Dropout(), nn.Linear(WIDE, CLASSES)) for _ in range(FRAMES)
        )

    def forward(self, frames, glanced):
        maps = maps_of(self.global_CNN, glanced)
        hidden, _ = self.policy_stn.gru(self.policy_stn.encoder(maps)[None])
        seen = maps_of(self.local_CNN, patches(frames, self.policy_stn.fc(hidden[0])))
        wide = self.classifier.mlp.layers(torch.cat([maps.mean((2, 3)), seen.mean((2, 3))], 1))
        peaks = wide.cummax(0)[0]
        return torch.stack(
            [head(peak) for head, peak in zip(self.classifier.classifiers, peaks, strict=True)]
        )


class PublishedTSM(nn.Module):
    """One patch a video, its networks with the temporal shift; the policy is a row of layers."""

    def __init__(self, shift=True):
        super().__init__()
        self.global_CNN, self.local_CNN = nn.Module(), nn.Module()
        self.global_CNN.base_model = InRow(shift)
        self.local_CNN.base_model = shifted_resnet("resnet18")
        del self.global_CNN.base_model.classifier
        self.local_CNN.base_model.fc = nn.Identity()
        for net, channels in ((self.global_CNN, 1280), (self.local_CNN, 512)):
            net.new_fc, net.new_new_fc = nn.Linear(channels, CLASSES), nn.Linear(channels, CLASSES)
        last = [nn.Linear(HIDDEN // 2, 2), nn.Sigmoid()]
        self.policy_stn = nn.Sequential(*encoder(1280 * FRAMES, 2, HIDDEN, HIDDEN // 2), *last)

    def forward(self, frames, glanced):
        maps = maps_of(self.global_CNN.base_model, glanced)
        place = self.policy_stn(maps.flatten(0, 1)[None]).expand(FRAMES, 2)
        seen = self.local_CNN.base_model(patches(frames, place))
        first = self.global_CNN.new_fc(maps.mean((2, 3))).mean(0)
        return torch.stack([first, first + self.local_CNN.new_fc(seen).mean(0)])


def focus_plan(backbone="mobilenetv2_100", *, video=False, order="sequential", exits=None, **options):
    own = {"local_backbone": "resnet18", "patch_size": PATCH, "policy_width": HIDDEN}
    own |= {"patch_per": "video"} if video else {"classifier_width": WIDE}
    ends = [f"{FRAMES}x1", f"{FRAMES}x2"] if video else [f"{i + 1}x1" for i in range(FRAMES)]
    shift = "bidirectional" if video else "none"
    return Plan(backbone, FRAMES, order, exits or ends, SIZE, shift, family="adafocus", options=own | options)


def published(kind=Published, *args):
    torch.manual_seed(0)
    net = enliven(kind(*args))
    for module in net.modules():
        if isinstance(module, nn.Linear | nn.GRU):
            for weight in module.parameters():
                nn.init.normal_(weight, std=0.3)
    return net


def saved(net, path, **beside):
    state = {f"module.{name}": value for name, value in net.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 3, **beside}, path)
    return path


def started(plan, path, classes=CLASSES):
    network = build_network(plan, classes).eval()
    return network, family_of(plan).start(network, pretrained=False, weights=path)


def clips():
    return torch.randn(1, FRAMES, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(2))


def aligned(frames, size):
    """Bilinear with corners on corners: two weighted sums, along each axis."""
    weights = torch.from_numpy(
        np.stack([np.interp(np.linspace(0, SIZE - 1, size), np.arange(SIZE), row) for row in np.eye(SIZE)])
    ).float()
    return torch.einsum("bchw,hi,wj->bcij", frames, weights, weights)


@pytest.mark.parametrize(
    ("glance", "order", "options"),
    [
        ("mobilenetv2_100", "adafocus", {}),
        ("resnet18", "sequential", {"global_size": 32, "global_resize": "aligned"}),
    ],
)
@torch.inference_mode()
def test_one_patch_a_frame(tmp_path, glance, order, options):
    net = published(Published, glance)
    path = saved(net, tmp_path / "f.pth.tar", args=argparse.Namespace(num_segments=FRAMES, acc=np.float64(1)))
    network, loaded = started(focus_plan(glance, order=order, **options), path)
    frames = clips()[0, list(network.plan.frame_order.sets)]
    expected = net(frames, aligned(frames, 32) if options else frames)
    logits = network(clips())[:, 0]
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    (loaded,) = loaded
    assert (loaded.heads, loaded.fresh) == (("1x1", "2x1", "3x1"), ())
    unused = sum(
        name.startswith(("global_CNN.classifier", "global_CNN.fc", "local_CNN.fc"))
        for name in net.state_dict()
    )
    assert len(loaded.left) == unused == 4
    assert loaded.tensors + unused + 2 == len(net.state_dict())  # two biases, folded


@torch.inference_mode()
def test_one_patch_a_video(tmp_path):
    net = published(PublishedTSM)
    network, loaded = started(focus_plan(video=True), saved(net, tmp_path / "f.pth"))
    expected = net(clips()[0], clips()[0])
    torch.testing.assert_close(
        network(clips())[:, 0], expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max())
    )
    assert [(one.heads, one.left, one.fresh) for one in loaded] == [(("3x1", "3x2"), (), ())]


def test_half_precision_other_classes_and_fewer_exits(tmp_path):
    net = published(Published, "mobilenetv2_100").half()
    path = saved(net, tmp_path / "half.pth")
    network, loaded = started(focus_plan(exits=["1x1", "3x1"]), path, classes=9)
    mean = net.classifier.mlp.layers[1].running_mean.float() - net.classifier.mlp.layers[0].bias.float()
    torch.testing.assert_close(network.classifier.hidden[1].running_mean, mean)
    said = str(loaded[-1])
    assert f"classifier.classifiers.1.1.weight ({CLASSES}, {WIDE}): the plan has no such layer" in said
    assert f"classifier.heads.1.linear.bias ({CLASSES},): the network's is (9,)" in said
    assert set(loaded[-1].fresh) == {"classifier.heads.0", "classifier.heads.1", "global_aux", "local_aux"}
    assert loaded[-1].heads == ()


@pytest.mark.reliability(
    "Files",
    "AdaFocusV2's weights for a plan that looks otherwise: a patch per video, glances resized otherwise, other widths",
    happens="are refused, with what to write in the plan",
    sees="`weights of AdaFocusV2 with ...`",
)
@pytest.mark.parametrize(
    ("kind", "plan", "says"),
    [
        (
            ("mobilenetv2_100",),
            focus_plan(video=True),
            "Write options: {patch_per: frame, classifier_width: 24} in the plan",
        ),
        (None, focus_plan(), "Write options: {patch_per: video} in the plan"),
        (
            ("resnet18",),
            focus_plan("resnet18", global_size=32),
            "Write options: {global_resize: aligned} in the plan",
        ),
        (
            ("mobilenetv2_100",),
            focus_plan(policy_width=8),
            "Write options: {policy_width: 16} in the plan",
        ),
        (("resnet18",), focus_plan(), "missing global_net.backbone.model.conv_stem.weight"),
    ],
)
def test_plans_that_the_file_is_not_of(tmp_path, kind, plan, says):
    net = published(PublishedTSM) if kind is None else published(Published, *kind)
    with pytest.raises(WeightsError, match=f"f.pth: weights of .*{says}"):
        started(plan, saved(net, tmp_path / "f.pth"))


def test_a_shift_that_the_plan_does_not_have_is_refused(tmp_path):
    path = saved(published(PublishedTSM, False), tmp_path / "f.pth")
    with pytest.raises(WeightsError, match="0 places, the plan has it at 10"):
        started(focus_plan(video=True), path)


def test_the_backbones_by_name(tmp_path):
    """One, then both; what gets none is said."""
    glance, look = timm.create_model("mobilenetv2_100"), timm.create_model("resnet18")
    torch.save(look.state_dict(), tmp_path / "look.pth")
    torch.save(glance.state_dict(), tmp_path / "glance.pth")
    network, (loaded,) = started(focus_plan(), {"local": tmp_path / "look.pth"})
    assert torch.equal(network.local_net.backbone.model.conv1.weight, look.conv1.weight)
    assert loaded.fresh == ("the global mobilenetv2_100", "policy", "classifier", "global_aux", "local_aux")
    both = {"global": tmp_path / "glance.pth", "local": tmp_path / "look.pth"}
    network, loaded = started(focus_plan(), both)
    assert torch.equal(network.global_net.backbone.model.conv_stem.weight, glance.conv_stem.weight)
    assert [one.backbone for one in loaded] == ["mobilenetv2_100", "resnet18"]
    with pytest.raises(
        WeightsError, match="has no backbone 'lokal'. Did you mean local. Its backbones: global, local"
    ):
        started(focus_plan(), {"lokal": tmp_path / "look.pth"})
