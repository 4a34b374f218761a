"""Networks for tests: random weights, but as alive as trained ones."""

import torch

from dynsearch.families import build_network, family_of


def lively_network(plan, num_classes=5, seed=0):
    """Return the plan's network in eval mode, with batch statistics and heads far from their defaults."""
    torch.manual_seed(seed)
    return enliven(build_network(plan, num_classes))


def enliven(network):
    """Put a network in eval mode and its batch statistics and heads far from their defaults."""
    network.eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight)
    return network


def start(network, *, pretrained, weights):
    """Give a network what its training begins with."""
    return family_of(network.plan).start(network, pretrained=pretrained, weights=weights)


def random_clips(plan, batch=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, plan.num_frames, 3, plan.image_size, plan.image_size, generator=generator)
