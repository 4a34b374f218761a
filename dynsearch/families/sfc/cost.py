"""What a network with selective feature compression costs."""

from functools import lru_cache

import torch

from dynsearch import compiler
from dynsearch.cost.counter import count_parameters, run_counted
from dynsearch.cost.parts import NetworkCost, Part
from dynsearch.families.sfc.network import CompressedNetwork
from dynsearch.plan import Plan


@lru_cache
def sfc_cost(plan: Plan, num_classes: int) -> NetworkCost:
    """Return the cost of a plan of family ``sfc``, counted on its network exit by exit.

    Raises:
        PlanError: The backbone is unknown or can't be cut, or the split lies outside it.
    """
    with compiler.only_shapes():
        network = CompressedNetwork(plan, num_classes).eval()
        clips = torch.empty(1, plan.num_frames, 3, plan.image_size, plan.image_size)
    head_macs, frame = run_counted(network.head_features, clips[:, :1])
    split, ends = network.options.split, network.ends
    parts = [
        Part(f"head, stages 1 to {split} of {plan.backbone}, a frame", head_macs, 0, tuple(ends)),
        Part("base network (head, tail, classifier)", 0, count_parameters(network.base), (0,) * len(ends)),
        Part("compression", 0, count_parameters(network.compression), (0,) * len(ends)),
    ]
    for k, end in enumerate(ends):
        after = tuple(int(exit_ >= k) for exit_ in range(len(ends)))
        left = network.options.frames_left(end)
        macs, few = run_counted(network.compression, frame.expand(1, end, *frame.shape[2:]), left)
        parts.append(Part(f"compression of {end} frames to {left}", macs, 0, after))
        parts.append(
            Part(f"tail and classifier, {left} frames", run_counted(network.tail_logits, few)[0], 0, after)
        )
    return NetworkCost(plan, tuple(parts))
