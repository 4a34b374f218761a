"""The cost of any network, counted while it goes from exit to exit."""

import torch

from dynsearch.cost.counter import count_parameters, run_counted
from dynsearch.cost.parts import NetworkCost, Part
from dynsearch.network import Kept, MultiExitNetwork


def count_steps(network: MultiExitNetwork) -> NetworkCost:
    """Return what ``network`` costs, each step from one exit to the next counted as one part.

    Args:
        network: In evaluation mode, best on the meta device, where nothing is computed.
    """
    plan, num_exits = network.plan, len(network.plan.exits)
    device = next(network.parameters()).device
    parts = [Part("whole network", 0, count_parameters(network), (0,) * num_exits)]
    kept: Kept = {}
    for k, exit_ in enumerate(plan.exits.exits):
        count, after = len(network.frames_at(k)), tuple(int(other >= k) for other in range(num_exits))
        frames = torch.empty(1, count, 3, plan.image_size, plan.image_size, device=device) if count else None
        macs, (_, kept) = run_counted(network.step, k, frames, kept)
        parts.append(Part(f"up to exit {exit_}", macs, 0, after))
    return NetworkCost(plan, tuple(parts))
