"""TSM's checkpoints, compared with networks that are wrapped as its authors' code wraps them."""

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
