"""Weight files of other programs: what their layouts are, and how their names become ours.

| file | its names | ours |
|---|---|---|
| MSDNet, PyTorch (``msdnet-step=7-block=5``) | ``blocks.0.0.layers.0.{0,1}`` | ``stem.finest.{conv,bn}`` |
| | ``blocks.0.0.layers.S.net.{0,1}`` | ``stem.coarser.S-1.{conv,bn}`` |
| | ``blocks.B.P.layers.I.conv_normal.net.{0,1,3,4}`` | ``blocks.B.L.same.scaleS.{squeeze,grow}.{conv,bn}`` |
| | ``blocks.B.P.layers.I.conv_down.net.{0,1,3,4}`` | ``blocks.B.L.down.scaleS.{squeeze,grow}.{conv,bn}`` |
| | ``blocks.B.P.m.I.net.{0,1}`` (transition) | ``blocks.B.L.halve.scaleS.{conv,bn}`` |
| | ``classifier.B.m.{0,1}.net.{0,1}``, ``classifier.B.linear`` | the exit heads at depth B + 1 |

In MSDNet's file the stem is place P = 0 of block 0, so there L = P - 1, else L = P; the I-th of n scales is
S = 4 - n + 1 + I.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch

Tensors = dict[str, torch.Tensor]

_PARTS = {"0": "squeeze.conv", "1": "squeeze.bn", "3": "grow.conv", "4": "grow.bn"}
_CONV_BN = {"0": "conv", "1": "bn"}
_HEAD_CONVS = {"0.0": "0", "0.1": "1", "1.0": "3", "1.1": "4"}
_SIDES = {"conv_normal": "same", "conv_down": "down"}
_SCALES = 4
_WRAPPERS = ("module.", "_orig_mod.", "model.", "network.", "net.")


@dataclass(frozen=True)
class PublicWeights:
    """A weights file under our names.

    Attributes:
        backbone: By the backbone's own names, as in timm.
        heads: By depth, the tensors of an exit head there; depth 0 stands for the end of the backbone.
        shifted: Paths of the layers or blocks that a temporal shift wraps; None where the layout does not say.
        layout: The layout's name.
    """

    backbone: Tensors
    heads: dict[int, Tensors] = field(default_factory=dict)
    shifted: frozenset[str] | None = None
    layout: str = "timm"


def to_our_names(tensors: Tensors, wanted: Tensors) -> PublicWeights:
    """Return the tensors of a public file under our names, read in that layout which gives most of the ``wanted``."""
    tensors = _without_wrappers(tensors)
    found = [replace(read(tensors), layout=layout) for layout, read in LAYOUTS.items()]
    return max(
        found, key=lambda one: (fitting(one.backbone, wanted), len(tensors.keys() - one.backbone.keys()))
    )


def _without_wrappers(tensors: Tensors) -> Tensors:
    """Return the tensors without the names of modules that wrap the whole network."""
    while wrapper := next((w for w in _WRAPPERS if tensors and all(n.startswith(w) for n in tensors)), None):
        tensors = {name.removeprefix(wrapper): value for name, value in tensors.items()}
    return tensors


def fitting(tensors: Tensors, wanted: Tensors) -> int:
    """Return how many of ``wanted`` are there, in their shapes."""
    return sum(name in tensors and tensors[name].shape == value.shape for name, value in wanted.items())


def _from_tsm(tensors: Tensors) -> PublicWeights:
    backbone: Tensors = {}
    head: Tensors = {}
    shifted = set()
    for name, value in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "new_fc":
            head[f"linear.{rest}"] = value
            continue
        own = rest if kind == "base_model" else name
        place, wrapped, last = own.partition(".net.")
        if wrapped:
            shifted.add(place)
        backbone[f"{place}.{last}" if wrapped else own] = value
    return PublicWeights(backbone, {0: head} if head else {}, frozenset(shifted))


def _from_msdnet(tensors: Tensors) -> PublicWeights:
    found = PublicWeights({})
    places = {pair for pair in map(_place_and_scale, tensors) if pair is not None}
    scales = Counter(place for place, _ in places)
    for name, value in tensors.items():
        if match := re.fullmatch(r"classifier\.(\d+)\.(?:m\.([01])\.net\.([01])|(linear))\.(\w+)", name):
            block, conv, part, linear, last = match.groups()
            own = linear or f"convs.{_HEAD_CONVS[f'{conv}.{part}']}"
            found.heads.setdefault(int(block) + 1, {})[f"{own}.{last}"] = value
        else:
            found.backbone[_msdnet_name(name, scales)] = value
    return found


def _place_and_scale(name: str) -> tuple[str, str] | None:
    match = re.match(r"(blocks\.\d+\.\d+)\.(?:layers|m)\.(\d+)\.", name)
    return (match[1], match[2]) if match else None


def _msdnet_name(name: str, scales: Counter[str]) -> str:
    """Return our name for one of the backbone's tensors, or the name itself if it is of no known form."""
    if match := re.fullmatch(r"blocks\.0\.0\.layers\.0\.([01])\.(\w+)", name):
        return f"stem.finest.{_CONV_BN[match[1]]}.{match[2]}"
    if match := re.fullmatch(r"blocks\.0\.0\.layers\.(\d)\.net\.([01])\.(\w+)", name):
        return f"stem.coarser.{int(match[1]) - 1}.{_CONV_BN[match[2]]}.{match[3]}"
    form = r"(blocks\.(\d+)\.(\d+))\.(?:layers\.(\d)\.(conv_\w+)\.net\.([0134])|m\.(\d)\.net\.([01]))\.(\w+)"
    match = re.fullmatch(form, name)
    if match is None or (match[5] and match[5] not in _SIDES):
        return name
    place, block, position, layer, side, part, halved, conv_bn, last = match.groups()
    own = int(position) - (block == "0")
    scale = f"scale{_SCALES - scales[place] + 1 + int(layer or halved)}"
    if side:
        return f"blocks.{block}.{own}.{_SIDES[side]}.{scale}.{_PARTS[part]}.{last}"
    return f"blocks.{block}.{own}.halve.{scale}.{_CONV_BN[conv_bn]}.{last}"


LAYOUTS: dict[str, Callable[[Tensors], PublicWeights]] = {
    "timm": PublicWeights,
    "MSDNet": _from_msdnet,
    "TSN/TSM": _from_tsm,
}
"""The layouts that are read, by name."""
