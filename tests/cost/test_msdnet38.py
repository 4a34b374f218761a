"""MSDNet-38 against the counts of the public network (issue 10 of the public PyTorch code, and Table 2)."""

import pytest

from dynsearch.cost import average_cost
from dynsearch.cost.backbone import backbone_cost
from dynsearch.errors import PlanError
from dynsearch.families import cost_table
from dynsearch.plan import ExitPlacement, FrameOrder, Plan

TABLE_2 = (1993, 2392, 2871, 3445, 4134, 4961)


def msdnet(*exits, head="conv", num_frames=16, **fields):
    return Plan(
        "msdnet38", num_frames, FrameOrder.named("paper", 8), ExitPlacement.of(*exits), head=head, **fields
    )


DEPTH_WISE = ("8x1", "8x2", "8x3", "8x4", "8x5")
JOINT = ("2x1", "3x2", "4x3", "4x4", "4x5", "8x5")


def test_each_block_has_the_published_counts():
    stages = backbone_cost("msdnet38", 224).stages
    assert [stage.macs for stage in stages] == [
        551_735_296, 744_411_136, 778_430_464, 632_844_800, 113_799_168,
    ]  # fmt: skip
    assert [stage.parameters for stage in stages] == [2_207_968, 3_379_296, 4_309_760, 4_581_024, 2_326_912]


def test_each_conv_head_has_the_published_counts():
    heads = cost_table(msdnet(*DEPTH_WISE), 1000).heads
    assert [head.macs for head in heads] == [60_295_680, 74_368_000, 67_147_520, 50_709_120, 172_439_680]


@pytest.mark.parametrize(
    ("exits", "head", "shared", "num_classes", "parameters"),
    [
        (DEPTH_WISE, "conv", False, 1000, 62_314_472),
        (JOINT, "conv", True, 1000, 62_314_472),
        (JOINT, "conv", False, 1000, 80_441_744),
        (JOINT, "conv", True, 400, 60_314_672),
        (JOINT, "conv", False, 174, 76_881_684),
        (DEPTH_WISE, "linear", False, 400, 18_138_160),
        (JOINT, "linear", False, 400, 18_528_960),
    ],
)
def test_parameters(exits, head, shared, num_classes, parameters):
    plan = msdnet(*exits, head=head, share_heads=shared)
    assert cost_table(plan, num_classes).parameters == parameters


def test_a_frame_with_all_heads():
    cost_E = cost_table(msdnet(*DEPTH_WISE), 1000).cost_heads_on_frames_E
    per_frame = [round(cost / 16, 6) for cost in cost_E]
    assert per_frame == [0.612031, 1.430810, 2.276388, 2.959942, 3.246181]


def test_linear_heads_add_next_to_nothing():
    table = cost_table(msdnet(*DEPTH_WISE, head="linear"), 400)
    assert [round(cost, 2) for cost in table.cost_E] == [8.83, 20.74, 33.19, 43.32, 45.14]


def test_the_papers_joint_plan():
    """Heads on every frame and the exits of Table 2: 26.5 on average and 52 in full, as the paper says."""
    cost_E = cost_table(msdnet(*JOINT, share_heads=True), 1000).cost_heads_on_frames_E
    assert [round(cost, 2) for cost in cost_E] == [2.45, 8.58, 18.21, 23.68, 25.97, 51.94]
    assert round(average_cost(cost_E, TABLE_2), 2) == 26.49


def test_the_papers_joint_plan_with_linear_heads():
    table = cost_table(msdnet(*JOINT, head="linear"), 400)
    cells = [table.cell_macs(exit_.sets, exit_.depth) / 1e9 for exit_ in table.plan.exits.exits]
    assert [round(cell, 3) for cell in cells] == [2.207, 7.777, 16.597, 21.659, 22.570, 45.140]
    assert round(average_cost(cells, TABLE_2), 2) == 23.36


@pytest.mark.parametrize("share", [(1, 2), (0, 0, 0, 0, 0, 0), (1, 1, 1, 1, 1, -1)])
def test_shares_that_are_none(share):
    with pytest.raises(PlanError, match="exit_share: needs one non-negative number for each of the 6 exits"):
        average_cost(cost_table(msdnet(*JOINT), 400).cost_E, share)
