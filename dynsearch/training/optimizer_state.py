"""What an optimizer remembers from step to step, as tensors by name and as plain numbers."""

from typing import Any

import torch

_MOMENTUM, _SLOT, _GROUP = "momentum.", "slot.", "group."


def tensors_of(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Return the tensors kept for each parameter, ``momentum.3`` of SGD, else ``slot.3.NAME``, and ``group.0.NAME``."""
    tensors: dict[str, torch.Tensor] = {}
    state = optimizer.state_dict()
    for index, group in enumerate(state["param_groups"]):
        held = {name: value for name, value in group.items() if isinstance(value, torch.Tensor)}
        tensors |= {f"{_GROUP}{index}.{name}": value for name, value in held.items()}
    for index, slots in state["state"].items():
        for name, value in slots.items():
            if isinstance(value, torch.Tensor):
                place = f"{_MOMENTUM}{index}" if name == "momentum_buffer" else f"{_SLOT}{index}.{name}"
                tensors[place] = value
    return tensors


def numbers_of(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return the numbers kept for each parameter, ``slots``, and those of each group, ``groups``."""
    state = optimizer.state_dict()
    slots = {str(index): _numbers(values) for index, values in state["state"].items()}
    return {
        "slots": {index: numbers for index, numbers in slots.items() if numbers},
        "groups": [_numbers(group) for group in state["param_groups"]],
    }


def restore(
    optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor], numbers: dict[str, Any] | None
) -> None:
    """Give an optimizer back what it remembered; other names in ``tensors`` are left alone."""
    state = optimizer.state_dict()
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    slots: dict[int, dict[str, Any]] = {}
    for place, value in tensors.items():
        if place.startswith(_MOMENTUM):
            slots.setdefault(int(place.removeprefix(_MOMENTUM)), {})["momentum_buffer"] = value
        elif place.startswith(_SLOT):
            index, _, name = place.removeprefix(_SLOT).partition(".")
            slots.setdefault(int(index), {})[name] = _laid_out_as(parameters[int(index)], value)
        elif place.startswith(_GROUP):
            index, _, name = place.removeprefix(_GROUP).partition(".")
            state["param_groups"][int(index)][name] = value
    if numbers is not None:
        for key, values in numbers["slots"].items():
            slots.setdefault(int(key), {}).update(values)
        for group, values in zip(state["param_groups"], numbers["groups"], strict=True):
            group.update(values)
    optimizer.load_state_dict({**state, "state": slots})


def _laid_out_as(parameter: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Return ``value`` in the parameter's order in memory, which decides the last digit of a sum over it."""
    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)


def _numbers(values: dict[str, Any]) -> dict[str, int | float]:
    return {name: value for name, value in values.items() if type(value) in (int, float)}
