"""Cutting any timm backbone into depth stages.

The feature extractor is traced with torch.fx, blocks being leaves. Wherever exactly one value is alive, the model
can be stopped and resumed: these are the cuts. timm's ``feature_info`` says which of them are stages.
"""

import inspect
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from timm.models import get_notrace_functions
from torch import fx, nn

from dynsearch import compiler
from dynsearch.errors import PlanError
from dynsearch.network.backbone.branches import Branch, find_branch, is_block
from dynsearch.network.backbone.layout import Layout, features_of, is_state, layout_of
from dynsearch.network.backbone.timm_models import create_timm_model

_CONTAINER = re.compile("Stage|BasicLayer")
"""Classes, besides torch's own containers, that only hold blocks and call them in a row."""


class _BlockTracer(fx.Tracer):
    """Traces ``forward_features`` with blocks as leaves, so that their training flags stay alive."""

    traced_func_name = "forward_features"

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        container = isinstance(m, nn.Sequential | nn.ModuleList | nn.ModuleDict)
        return not (container or _CONTAINER.search(type(m).__name__))


@dataclass(frozen=True)
class Cut:
    """A place where the backbone can be stopped and resumed.

    Attributes:
        node: Index of the last node before it in the traced graph.
        layout: Of the features an exit reads there.
        ends_block: Whether a block ends there.
    """

    node: int
    layout: Layout
    ends_block: bool


@dataclass(frozen=True)
class Anatomy:
    """What is known about a backbone without its weights.

    Attributes:
        name: Name of the timm model.
        nodes: The traced graph.
        cuts: Cuts at timm's feature taps, in order; the last is the end of the backbone.
        fine_cuts: Those, and the cuts at the end of every block between them.
        branches: The residual branches, in the order they run.
    """

    name: str
    nodes: tuple[fx.Node, ...]
    cuts: tuple[Cut, ...]
    fine_cuts: tuple[Cut, ...]
    branches: tuple[Branch, ...]


@lru_cache
@compiler.not_yet()
def anatomy(name: str, image_size: int) -> Anatomy:
    """Return the anatomy of timm's model ``name`` for square inputs of ``image_size`` pixels.

    Nothing is computed: the model is built and run on the meta device.

    Raises:
        PlanError: timm has no such model, or it can't be cut; the message says why.
    """
    with compiler.only_shapes(), torch.inference_mode(False):
        model: Any = create_timm_model(name, image_size).eval()
        frames = torch.empty(3, 3, image_size, image_size)
    try:
        graph = _trace(model)
    except Exception as error:  # Tracing runs the model's own code, which raises what it likes.
        raise _uncut(name, f"its forward pass can't be traced: {_first_line(error)}") from error
    try:
        observer = _Observer(fx.GraphModule(model, graph), getattr(model, "num_prefix_tokens", 0) or 0)
        with torch.inference_mode(False), torch.enable_grad():  # Branches are found in what autograd records.
            observer.run(frames)
    except Exception as error:  # Likewise.
        reason = f"between blocks it does more than pass on features, or refuses {image_size} px: {_first_line(error)}"
        raise _uncut(name, reason) from error
    nodes = tuple(graph.nodes)
    cuts = observer.cuts
    if nodes[-1].args != (nodes[-2],) or not cuts or cuts[-1].node != len(nodes) - 2:
        raise _uncut(name, "its feature extractor does not end in one feature tensor")
    taps = _tap_cuts(nodes, cuts, [str(info["module"]) for info in model.feature_info])
    ends = [cut for cut in cuts if cut.ends_block]
    inner = {cut.node for cut in ends[:-1]} | {cut.node for cut in taps}
    if len(inner) < 2:
        raise _uncut(name, "nowhere inside it is a single value alive")
    fine = tuple(cut for cut in cuts if cut.node in inner)
    return Anatomy(name, nodes, taps or fine, fine, tuple(observer.branches))


def _trace(model: Any) -> fx.Graph:
    """Return the graph of ``forward_features`` as a function of the frames alone, its options at their defaults."""
    signature = inspect.signature(type(model).forward_features)
    options = {
        name: parameter.default
        for name, parameter in signature.parameters.items()
        if parameter.default is not parameter.empty
    }
    tracer = _BlockTracer(autowrap_functions=tuple(get_notrace_functions()))
    graph = tracer.trace(model, concrete_args=options or None)
    _, *defaults = (node for node in graph.nodes if node.op == "placeholder")
    unneeded = set(defaults)
    for node in graph.nodes:  # fx checks that each option has its default.
        if node.op == "call_function" and unneeded.intersection(node.all_input_nodes):
            unneeded.add(node)
    for node in reversed(graph.nodes):
        if node in unneeded:
            graph.erase_node(node)
    return graph


class _Observer(fx.Interpreter):
    """Runs a traced model once and notes its cuts and its residual branches."""

    def __init__(self, module: fx.GraphModule, num_prefix: int) -> None:
        super().__init__(module, garbage_collect_values=False)
        self.cuts: list[Cut] = []
        self.branches: list[Branch] = []
        self._num_prefix = num_prefix
        self._position = {node: i for i, node in enumerate(module.graph.nodes)}
        self._single = _single_value_nodes(list(module.graph.nodes))

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if n in self._single and is_state(value):
            ends_block = n.op == "call_module" and is_block(self.fetch_attr(str(n.target)))
            layout = layout_of(features_of(value)[:1], self._num_prefix)
            self.cuts.append(Cut(self._position[n], layout, ends_block))
        return value

    def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        module = self.fetch_attr(target)
        if is_block(module) and args:
            branch = find_branch(target, module, *args)
            if branch is not None:
                self.branches.append(branch)
        return super().call_module(target, args, kwargs)


def _single_value_nodes(nodes: list[fx.Node]) -> set[fx.Node]:
    """Return the nodes after which their own value is the only one that is still needed."""
    alive: set[fx.Node] = set()
    found = set()
    position = {node: i for i, node in enumerate(nodes)}
    last_use = {node: max((position[user] for user in node.users), default=-1) for node in nodes}
    for i, node in enumerate(nodes):
        alive = {value for value in alive if last_use[value] > i}
        if node.op not in ("get_attr", "output") and last_use[node] > i:
            alive.add(node)
        if alive == {node} and node.op != "placeholder":
            found.add(node)
    return found


def _tap_cuts(nodes: tuple[fx.Node, ...], cuts: list[Cut], taps: list[str]) -> tuple[Cut, ...]:
    """Return the first cut behind each of timm's feature taps; the last one moves to the end."""
    found: dict[int, Cut] = {}
    for tap in taps:
        inside = [
            i
            for i, node in enumerate(nodes)
            if node.op == "call_module" and f"{node.target}.".startswith(f"{tap}.")
        ]
        behind = [cut for cut in cuts if inside and cut.node >= inside[-1]]
        if behind:
            found[behind[0].node] = behind[0]
    ordered = [found[node] for node in sorted(found)]
    return (*ordered[:-1], cuts[-1]) if ordered else ()


def _uncut(name: str, reason: str) -> PlanError:
    return PlanError(f"{name} can't be cut into stages: {reason}", where="backbone")


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:160] if lines else type(error).__name__
