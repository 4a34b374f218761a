"""Costs of the families that are no grid, against counts of whole networks and against the papers' figures."""

import pytest
import torch
from fvcore.nn import FlopCountAnalysis

from dynsearch import resources
from dynsearch.cost import count_macs
from dynsearch.families import Family, build_network, cost_table, family_of
from dynsearch.plan import Plan
from tests.families.grid.test_progressive import stop_at
from tests.network.nets import random_clips
from tests.plans import compressed_plan, focus_plan, small_plan

TESTS = (
    "dynsearch.families.adafocus.cost",
    "dynsearch.families.sfc.cost",
    "dynsearch.families.adafocus.family",
    "dynsearch.families.baselines.family",
    "dynsearch.families.grid.family",
    "dynsearch.families.sfc.family",
)

PLANS = {
    "recurrent": focus_plan(global_size=32),
    "some exits": focus_plan(exits=("2x1", "3x1")),
    "compressed": compressed_plan("3x5", "8x5", time_ratio=3, side_ratio=2, split=2),
    "one patch": focus_plan("video", 5, exits=("5x1", "5x2"), global_frames=3),
}


@pytest.mark.parametrize("plan", [*PLANS.values(), small_plan()], ids=[*PLANS, "grid"])
def test_a_family_that_counts_nothing_itself_is_counted_step_by_step(plan):
    own, counted = cost_table(plan, 7), Family.cost(family_of(plan), plan, 7)
    assert counted.cost_E == own.cost_E
    assert counted.parameters == own.parameters


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_each_exit_costs_what_is_computed_up_to_it(plan):
    network = build_network(plan, 7).eval()
    clips = random_clips(plan, batch=1)
    for k in range(len(plan.exits)):
        counted = count_macs(network.forward_until, clips, stop_at(k, len(plan.exits)))
        assert counted == round(cost_table(plan, 7).cost_E[k] * 1e9)
    assert count_macs(network, clips) == round(network.cost_E[-1] * 1e9)
    assert cost_table(plan, 7).parameters == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_agrees_with_fvcore(plan):
    network = build_network(plan, 7).eval()
    counted = FlopCountAnalysis(network, random_clips(plan, batch=1)).set_op_handle(
        "aten::gru_cell", _gru_cell
    )
    counted.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    operators = counted.by_operator()
    macs = sum(operators[name] for name in ("conv", "linear", "gru_cell", "matmul", "bmm", "einsum"))
    assert macs == round(network.cost_E[-1] * 1e9)


def _gru_cell(inputs, outputs):
    """Three gates, each of the input and of the memory."""
    (batch, width), (_, memory) = (value.type().sizes() for value in inputs[:2])
    return 3 * batch * memory * (width + memory)


@pytest.mark.parametrize(
    ("name", "num_classes", "published"),
    [
        ("adafocus-activitynet-128", 200, 27.0),
        ("adafocus-activitynet-rn-128", 200, 34.1),
        ("adafocus-sthv2-128", 174, 18.5),
        ("adafocus-sthv2-144", 174, 23.5),
        ("adafocus-sthv2-160", 174, 27.5),
        ("adafocus-sthv2-176", 174, 33.7),
    ],
)
def test_adafocus_costs_what_the_paper_says(name, num_classes, published):
    """To the digits printed. The published sums hold 1000-way layers on every frame and leave out the one-patch
    policy, so they lie up to 0.06 GFLOPs from ours."""
    table = cost_table(Plan.load(resources.find("studies/paper", name)), num_classes)
    assert table.cost_E[-1] == pytest.approx(published, abs=0.06)


def test_the_parts_of_adafocus():
    """MobileNetV2 at 224 and ResNet-50 at 128 pixels, with the paper's policy and classifier, by hand."""
    plan = Plan.load(resources.find("studies/paper", "adafocus-activitynet-128"))
    policy = 1280 * 64 * 49 + 64 * 49 * 2048 + 3 * 2 * 2048**2 + 2 * 2048
    hidden, classifier = (1280 + 2048) * 4096, 4096 * 200
    assert [part.macs for part in cost_table(plan, 200).parts[:6]] == [
        299_494_272, 1_334_575_104, 0, policy, hidden, classifier,
    ]  # fmt: skip
    steps = torch.tensor(cost_table(plan, 200).cost_E).diff()
    torch.testing.assert_close(steps, steps[:1].expand(15))


def test_larger_patches_of_the_recurrent_network():
    """17.6, 27.0 and 39.0 GFLOPs in the paper's table, for 96, 128 and 160 pixels."""
    plan = Plan.load(resources.find("studies/paper", "adafocus-activitynet-128")).to_dict()
    for size, published in ((96, 17.6), (128, 27.0), (160, 39.0)):
        changed = Plan.from_dict(plan | {"options": plan["options"] | {"patch_size": size}})
        assert cost_table(changed, 200).cost_E[-1] == pytest.approx(published, abs=0.07)
