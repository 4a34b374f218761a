"""Which grid plans a study may propose: all axes of its space."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

from dynsearch.plan import Exit, ExitPlacement, FrameOrder, Plan, TemporalShift
from dynsearch.space import Choices, SpaceAxes, Suggester, choose
from dynsearch.space.trial import between


class GridChoices(Choices):
    """Grid plans vary on the space's own axes."""

    def sample(self, trial: Suggester, axes: SpaceAxes) -> Plan:
        """Return the plan that ``trial`` proposes."""
        trunk = sample_trunk(axes, trial)
        return replace(trunk, exits=_sample_exits(axes, trial, trunk.num_sets))

    def cheapest(self, axes: SpaceAxes) -> Iterator[Plan]:
        """Yield plans among which is that with the cheapest first exit."""
        for backbone, grid, size in product(axes.backbones, axes.frames, axes.image_sizes):
            order = FrameOrder.named(axes.frame_orders[0], grid.num_sets)
            exits = cheapest_exits(axes, grid.num_sets)
            yield Plan(backbone, grid.num_frames, order, exits, image_size=size, head=axes.heads[0])


def cheapest_exits(axes: SpaceAxes, num_sets: int) -> ExitPlacement:
    """Return the placement of a single exit that costs as little as any plan's first one."""
    choices = axes.exits
    if choices.max_exits == 1 and choices.last == "full":
        return ExitPlacement((Exit(num_sets, choices.max_depth),))
    return ExitPlacement((Exit(1, choices.min_depth),))


def sample_trunk(axes: SpaceAxes, trial: Suggester) -> Plan:
    """Return the plan that ``trial`` proposes, with the grid's last cell as its only exit.

    It stands for all plans that differ in their exits only.
    """
    by_name = {str(grid): grid for grid in axes.frames}
    grid = by_name[choose(trial, "frames", list(by_name))]
    return Plan(
        family="grid",
        backbone=choose(trial, "backbone", axes.backbones),
        num_frames=grid.num_frames,
        image_size=choose(trial, "image_size", axes.image_sizes),
        frame_order=_sample_order(axes, trial, grid.num_sets),
        temporal_shift=TemporalShift(
            kind=choose(trial, "temporal_shift", axes.temporal_shifts),
            across_groups=choose(trial, "shift_across_groups", axes.across_groups),
        ),
        head=choose(trial, "head", axes.heads),
        exits=ExitPlacement((Exit(grid.num_sets, axes.exits.max_depth),)),
    )


def trunk_choices(axes: SpaceAxes) -> list[dict[str, Any]] | None:
    """Return the parameters of every trunk, or None where orders are free and trunks too many to list."""
    if axes.order_moves:
        return None
    choices: dict[str, list[Any]] = {
        "frames": [str(grid) for grid in axes.frames],
        "backbone": axes.backbones,
        "image_size": axes.image_sizes,
        "frame_order": axes.frame_orders,
        "temporal_shift": list(axes.temporal_shifts),
        "shift_across_groups": axes.across_groups,
        "head": axes.heads,
    }
    real = {name: values for name, values in choices.items() if len(values) > 1}
    return [dict(zip(real, values, strict=True)) for values in product(*real.values())]


def exit_params(axes: SpaceAxes, exits: ExitPlacement) -> dict[str, int]:
    """Return the parameters by which :meth:`GridChoices.sample` proposes these exits."""
    choices = axes.exits
    params = {} if choices.min_exits == choices.max_exits else {"num_exits": len(exits)}
    sampled = exits.exits[:-1] if choices.last == "full" else exits.exits
    for k, exit_ in enumerate(sampled, start=1):
        params[f"exit{k}.sets"] = exit_.sets
        if choices.min_depth < choices.max_depth:
            params[f"exit{k}.depth"] = exit_.depth
    return params


def _sample_order(axes: SpaceAxes, trial: Suggester, num_sets: int) -> FrameOrder:
    order = FrameOrder.named(choose(trial, "frame_order", axes.frame_orders), num_sets)
    for k in range(1, between(trial, "order_moves", 0, axes.order_moves) + 1):
        source = between(trial, f"move{k}.from", 0, num_sets - 1)
        order = order.moved(source, between(trial, f"move{k}.to", 0, num_sets - 1))
    return order


def _sample_exits(axes: SpaceAxes, trial: Suggester, num_sets: int) -> ExitPlacement:
    choices = axes.exits
    num_exits = between(trial, "num_exits", choices.min_exits, choices.max_exits)
    last_is_full = choices.last == "full"
    sets, depths = [], []
    for k in range(1, num_exits + 1 - last_is_full):
        sets.append(between(trial, f"exit{k}.sets", 1, num_sets))
        depths.append(between(trial, f"exit{k}.depth", choices.min_depth, choices.max_depth))
    if last_is_full:
        full = Exit(num_sets, choices.max_depth)
        sets.append(full.sets)
        depths.append(full.depth)
    return ExitPlacement.rising(sets, depths)
