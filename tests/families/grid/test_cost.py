import time

import pytest
import torch
from fvcore.nn import FlopCountAnalysis
from hypothesis import given, settings
from torch import nn

from dynsearch.cost import count_macs
from dynsearch.families import build_network, cost_table
from dynsearch.plan import ExitPlacement, FrameOrder, Plan, TemporalShift
from tests.network.nets import random_clips
from tests.plans import plans, small_plan


def resnet(name, num_frames, *exits):
    order = FrameOrder.named("paper", 8)
    return Plan(name, num_frames, order, ExitPlacement.of(*exits))


def test_macs_of_a_small_network_by_hand():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 10))
    assert count_macs(network, torch.zeros(1, 3, 4, 4)) == 3 * 9 * 8 * 16 + 8 * 16 * 10


def test_resnet50_is_what_the_literature_says():
    # torchvision's ResNet-50 at 224: cumulative GMacs after stem, Res2, ..., Res5; 23,508,032 parameters.
    table = cost_table(resnet("resnet50", 8, "8x5"), 400)
    assert [round(cost, 4) for cost in table.frame_cost] == [0.1180, 0.7860, 1.8136, 3.2779, 4.0871]
    assert table.cost_E[-1] == pytest.approx(32.70, abs=0.005)
    assert table.parameters == 23_508_032 + 2048 * 400 + 400 == 24_327_632


def test_resnet101_is_what_the_literature_says():
    table = cost_table(resnet("resnet101", 16, "8x5"), 400)
    assert table.cost_E[-1] == pytest.approx(124.8, abs=0.05)
    assert table.parameters == 42_500_160 + 2048 * 400 + 400


def test_four_exits_of_the_papers_resnet50():
    # (8 frames, Res3), (8, Res4), (8, Res5), (16, Res5), without heads.
    table = cost_table(resnet("resnet50", 16, "4x3", "4x4", "4x5", "8x5"), 400)
    cells = [table.cell_macs(exit_.sets, exit_.depth) / 1e9 for exit_ in table.plan.exits.exits]
    assert [round(cell, 1) for cell in cells] == [14.5, 26.2, 32.7, 65.4]


@pytest.mark.parametrize("name", ["test_resnet", "resnet18", "resnet50"])
def test_agrees_with_fvcore(name):
    """fvcore counts the same convolutions and products on its own trace (and batch norm, left out here)."""
    order = FrameOrder.named("sequential", 2)
    plan = Plan(name, 2, order, ExitPlacement.of("2x5"), image_size=64, temporal_shift=TemporalShift("none"))
    network = build_network(plan, 10).eval()
    counted = FlopCountAnalysis(network, random_clips(plan, batch=1))
    counted.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    operators = counted.by_operator()
    assert operators["conv"] + operators["linear"] == round(cost_table(plan, 10).cost_E[-1] * 1e9)


@settings(max_examples=15, deadline=None)
@given(plans())
def test_each_exit_costs_what_the_network_cut_there_computes(plan):
    """The table's sum of cells equals a count on a whole network whose last exit is that one."""
    table = cost_table(plan, 5)
    for k in range(len(plan.exits)):
        cut = Plan(
            backbone=plan.backbone,
            num_frames=plan.num_frames,
            frame_order=plan.frame_order,
            exits=ExitPlacement(plan.exits.exits[: k + 1]),
            image_size=plan.image_size,
            temporal_shift=plan.temporal_shift,
        )
        network = build_network(cut, 5).eval()
        assert count_macs(network, random_clips(plan, batch=1)) == round(table.cost_E[k] * 1e9)


def test_parameters_are_the_networks():
    for plan in (small_plan(), small_plan("1x2", "4x3")):
        network = build_network(plan, 12)
        assert cost_table(plan, 12).parameters == sum(p.numel() for p in network.parameters())


def test_costs_rise():
    cost_E = cost_table(small_plan("1x3", "2x3", "2x4", "4x5"), 5).cost_E
    assert list(cost_E) == sorted(set(cost_E))


def test_a_table_for_a_new_plan_takes_less_than_a_tenth_of_a_millisecond():
    """Traced once, then added: 100,000 plans on a known backbone cost under ten seconds of one core."""
    placements = [("1x1", f"{i}x{j}", "8x5") for i in range(2, 8) for j in range(1, 6)]
    new = [resnet("resnet18", 8 * frames, *exits) for frames in range(1, 51) for exits in placements]
    assert cost_table(new[0], 400).cost_E
    started = time.process_time()
    for plan in new:
        assert len(cost_table(plan, 400).cost_E) == 3
    assert (time.process_time() - started) / len(new) < 1e-4
