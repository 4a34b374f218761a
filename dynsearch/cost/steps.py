"""The cost of any network, counted while it goes from exit to exit."""

import torch

from dynsearch.cost.counter import count_parameters, run_counted
from dynsearch.cost.parts import NetworkCost, Part
from dynsearch.network import MultiExitNetwork


def count_steps(network: MultiExitNetwork) -> NetworkCost:
    """Return what ``network`` costs, each step from one exit to the next counted as one part.

    Args:
        network: In evaluation mode, best on the meta device, where nothing is computed.
    """
    plan, num_exits = network.plan, len(network.plan.exits)
    device = next(network.parameters()).device
    clips = torch.empty(1, plan.num_frames, 3, plan.image_size, plan.image_size, device=device)
    exit_pass = network.begin(clips)
    parts = [Part("whole network", 0, count_parameters(network), (0,) * num_exits)]
    for k, exit_ in enumerate(plan.exits.exits):
        after = tuple(int(other >= k) for other in range(num_exits))
        parts.append(Part(f"up to exit {exit_}", run_counted(exit_pass.logits_at, k)[0], 0, after))
    exit_pass.end()
    return NetworkCost(plan, tuple(parts))
