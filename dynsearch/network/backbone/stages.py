"""From the cuts of a backbone to the M depth stages of a plan."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx, nn

from dynsearch.errors import PlanError
from dynsearch.network.backbone.cutting import Anatomy, Cut, anatomy
from dynsearch.network.backbone.layout import Layout, State, features_of
from dynsearch.network.backbone.timm_head import read_head, timm_head


def _features_of(_model: nn.Module, state: State) -> torch.Tensor:
    return features_of(state)


@dataclass(frozen=True)
class Stage:
    """One depth stage of a backbone, run with any instance of the model.

    Attributes:
        run: (model, state of the stage before) -> state.
        parts: Paths of the modules and parameters it uses.
        layout: Of the features an exit reads behind it.
        read: (model, state) -> these features.
    """

    run: Callable[[nn.Module, State], State]
    parts: frozenset[str]
    layout: Layout
    read: Callable[[nn.Module, State], torch.Tensor] = _features_of


def backbone_stages(
    name: str, image_size: int, num_stages: int | None, *, as_timm: bool = False
) -> tuple[Stage, ...]:
    """Return the M depth stages of a backbone.

    Args:
        name: Name of a timm model.
        image_size: Side of the square input, in pixels.
        num_stages: M. None takes timm's own feature stages; fewer merge neighbours, the stem first; more cut
            the longest stages at the ends of residual blocks.
        as_timm: Whether exits read what timm's classifier reads, behind the last stage with timm's own head.

    Raises:
        PlanError: The backbone is unknown or can't be cut, or it has fewer blocks than ``num_stages``.
    """
    found = anatomy(name, image_size)
    cuts = choose_cuts(found, num_stages)
    starts = [0, *(cut.node + 1 for cut in cuts[:-1])]
    stages = [_stage(found.nodes, start, cut) for start, cut in zip(starts, cuts, strict=True)]
    if as_timm:
        head = timm_head(name, image_size)
        stages = [replace(s, layout=replace(s.layout, by_token=head.by_token)) for s in stages]
        if head.parts is not None:
            vectors = Layout((1, head.channels), 1)
            stages[-1] = replace(
                stages[-1], layout=vectors, parts=stages[-1].parts | head.parts, read=read_head
            )
    return tuple(stages)


def choose_cuts(found: Anatomy, num_stages: int | None) -> tuple[Cut, ...]:
    """Return the cuts at the end of each of ``num_stages`` stages; see :func:`backbone_stages`."""
    cuts = found.cuts
    if num_stages is None or num_stages == len(cuts):
        return cuts
    if num_stages > len(found.fine_cuts):
        raise PlanError(
            f"{found.name} can be cut into at most {len(found.fine_cuts)} stages, one per block; "
            f"with {num_stages}, a stage would hold no features",
            where="stages",
        )
    if num_stages < len(cuts):
        return tuple(cuts[-(-m * len(cuts) // num_stages) - 1] for m in range(1, num_stages + 1))
    chosen = list(cuts)
    while len(chosen) < num_stages:
        starts = [-1, *(cut.node for cut in chosen[:-1])]
        inner = [
            [cut for cut in found.fine_cuts if start < cut.node < end.node]
            for start, end in zip(starts, chosen, strict=True)
        ]
        longest = max(inner, key=len)
        chosen = sorted([*chosen, longest[len(longest) // 2]], key=lambda cut: cut.node)
    return tuple(chosen)


def _stage(nodes: tuple[fx.Node, ...], start: int, cut: Cut) -> Stage:
    """Return the stage made of the nodes from ``start`` up to ``cut``.

    Its code calls the modules of whatever model it is given, so that parameters exist once and keep timm's names.
    """
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    parts = set()

    def copied(node: fx.Node) -> fx.Node:
        if node not in copies:
            if node.op == "get_attr":
                parts.add(str(node.target))
                copies[node] = graph.node_copy(node)
            else:  # The only value alive at the cut before.
                copies[node] = graph.placeholder("state")
        return copies[node]

    for node in nodes[start : cut.node + 1]:
        if node.op == "placeholder":
            copied(node)
        elif node.op != "get_attr":
            if node.op == "call_module":
                parts.add(str(node.target))
            copies[node] = graph.node_copy(node, copied)
    graph.output(copies[nodes[cut.node]])
    code = graph.python_code("self")
    names: dict[str, Any] = dict(code.globals)
    exec(code.src, names)
    return Stage(names["forward"], frozenset(parts), cut.layout)
