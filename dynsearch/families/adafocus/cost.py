"""What an AdaFocusV2 network costs."""

from functools import lru_cache
from typing import Any

import torch
from torch import nn

from dynsearch import compiler
from dynsearch.cost.counter import count_macs, count_parameters
from dynsearch.cost.parts import NetworkCost, Part
from dynsearch.families.adafocus.network import FocusNetwork
from dynsearch.families.adafocus.one_patch import OnePatchNetwork
from dynsearch.families.adafocus.recurrent import RecurrentFocusNetwork
from dynsearch.families.family import family_of
from dynsearch.plan import Plan

Runs = tuple[int, ...]


@lru_cache
def adafocus_cost(plan: Plan, num_classes: int) -> NetworkCost:
    """Return the cost of a plan of family ``adafocus``, counted on the parts of its network.

    Resizing frames and cutting patches, a few operations per pixel, is not counted, as in the paper.

    Raises:
        PlanError: A backbone is unknown or can't be used.
    """
    with compiler.only_shapes():
        network: Any = family_of(plan).build(plan, num_classes).eval()
        parts = _recurrent(network) if isinstance(network, RecurrentFocusNetwork) else _one_patch(network)
    return NetworkCost(plan, tuple(parts))


def _recurrent(network: RecurrentFocusNetwork) -> list[Part]:
    ends = tuple(network.ends)
    classifier = network.classifier
    channels = network.global_net.channels + network.local_net.channels
    maps = torch.empty(1, 1, *network.global_net.layout.map_shape)
    hidden = classifier.hidden(torch.empty(1, channels))
    parts = [
        *_networks(network, ends, ends),
        _part("policy, a frame", ends, network.policy, maps, None),
        _part("hidden layer of the classifier, a frame", ends, classifier.hidden, torch.empty(1, channels)),
    ]
    for k, exit_ in enumerate(network.plan.exits.exits):
        after = tuple(int(other >= k) for other in range(len(ends)))
        parts.append(_part(f"classifier of exit {exit_}", after, classifier.heads[k], hidden))
    return parts


def _one_patch(network: OnePatchNetwork) -> list[Part]:
    focused = tuple(depth - 1 for depth in network.depths)
    glances = (1,) * len(focused)
    num_global, num_local = len(network.global_frames), network.plan.num_frames
    maps = torch.empty(1, num_global, *network.global_net.layout.map_shape)
    wholes, patches = (torch.empty(1, net.channels) for net in (network.global_net, network.local_net))
    return [
        *_networks(
            network, tuple(num_global * run for run in glances), tuple(num_local * run for run in focused)
        ),
        _part("policy", focused, network.policy, maps),
        _part("global classifier", glances, network.global_head, wholes),
        _part("local classifier", focused, network.local_head, patches),
    ]


def _networks(network: FocusNetwork, global_runs: Runs, local_runs: Runs) -> list[Part]:
    """Return the parts that both variants have: two networks, and heads that only training runs."""
    parts = []
    for name, net, runs in (
        ("global", network.global_net, global_runs),
        ("local", network.local_net, local_runs),
    ):
        size = net.backbone.image_size
        title = f"{name} network {net.backbone.name} at {size} px, a frame"
        parts.append(_part(title, runs, net, torch.empty(1, 1, 3, size, size)))
    never = (0,) * len(global_runs)
    heads = nn.ModuleList([network.global_aux, network.local_aux])
    return [*parts, Part("auxiliary heads, in training only", 0, count_parameters(heads), never)]


def _part(name: str, runs: Runs, module: nn.Module, *inputs: Any) -> Part:
    return Part(name, count_macs(module, *inputs), count_parameters(module), runs)
