"""Different learning rates for different parts of a network."""

from collections.abc import Mapping
from typing import Any

from torch import nn


def rated_parameters(network: nn.Module, part_rates: Mapping[Any, float]) -> list[dict[str, Any]]:
    """Return the parameters that are trained, as an optimizer's groups, each with its ``part_rate`` (1 if none)."""
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            groups.setdefault(part_rates.get(name.partition(".")[0], 1.0), []).append(parameter)
    return [{"params": parameters, "part_rate": rate} for rate, parameters in groups.items()]
